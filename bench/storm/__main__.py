"""Verifies at a steady rate, alone and beside a storm of logins; ends with 1 if verifications wait too long."""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Sequence
from typing import Final

from rich.console import Console

from argus.base.logging import configure_logging
from argus.cli.bench import calls_bar, show_turns
from argus.server.bench.hot import Begun, Hot, WrongStateError
from argus.server.bench.private import private_argus
from argus.server.bench.rounds import Turns, medians
from argus.server.bench.runs import CallsFailedError, Pace
from bench.command import finish
from bench.rows import Row, quiet_row
from bench.storm.logins import Logins
from bench.turns import plain

QUIET, STORM, LOGINS = "verify, quiet", "verify, in the storm", "logins by password"
_USERS: Final = 64
_SESSIONS: Final = 100
_MOST_TIMES: Final = 3
# Verifications must end first: what comes after the storm is quiet again.
_LONGER: Final = 1.3


def main() -> int:
    """Runs the benchmark; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.storm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often it storms")
    parser.add_argument("--seconds", type=float, default=4, help="how long verifications go on, in quiet and in storm")
    parser.add_argument("--rate", type=float, default=300, help="verifications a second")
    parser.add_argument("--logins", type=int, default=32, help="logins at a time")
    parser.add_argument("--workers", type=int, help="password hashes at a time; as Argus comes by default")
    parser.add_argument("--json", action="store_true", help="print the result file instead of the tables")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    try:
        rounds = asyncio.run(_play(options))
    except (CallsFailedError, WrongStateError) as error:
        sys.stderr.write(f"no figure: {error}\n")
        return 1
    middle = medians(rounds)
    measured = {
        "rate": options.rate,
        "logins_at_a_time": options.logins,
        "argon2_workers": options.workers,
        "medians": plain(middle),
    }

    def show(console: Console) -> None:
        show_turns(console, middle)

    return finish("storm", goals(rounds), measured, as_json=options.json, show=show)


def goals(rounds: Sequence[Turns]) -> list[Row]:
    """The rows of the result file.

    Args:
        rounds: The turns of every round.
    """

    def p99(turns: Turns, name: str) -> float:
        return next(iter(turns[name].values())).latency_us["p99"]

    ratio = statistics.median(p99(one, STORM) / p99(one, QUIET) for one in rounds)
    quiet = statistics.median(p99(one, QUIET) for one in rounds)
    logins = statistics.median(next(iter(one[LOGINS].values())).calls_per_second for one in rounds)
    # In the storm nobody can say whose the processors are: two runs are under way.
    others = statistics.median(next(iter(one[QUIET].values())).others for one in rounds)
    return [
        Row.at_most("storm_p99_ratio", ratio, "× p99 of Verify, RSA-2048, beside argon2id logins", _MOST_TIMES),
        Row.told("storm_quiet_p99_us", quiet, "µs, p99 of Verify without logins"),
        Row.told("storm_logins_per_second", logins, "logins by password a second in the storm"),
        quiet_row(others),
    ]


async def _play(options: argparse.Namespace) -> list[Turns]:
    pace, count = Pace(rate=options.rate), round(options.rate * options.seconds)
    changes = {} if options.workers is None else {"argon2_workers": options.workers}
    async with private_argus("EdDSA", **changes) as (argus,):
        with calls_bar() as progress:
            task = progress.add_task("calls", total=None)
            hot = Hot(argus, tick=lambda done: progress.advance(task, done))
            logins = Logins(argus, tick=lambda done: progress.advance(task, done))
            await logins.create(_USERS)
            tried = await logins.storm(await logins.begin(2 * _USERS), options.logins)
            enough = max(options.logins, round(_LONGER * options.seconds * tried.calls_per_second))
            progress.update(task, total=progress.tasks[0].completed + options.rounds * (2 * count + 2 * enough))
            rounds = []
            for _ in range(options.rounds):
                sessions = await _warm(hot)
                quiet = await hot.verify(sessions, count, pace)
                passwords = await logins.begin(enough)
                storming = asyncio.create_task(logins.storm(passwords, options.logins))
                try:
                    stormy = await hot.verify(sessions, count, pace)
                    if storming.done():
                        raise WrongStateError("the storm was over before the verifications were")
                finally:
                    stormed = await storming
                rounds.append({QUIET: {str(pace): quiet}, STORM: {str(pace): stormy}, LOGINS: {"storm": stormed}})
    return rounds


async def _warm(hot: Hot) -> list[Begun]:
    sessions = await hot.begin(_SESSIONS)
    await hot.verify(sessions, _SESSIONS, Pace(in_flight=8))
    return sessions


if __name__ == "__main__":
    sys.exit(main())
