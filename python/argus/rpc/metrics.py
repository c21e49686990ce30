"""Counts and times of the RPCs, for Prometheus."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

# A cached verify takes well under a millisecond, a password hash some hundred.
_BUCKETS: Final = (0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class RpcMetrics:
    """One counter a method, code and reason, one histogram a method, and the calls that run now."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._handled = Counter(
            "argus_rpc_handled",
            "RPCs answered, by method, status code and reason.",
            ("method", "code", "reason"),
            registry=registry,
        )
        self._seconds = Histogram(
            "argus_rpc_duration_seconds",
            "Time from the request's arrival to its answer.",
            ("method",),
            buckets=_BUCKETS,
            registry=registry,
        )
        self._running = Gauge("argus_rpc_running", "RPCs being answered now.", registry=registry)

    def started(self) -> None:
        """A call has arrived."""
        self._running.inc()

    def answered(self, method: str, code: str, reason: str, seconds: float) -> None:
        """A call has been answered."""
        self._running.dec()
        self._handled.labels(method, code, reason).inc()
        self._seconds.labels(method).observe(seconds)
