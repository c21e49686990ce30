"""What honest callers meet: how long calls take that are made at a fixed rate, whatever comes back."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psutil

from argus._core import Load, LoadReport
from bench.abuse.attacks import COLD, HOT

CALLS: Final[Mapping[str, float]] = {HOT: 200.0, COLD: 50.0}
"""Calls a second."""

_MIB: Final = 1024 * 1024
_LOOK_SECONDS: Final = 0.05
_DEADLINE_MS: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A service that calls Argus.

    Attributes:
        address: Host and port.
        authorization: Its metadata.
        requests: Encoded requests by method.
    """

    address: str
    authorization: str
    requests: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The calls of one method.

    Attributes:
        p50_ms: Half of the calls took no longer, from when they were made.
        p99_ms: All but one in a hundred.
        due_p99_ms: The same from when they were due: with what the caller waited for a processor itself.
        longest_ms: None took longer.
        codes: Answers by google.rpc.Code.
        lateness_ms: How late the caller itself was, all but one time in a hundred.
    """

    p50_ms: float
    p99_ms: float
    due_p99_ms: float
    longest_ms: float
    codes: Mapping[int, int]
    lateness_ms: float

    def told(self) -> dict[str, Any]:
        """For the result file."""
        return {
            "p50_ms": round(self.p50_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
            "due_p99_ms": round(self.due_p99_ms, 3),
            "longest_ms": round(self.longest_ms, 3),
            "lateness_p99_ms": round(self.lateness_ms, 3),
            "failed": sum(count for code, count in self.codes.items() if code),
            "codes": {str(code): count for code, count in self.codes.items()},
        }


Seen: TypeAlias = Mapping[str, Series]


async def listen(caller: Caller, seconds: float) -> Seen:
    """Calls for a while, all methods at the same time, each on connections of its own."""
    runs = {
        method: Load(
            caller.address,
            method,
            [caller.requests[method]],
            calls=max(1, round(rate * seconds)),
            authorization=caller.authorization,
            deadline_ms=_DEADLINE_MS,
            connections=2,
            rate=rate,
        )
        for method, rate in CALLS.items()
    }
    reports = await asyncio.gather(*(_finish(load) for load in runs.values()))
    return {method: _series(report) for method, report in zip(runs, reports, strict=True)}


async def _finish(load: Load) -> LoadReport:
    while (report := await asyncio.to_thread(load.wait, 1.0)) is None:
        pass
    return report


def _series(report: LoadReport) -> Series:
    return Series(
        p50_ms=1000 * report.response(50),
        p99_ms=1000 * report.response(99),
        due_p99_ms=1000 * report.latency(99),
        longest_ms=1000 * report.response(100),
        codes=report.codes,
        lateness_ms=1000 * report.lateness(99),
    )


@dataclass(slots=True)
class Memory:
    """Resident memory of a process, in MiB."""

    before: float
    peak: float
    after: float = 0.0

    def told(self) -> dict[str, float]:
        """For the result file."""
        return {"before": round(self.before, 1), "peak": round(self.peak, 1), "after": round(self.after, 1)}


@asynccontextmanager
async def watched(pid: int) -> AsyncIterator[Memory]:
    """Looks at a process's memory for the time of the block."""
    process = psutil.Process(pid)

    def now() -> float:
        return float(process.memory_info().rss / _MIB)

    memory = Memory(before=now(), peak=now())

    async def look() -> None:
        while True:
            memory.peak = max(memory.peak, now())
            await asyncio.sleep(_LOOK_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield memory
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        memory.after = now()
