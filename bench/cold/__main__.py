"""Calls an empty method through the front door and past it, in turn; ends with 1 if a goal was missed."""

import argparse
import asyncio
import json
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from argus.base.logging import configure_logging
from argus.cli.bench import calls_bar, show_turns
from argus.server.bench.rounds import Turns, medians
from argus.server.bench.runs import Calls, CallsFailedError, Pace, run
from argus.storage.processes import ServerProcess
from bench.cold.server import METHOD
from bench.command import finish
from bench.rows import Row, quiet_row
from bench.turns import plain, used_by_others

_ROOT: Final = Path(__file__).parents[2]
ALONE, THROUGH = "grpcio alone", "through the front door"
_MOST_TIMES: Final = 1.4
_MOST_ADDED_US: Final = 120
_WARM_UP: Final = 200
# As long as a small request of Argus.
_REQUEST: Final = bytes(64)


def main() -> int:
    """Runs the benchmark; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each way has its turn")
    parser.add_argument("--calls", type=int, default=3000, help="calls of a turn")
    parser.add_argument("--in-flight", type=int, default=32, help="calls at a time")
    parser.add_argument("--json", action="store_true", help="print the result file instead of the tables")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    try:
        with calls_bar() as progress, _serving() as server:
            one = sum(_WARM_UP + count for count, _ in _turns(options))
            task = progress.add_task("calls", total=2 * options.rounds * one)
            rounds = asyncio.run(_play(options, server, lambda done: progress.advance(task, done)))
    except CallsFailedError as error:
        sys.stderr.write(f"no figure: {error}\n")
        return 1
    middle = medians(rounds)
    measured = {
        "in_flight": options.in_flight,
        "medians": plain(middle),
        "server_cpu_us_by_round": {
            name: [_us(one, name, _first(options)) for one in rounds] for name in (ALONE, THROUGH)
        },
    }

    def show(console: Console) -> None:
        show_turns(console, middle)

    return finish("cold", goals(rounds, _first(options)), measured, as_json=options.json, show=show)


def goals(rounds: Sequence[Turns], what: str) -> list[Row]:
    """The rows of the result file.

    Args:
        rounds: The turns of every round.
        what: The turn that is judged.
    """
    pairs = [(_us(one, ALONE, what), _us(one, THROUGH, what)) for one in rounds]
    ratio = statistics.median(through / alone for alone, through in pairs)
    added = statistics.median(through - alone for alone, through in pairs)
    return [
        Row.at_most("cold_vs_grpcio", ratio, f"× CPU of an empty call, {what}", _MOST_TIMES),
        Row.at_most("cold_above_grpcio_us", added, f"µs of CPU of an empty call, {what}", _MOST_ADDED_US),
        quiet_row(used_by_others(rounds)),
    ]


def _us(turns: Turns, name: str, what: str) -> float:
    return turns[name][what].cpu_us["server"]


def _turns(options: argparse.Namespace) -> list[tuple[int, Pace]]:
    return [(options.calls, Pace(in_flight=options.in_flight)), (max(1, options.calls // 10), Pace(in_flight=1))]


def _first(options: argparse.Namespace) -> str:
    return str(_turns(options)[0][1])


async def _play(
    options: argparse.Namespace, server: tuple[dict[str, str], int], tick: Callable[[int], object]
) -> list[Turns]:
    addresses, pid = server
    rounds: list[Turns] = []
    for number in range(options.rounds):
        turns: Turns = {ALONE: {}, THROUGH: {}}
        for count, pace in _turns(options):
            # Another one comes first each time.
            for name in sorted(turns, reverse=bool(number % 2)):
                await _call(addresses[name], _WARM_UP, pace, pid, tick)
                turns[name][str(pace)] = await _call(addresses[name], count, pace, pid, tick)
        rounds.append(turns)
    return rounds


async def _call(address: str, count: int, pace: Pace, pid: int, tick: Callable[[int], object]) -> Any:
    calls = Calls(address=address, method=METHOD, authorization="", requests=[_REQUEST], count=count)
    turn, answers = await run(calls, pace, {"server": pid}, tick=tick)
    if set(answers) != {_REQUEST}:
        raise CallsFailedError("an empty call was answered with something")
    return turn


@contextmanager
def _serving() -> Iterator[tuple[dict[str, str], int]]:
    """Where the server listens, and its process id."""
    with tempfile.TemporaryDirectory(prefix="argus-") as folder:
        process = ServerProcess(
            "cold", folder=Path(folder), account=None, stop_signal=signal.SIGTERM, orphan_signal=signal.SIGKILL
        )
        try:
            process.launch([sys.executable, "-m", "bench.cold.server"], cwd=_ROOT)
            process.wait_until(lambda: _started(process.log) is not None)
            said = _started(process.log) or {}
            yield {ALONE: said["grpcio"], THROUGH: said["door"]}, process.pid
        finally:
            process.stop()


def _started(log: Path) -> dict[str, str] | None:
    for line in log.read_text("utf-8", "replace").splitlines():
        with suppress(ValueError):
            said: dict[str, str] = json.loads(line)
            return said
    return None


if __name__ == "__main__":
    sys.exit(main())
