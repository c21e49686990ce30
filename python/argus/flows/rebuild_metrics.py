"""What is known about rebuilding: for Prometheus, and as one log line for many rebuilds."""

from collections import Counter as Tally
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import Collector

_WAITS: Final = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0)
_log = structlog.get_logger(__name__)


class RebuildMetrics:
    """Counts rebuilds by kind and status, those who wait, and for how long they do."""

    def __init__(self) -> None:
        # In no registry yet: several servers may run in one process (tests).
        self._rebuilds = Counter(
            "argus_rebuilds", "Records brought back from PostgreSQL.", ("kind", "status"), registry=None
        )
        self._waiting = Gauge("argus_rebuilds_waiting", "Rebuilds that wait for their turn.", registry=None)
        self._wait = Histogram(
            "argus_rebuild_wait_seconds", "How long rebuilds waited for their turn.", buckets=_WAITS, registry=None
        )
        self._batches = Counter("argus_rebuild_batches", "Batches in which rebuilds were done.", registry=None)
        self._since_report: Tally[str] = Tally()

    @property
    def collectors(self) -> Sequence[Collector]:
        """For a registry."""
        return (self._rebuilds, self._waiting, self._wait, self._batches)

    def watch(self, waiting: Callable[[], int]) -> None:
        """Asks `waiting` how many wait, whenever somebody wants to know."""
        self._waiting.set_function(waiting)

    def refused(self) -> None:
        """One was turned away: there is too much to do."""
        self.count("session", "refused")

    def begun(self, waits: Sequence[float]) -> None:
        """A batch begins, after so many seconds for each of its parts."""
        self._batches.inc()
        for seconds in waits:
            self._wait.observe(seconds)

    def count(self, kind: str, status: str) -> None:
        """One more of a kind ("session", "user", "not_before") has come to an end ("written", "stale" …)."""
        self._rebuilds.labels(kind, status).inc()
        self._since_report[f"{kind}_{status}"] += 1

    async def report(self) -> None:
        """One log line about all rebuilds since the last one; none if there were none."""
        counted, self._since_report = self._since_report, Tally()
        if counted:
            _log.info("records.rebuilt", **counted)
