"""An attacker, in a process of its own: bounded in time and connections, and against loopback alone.

It runs when nobody else wants a processor: a real one has a machine of its own, and does not take the server's.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path

from bench.abuse.attacks import ATTACKS, Attack, Target

_LONGEST_SECONDS = 120.0


def main() -> None:
    """Attacks for a while, then tells how often it connected and why it was refused."""
    parser = argparse.ArgumentParser(prog="python -m bench.abuse.attacker", description=__doc__)
    parser.add_argument("attack", choices=ATTACKS)
    parser.add_argument("--plain", required=True, help="host and port without TLS")
    parser.add_argument("--encrypted", required=True, help="host and port with TLS")
    parser.add_argument("--document", required=True, help="path of a document that anybody may read")
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    _stand_back()
    target = Target(plain=options.plain, encrypted=options.encrypted, document=options.document)
    done = asyncio.run(_attack(ATTACKS[options.attack], target, min(options.seconds, _LONGEST_SECONDS)))
    sys.stdout.write(json.dumps(done) + "\n")


def _stand_back() -> None:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    # Where Linux shares processors among sessions first (autogroups), that counts within this session alone.
    group = Path("/proc/self/autogroup")
    if group.exists():
        group.write_text("19")


async def _attack(attack: Attack, target: Target, seconds: float) -> dict[str, int]:
    done: Counter[str] = Counter()
    end = time.monotonic() + seconds
    lines = [asyncio.create_task(_line(attack, target, end, done)) for _ in range(attack.lines)]
    sys.stdout.write("attacking\n")
    sys.stdout.flush()
    await asyncio.wait(lines, timeout=seconds)
    for line in lines:
        line.cancel()
    await asyncio.gather(*lines, return_exceptions=True)
    return dict(done)


async def _line(attack: Attack, target: Target, end: float, done: Counter[str]) -> None:
    """One connection after the other."""
    while time.monotonic() < end:
        done["connections"] += 1
        try:
            await attack.play(target)
        except OSError as error:
            done[type(error).__name__] += 1
        # Not a flood of connections: that is what the system's own limits are for.
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    main()
