"""Times verifications of one caller, then of an open loop at rising rates; ends with 1 if a goal was missed."""

import argparse
import asyncio
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console

from argus.base.logging import configure_logging
from argus.cli.bench import calls_bar, show_turns
from argus.server.bench.hot import Begun, Hot, WrongStateError
from argus.server.bench.private import private_servers
from argus.server.bench.rounds import Turns, medians
from argus.server.bench.runs import CallsFailedError, Pace
from bench.command import finish
from bench.latency.curve import Curve, show_curves
from bench.peers.contender import naive
from bench.rows import Row, quiet_row
from bench.turns import plain, used_by_others
from bench.ways import CACHED, FRONT_DOOR, GRPCIO

NAIVE, THROUGH_GRPCIO, DOOR, WITH_CACHES = "naive", "argus through grpcio", "argus", "argus, cached"
_ONE: Final = Pace(in_flight=1)
_SESSIONS: Final = 100
_RATES: Final = (250, 500, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12_000, 16_000)
_MOST_P99_US: Final = 300
_MOST_P50_US: Final = 100


def main() -> int:
    """Runs the benchmark; 0 if no goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often one caller has its turn with every server")
    parser.add_argument("--calls", type=int, default=1000, help="verifications of a turn of one caller")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long each rate lasts")
    parser.add_argument("--sweeps", type=int, default=2, help="how often all rates are gone through")
    parser.add_argument("--rates", type=int, nargs="+", default=_RATES, help="calls a second")
    parser.add_argument("--json", action="store_true", help="print the result file instead of the tables")
    options = parser.parse_args()
    configure_logging(json=False, level="error")
    try:
        rounds, curves = asyncio.run(_play(options))
    except (CallsFailedError, WrongStateError) as error:
        sys.stderr.write(f"no figure: {error}\n")
        return 1
    middle = medians(rounds)
    measured = {
        "keys": "access tokens: RS256 with RSA-2048",
        "one_caller": plain(middle),
        "curves": {name: [asdict(point) for point in curve.points()] for name, curve in curves.items()},
    }

    def show(console: Console) -> None:
        show_turns(console, middle)
        show_curves(console, curves)

    return finish("latency", goals(rounds), measured, as_json=options.json, show=show)


def goals(rounds: Sequence[Turns]) -> list[Row]:
    """The rows of the result file.

    Args:
        rounds: The turns of one caller in every round.
    """
    unit = "µs, one caller, signature and state cached, RSA-2048"
    limits = {"verify_p99_us": ("p99", _MOST_P99_US), "verify_p50_us": ("p50", _MOST_P50_US)}
    rows = [Row.at_most(name, _us(rounds, WITH_CACHES, part), unit, most) for name, (part, most) in limits.items()]
    asked = "µs, one caller, signature checked and Redis asked, RSA-2048"
    told = [Row.told(f"verify_uncached_{part}_us", _us(rounds, DOOR, part), asked) for part in ("p99", "p50")]
    return [*rows, *told, quiet_row(used_by_others(rounds))]


def _us(rounds: Sequence[Turns], name: str, part: str) -> float:
    return statistics.median(one[name][str(_ONE)].latency_us[part] for one in rounds)


async def _play(options: argparse.Namespace) -> tuple[list[Turns], dict[str, Curve]]:
    ways = {THROUGH_GRPCIO: GRPCIO, DOOR: FRONT_DOOR, WITH_CACHES: CACHED}
    names = [NAIVE, *ways]
    async with AsyncExitStack() as stack:
        progress = stack.enter_context(calls_bar())
        one = progress.add_task("one caller", total=options.rounds * len(names) * (options.calls + 2 * _SESSIONS))
        sweeping = progress.add_task("rates", total=options.sweeps * len(names) * len(options.rates))
        servers = await stack.enter_async_context(private_servers(("EdDSA",), ways))
        contenders: dict[str, Any] = {NAIVE: await stack.enter_async_context(naive("EdDSA"))}
        contenders |= {name: tenants[0] for name, tenants in servers.items()}

        def tick(done: int) -> None:
            progress.advance(one, done)

        hots = {name: Hot(contender, tick=tick) for name, contender in contenders.items()}
        rounds = [await _one_caller(hots, options.calls, number) for number in range(options.rounds)]
        silent = {name: Hot(contender) for name, contender in contenders.items()}
        curves = await _sweep(options, silent, lambda: progress.advance(sweeping))
    return rounds, curves


async def _one_caller(hots: Mapping[str, Hot], calls: int, number: int) -> Turns:
    turns: Turns = {}
    for name in _turned(hots, number):
        sessions = await _warm(hots[name])
        turns[name] = {str(_ONE): await hots[name].verify(sessions, calls, _ONE)}
    return {name: turns[name] for name in hots}


async def _sweep(options: argparse.Namespace, hots: Mapping[str, Hot], tick: Callable[[], object]) -> dict[str, Curve]:
    """Every server at a rate before the next rate comes; a server that has had enough is left out."""
    curves = {name: Curve() for name in hots}
    for number in range(options.sweeps):
        going = dict(hots)
        for rate in sorted(options.rates):
            for name in _turned(going, number) if going else ():
                sessions = await _warm(going[name])
                if not await curves[name].add(going[name], sessions, rate=rate, seconds=options.seconds):
                    del going[name]
            for _ in hots:
                tick()
    return curves


async def _warm(hot: Hot) -> list[Begun]:
    """New sessions that have been verified once."""
    sessions = await hot.begin(_SESSIONS)
    await hot.verify(sessions, _SESSIONS, Pace(in_flight=8))
    return sessions


def _turned(hots: Mapping[str, Hot], number: int) -> list[str]:
    """Another one comes first in each round."""
    names = list(hots)
    shift = number % len(names)
    return names[shift:] + names[:shift]


if __name__ == "__main__":
    sys.exit(main())
