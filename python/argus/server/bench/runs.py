"""One run: a method, called many times, with the CPU time of everybody who had to do with it."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import cpu_count
from typing import Final

from google.rpc import code_pb2

from argus._core import Load, LoadReport
from argus.base.cpu import cpu_seconds, machine_cpu_seconds

CLIENT: Final = "client"
"""Name of the load client among the processes."""

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9, 100.0)
_LOOK_SECONDS: Final = 0.1


class CallsFailedError(Exception):
    """Some calls were not answered OK: what was measured is not what was meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """When the next call is made; one of the two.

    Attributes:
        in_flight: Closed loop: as soon as one of so many was answered.
        rate: Open loop: so many a second, whatever comes back.
    """

    in_flight: int | None = None
    rate: float | None = None

    def __str__(self) -> str:
        """In words."""
        return f"{self.in_flight} in flight" if self.rate is None else f"{self.rate:g} a second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What is called.

    Attributes:
        address: Host and port.
        method: Full name.
        authorization: Metadata of that name.
        requests: Encoded; sent in turn.
        count: How many calls.
        connections: Connections, used in turn.
        deadline_ms: Deadline of each call.
    """

    address: str
    method: str
    authorization: str
    requests: Sequence[bytes]
    count: int
    connections: int = 4
    deadline_ms: int = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a run has shown.

    Attributes:
        calls: Calls answered.
        seconds: From the first call to the last answer.
        calls_per_second: What that makes.
        latency_us: Time of a call by percentile; in an open loop from when it was due.
        lateness_us: Open loop: by how much the client was late, by percentile.
        cpu_us: CPU time a call, by process with all that it has started.
        others: Share of the machine that went to other processes; what disturbs a measurement.
    """

    calls: int
    seconds: float
    calls_per_second: float
    latency_us: Mapping[str, float]
    lateness_us: Mapping[str, float]
    cpu_us: Mapping[str, float]
    others: float


async def run(
    calls: Calls, pace: Pace, processes: Mapping[str, int], *, tick: Callable[[int], object]
) -> tuple[Turn, list[bytes]]:
    """Makes the calls; answers what it cost, and the encoded responses.

    Args:
        calls: What is called.
        pace: When.
        processes: Processes whose CPU time counts, by a name.
        tick: Told how many calls were answered since it was told last.

    Raises:
        CallsFailedError: Some call was not answered OK.
        ConnectionError: Nobody listens at the address.
    """
    spent = {name: -cpu_seconds(pid) for name, pid in processes.items()}
    own, machine, begun = -time.process_time(), -machine_cpu_seconds(), time.perf_counter()
    report = await _finish(_start(calls, pace), tick)
    took = time.perf_counter() - begun
    machine += machine_cpu_seconds()
    own += time.process_time()
    for name, pid in processes.items():
        spent[name] += cpu_seconds(pid)
    known = own + sum(spent.values())
    spent[CLIENT] = report.client_cpu_seconds
    turn = Turn(
        calls=calls.count,
        seconds=report.seconds,
        calls_per_second=round(calls.count / report.seconds, 1),
        latency_us=_percentiles(report.latency),
        lateness_us=_percentiles(report.lateness) if pace.rate else {},
        cpu_us={name: round(1e6 * seconds / calls.count, 2) for name, seconds in spent.items()},
        others=round(max(0.0, machine - known) / (took * (cpu_count() or 1)), 3),
    )
    return turn, _contents(report, calls.method)


def _start(calls: Calls, pace: Pace) -> Load:
    return Load(
        calls.address,
        calls.method,
        calls.requests,
        calls=calls.count,
        authorization=calls.authorization,
        deadline_ms=calls.deadline_ms,
        connections=calls.connections,
        in_flight=pace.in_flight,
        rate=pace.rate,
    )


async def _finish(load: Load, tick: Callable[[int], object]) -> LoadReport:
    told = 0
    while True:
        report = await asyncio.to_thread(load.wait, _LOOK_SECONDS)
        tick(load.answered - told)
        told = load.answered
        if report is not None:
            return report


def _percentiles(of: Callable[[float], float]) -> dict[str, float]:
    return {f"p{percent:g}": round(1e6 * of(percent), 1) for percent in PERCENTILES}


def _contents(report: LoadReport, method: str) -> list[bytes]:
    answers = report.answers()
    failed = [(code, content) for code, content in answers if code != code_pb2.OK]
    if failed:
        code, content = failed[0]
        said = content.decode("utf-8", "replace")
        raise CallsFailedError(
            f"{len(failed)} of {len(answers)} calls of {method} were not answered OK; "
            f"the first: {code_pb2.Code.Name(code)}, {said}"
        )
    return [content for _, content in answers]
