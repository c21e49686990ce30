"""CPU time inside Redis: the process's own, and what the server says of its commands."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from argus.base.cpu import process_cpu_ns
from bench.rotation.cases import CASES, Case
from tests.support.valkey import Valkey


@dataclass(slots=True)
class Series:
    """The rounds of one case, µs of CPU a call.

    Attributes:
        pipelined: Of the server's process, in batches.
        single: Of the server's process, one call a round trip.
        inside: By `INFO commandstats`: without reading the request and writing the answer. By the wall clock, so a
            busy machine makes it longer.
    """

    pipelined: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)

    def medians(self) -> dict[str, float]:
        """The median of each."""
        return {name: round(statistics.median(getattr(self, name)), 2) for name in ("pipelined", "single", "inside")}


def measure(valkey: Valkey, *, rounds: int, batch: int, done: Callable[[], object]) -> dict[str, Series]:
    """All cases in turn, again and again, so that whatever else the machine does falls on each alike."""
    series = {case.name: Series() for case in CASES}
    for _ in range(rounds):
        for case in CASES:
            one = series[case.name]
            pipelined, inside = _batch(valkey, case, batch)
            one.pipelined.append(pipelined)
            one.inside.append(inside)
            one.single.append(_one_by_one(valkey, case, batch // 10))
            done()
    return series


def _batch(valkey: Valkey, case: Case, count: int) -> tuple[float, float]:
    commands = case.prepare(valkey, count)
    pipe: Any = valkey.client.pipeline(transaction=False)
    for command in commands:
        pipe.execute_command(*command)
    valkey.client.config_resetstat()
    begun = process_cpu_ns(valkey.pid)
    answers = pipe.execute()
    spent = process_cpu_ns(valkey.pid) - begun
    _check(case, answers)
    return spent / len(commands) / 1000, _inside(valkey, len(commands))


def _one_by_one(valkey: Valkey, case: Case, count: int) -> float:
    commands = case.prepare(valkey, count)
    client: Any = valkey.client
    begun = process_cpu_ns(valkey.pid)
    answers = [client.execute_command(*command) for command in commands]
    spent = process_cpu_ns(valkey.pid) - begun
    _check(case, answers)
    return spent / len(commands) / 1000


def _check(case: Case, answers: list[Any]) -> None:
    """Every call took the way that it was to take."""
    verdicts = {answer[0] if isinstance(answer, list) else answer for answer in answers}
    if case.verdict is not None and verdicts != {case.verdict}:
        raise AssertionError(f"{case.name}: {verdicts}")


def _inside(valkey: Valkey, count: int) -> float:
    stats: Any = valkey.client.info("commandstats")
    called = [stats[name] for name in ("cmdstat_fcall", "cmdstat_fcall_ro") if name in stats]
    if sum(one["calls"] for one in called) != count:
        raise AssertionError("somebody else calls this server")
    return float(sum(one["usec"] for one in called)) / count
