"""Counts and times of the RPCs, for Prometheus."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final, TypeAlias

from google.rpc import code_pb2
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from argus._core import DoorCounts

_Sample: TypeAlias = tuple[str, Mapping[str, str], float]
_HANDLED: Final = "argus_rpc_handled"
_SECONDS: Final = "argus_rpc_duration_seconds"


class RpcMetrics(Collector):
    """One counter a method, code and reason, one histogram a method, and the calls that run now.

    What the front door answers by itself it counts by itself; both are told as one.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._handled = Counter(
            _HANDLED, "RPCs answered, by method, status code and reason.", ("method", "code", "reason"), registry=None
        )
        self._seconds = Histogram(
            _SECONDS,
            "Time from the request's arrival to its answer.",
            ("method",),
            buckets=DoorCounts.BUCKETS,
            registry=None,
        )
        self._running = Gauge("argus_rpc_running", "RPCs being answered now.", registry=registry)
        self._at_doors: Callable[[], Iterable[DoorCounts]] = tuple
        registry.register(self)

    def watch_doors(self, counts: Callable[[], Iterable[DoorCounts]]) -> None:
        """Takes in what front doors count."""
        self._at_doors = counts

    def collect(self) -> Iterator[Metric]:
        """The counts of both."""
        doors = list(self._at_doors())
        yield _with(self._handled, [sample for door in doors for sample in _handled(door)])
        yield _with(self._seconds, [sample for door in doors for sample in _seconds(door)])

    def started(self) -> None:
        """A call has arrived."""
        self._running.inc()

    def answered(self, method: str, code: str, reason: str, seconds: float) -> None:
        """A call has been answered."""
        self._running.dec()
        self._handled.labels(method, code, reason).inc()
        self._seconds.labels(method).observe(seconds)


def _handled(door: DoorCounts) -> Iterator[_Sample]:
    for method, code, reason, count in door.handled:
        if count:
            labels = {"method": method, "code": code_pb2.Code.Name(code), "reason": reason}
            yield f"{_HANDLED}_total", labels, count


def _seconds(door: DoorCounts) -> Iterator[_Sample]:
    for method, seconds, within in door.timed:
        counts = list(accumulate(within))
        if not counts[-1]:
            continue
        for bound, count in zip((*map(str, DoorCounts.BUCKETS), "+Inf"), counts, strict=True):
            yield f"{_SECONDS}_bucket", {"method": method, "le": bound}, count
        yield f"{_SECONDS}_count", {"method": method}, counts[-1]
        yield f"{_SECONDS}_sum", {"method": method}, seconds


def _with(counter: Counter | Histogram, more: Iterable[_Sample]) -> Metric:
    """What a counter has counted, and more of the same."""
    (counted,) = counter.collect()
    sums = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in counted.samples}
    for name, labels, value in more:
        key = (name, frozenset(labels.items()))
        sums[key] = sums.get(key, 0) + value
    metric = Metric(counted.name, counted.documentation, counted.type)
    for (name, items), value in sums.items():
        metric.add_sample(name, dict(items), value)
    return metric
