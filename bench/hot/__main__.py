"""Verifies and refreshes on Argus, a naive server and an empty one in turn; ends with 1 if a goal was missed."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from argus.base.logging import configure_logging
from argus.cli.bench import calls_bar, show_turns
from argus.server.bench.hot import WrongStateError
from argus.server.bench.rounds import Plan, Turns, medians
from argus.server.bench.runs import CallsFailedError
from bench.command import finish
from bench.hot.contest import Asked, play
from bench.hot.goals import KEYS, Costs, goals
from bench.turns import plain


def main() -> int:
    """Runs the benchmark; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.hot", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="how often every server has its turn")
    parser.add_argument("--calls", type=int, default=2000, help="verifications of a turn")
    parser.add_argument("--sessions", type=int, default=200, help="refreshes of a turn, each of a session of its own")
    parser.add_argument("--in-flight", type=int, default=32, help="calls at a time in the closed loop")
    parser.add_argument("--rate", type=float, help="open loop, too: verifications a second")
    parser.add_argument("--front-door", choices=("on", "off"), default="on", help="off: Argus by grpcio alone")
    parser.add_argument("--json", action="store_true", help="print the result file instead of the tables")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    plan = Plan(sessions=options.sessions, verifications=options.calls, in_flight=options.in_flight, rate=options.rate)
    asked = Asked(plan=plan, rounds=options.rounds, has_door=options.front_door == "on")
    try:
        with calls_bar() as progress:
            task = progress.add_task("calls", total=asked.calls)
            rounds, costs, profiles = asyncio.run(play(asked, lambda done: progress.advance(task, done)))
    except (CallsFailedError, WrongStateError) as error:
        sys.stderr.write(f"no figure: {error}\n")
        return 1
    middle = medians(rounds)
    name = "hot" if asked.has_door else "hot_without_door"
    rows = goals(rounds, costs, has_door=asked.has_door)
    through = "the front door" if asked.has_door else "grpcio alone"
    measured = _measured(options, rounds, costs, middle, profiles) | {"argus_is_called_through": through}

    def show(console: Console) -> None:
        show_turns(console, middle)
        console.print(f"Argus through {through}. {KEYS}")

    return finish(name, rows, measured, as_json=options.json, show=show)


def _measured(
    options: argparse.Namespace,
    rounds: Sequence[Turns],
    costs: Sequence[Costs],
    middle: Turns,
    profiles: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "keys": KEYS,
        "in_flight": options.in_flight,
        "medians": plain(middle),
        "server_cpu_us_by_round": {
            name: {what: [one[name][what].cpu_us["server"] for one in rounds] for what in turns}
            for name, turns in middle.items()
        },
        "signature_us_by_round": {
            kind: [round(1e6 * one[kind], 2) for one in costs] for kind in (costs[0] if costs else {})
        },
        "profile_percent": profiles,
    }


if __name__ == "__main__":
    sys.exit(main())
