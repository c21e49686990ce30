"""Latency against load: what an open loop waits for an answer at each rate."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from argus.server.bench.hot import Begun, Hot
from argus.server.bench.runs import CallsFailedError, Pace, Turn

# A server that keeps up less than this of the rate has had enough, or one whose median is so late.
_LEAST_KEPT: Final = 0.9
_LATEST_US: Final = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One rate: medians of the sweeps that have reached it.

    Attributes:
        rate: Calls a second that were due.
        kept: Calls a second that were answered.
        p50_us: Median time of a call, from when it was due.
        p99_us: The same of 99 in 100.
        client_late_p99_us: By how much the client was late; where this is not small beside `p99_us`, it was the limit.
        server_cpu_us: CPU time of the server a call.
        is_saturated: The server could not keep up, or turned calls away; then the times say nothing.
    """

    rate: int
    kept: float
    p50_us: float
    p99_us: float
    client_late_p99_us: float
    server_cpu_us: float
    is_saturated: bool


class Curve:
    """The points of one server."""

    def __init__(self) -> None:
        self._turns: dict[int, list[Turn]] = {}
        self._turned_away: set[int] = set()

    async def add(self, hot: Hot, sessions: Sequence[Begun], *, rate: int, seconds: float) -> bool:
        """Verifies at a rate; whether the server kept up."""
        try:
            turn = await hot.verify(sessions, max(1, round(rate * seconds)), Pace(rate=rate))
        except CallsFailedError:
            self._turned_away.add(rate)
            return False
        self._turns.setdefault(rate, []).append(turn)
        return _keeps_up(turn, rate)

    def points(self) -> list[Point]:
        """By rate, the smallest first."""
        return [self._point(rate, turns) for rate, turns in sorted(self._turns.items())]

    def _point(self, rate: int, turns: Sequence[Turn]) -> Point:
        return Point(
            rate=rate,
            kept=statistics.median(one.calls_per_second for one in turns),
            p50_us=statistics.median(one.latency_us["p50"] for one in turns),
            p99_us=statistics.median(one.latency_us["p99"] for one in turns),
            client_late_p99_us=statistics.median(one.lateness_us["p99"] for one in turns),
            server_cpu_us=round(statistics.median(one.cpu_us["server"] for one in turns), 2),
            is_saturated=rate in self._turned_away or not all(_keeps_up(one, rate) for one in turns),
        )


def _keeps_up(turn: Turn, rate: int) -> bool:
    return turn.calls_per_second >= _LEAST_KEPT * rate and turn.latency_us["p50"] <= _LATEST_US


def show_curves(console: Console, curves: Mapping[str, Curve]) -> None:
    """Prints a line for each rate of each server."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for column in ("open loop, ms", "calls/s", "answered/s", "p50", "p99", "client late p99", "CPU µs", ""):
        table.add_column(column, justify="left" if column in ("open loop, ms", "") else "right")
    for name, curve in curves.items():
        for one in curve.points():
            times = [f"{us / 1000:.2f}" for us in (one.p50_us, one.p99_us, one.client_late_p99_us)]
            end = "can't keep up" if one.is_saturated else ""
            table.add_row(name, str(one.rate), f"{one.kept:.0f}", *times, f"{one.server_cpu_us:.0f}", end)
    console.print(table)
