"""The metrics of one process."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from argus._core import Engine, Lease
from argus.rpc.metrics import RpcMetrics
from argus.server.primary import PrimaryWatch

_COUNTER: Final = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})?")
_HELP: Final = {
    "calls": "Hot calls answered by the engine, by method and outcome: OK, a reason, or what a flow had to do first.",
    "rotation_verdicts": "Verdicts on refresh tokens, one a question: a call that led to a rebuild is asked again.",
    "rotation_adoptions": "Refresh tokens newer than their record. Explained: it had been rebuilt after a loss.",
    "alarms": "What somebody should be woken for; each is an audit event, too.",
    "token_faults": "Presented tokens that were refused, by class of their fault; not every one has an audit event.",
    "caller_faults": "Callers' tokens that were refused, by class of their fault; not every one has an audit event.",
    "effects_dropped": "Audit events lost because the queue of effects was full.",
    "redis_failures": "Questions that Redis refused or left unanswered.",
}
_LABEL: Final = re.compile(r'(?P<key>[a-z_]+)="?(?P<value>[^",}]*)"?')


class ProcessMetrics:
    """A registry of its own, so that several servers in one process (tests) don't share counters."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.rpc = RpcMetrics(self.registry)
        self.background_failures = Counter(
            "argus_background_failures", "Failed rounds of background loops.", ("loop",), registry=self.registry
        )

    def watch(self, engine: Engine, others: Iterable[Collector]) -> None:
        """Reports what the engine and others count."""
        self.registry.register(EngineCollector(engine))
        for one in others:
            self.registry.register(one)

    def watch_primary(self, primary: PrimaryWatch, lease: Lease | None) -> None:
        """Reports how the primary of Redis fares."""
        self.registry.register(PrimaryCollector(primary, lease))


class PrimaryCollector(Collector):
    """The primary of Redis, and under Sentinel the lease on it."""

    def __init__(self, primary: PrimaryWatch, lease: Lease | None) -> None:
        self._primary = primary
        self._lease = lease

    def collect(self) -> Iterator[Metric]:
        """Changes of the primary; whether the lease is held, and its age."""
        yield CounterMetricFamily(
            "argus_redis_primary_changes",
            "Times that another node of Redis, or the same one restarted, took over.",
            value=self._primary.changes,
        )
        if self._lease is None:
            return
        yield GaugeMetricFamily(
            "argus_redis_lease_held", "1 while answers of Redis may be used.", value=int(self._lease.is_held())
        )
        age_ms = self._lease.age_ms()
        if age_ms is not None:
            yield GaugeMetricFamily(
                "argus_redis_lease_age_seconds",
                "Time since the primary was last confirmed; the lease is good for 5.",
                value=age_ms / 1000,
            )


class EngineCollector(Collector):
    """Reads the engine's counters when asked; the hot path never touches Python objects."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """All counters, and the state of the effects queue."""
        yield from _families(self._engine.counters())
        queued, age_ms = self._engine.effects_queued()
        yield GaugeMetricFamily("argus_effects_queued", "Effects not yet in PostgreSQL.", value=queued)
        yield GaugeMetricFamily(
            "argus_effects_oldest_seconds", "Age of the oldest effect not yet in PostgreSQL.", value=age_ms / 1000
        )
        yield GaugeMetricFamily(
            "argus_snapshot_version", "Configuration version that is served.", value=self._engine.snapshot_version()
        )


def _families(counters: dict[str, int]) -> Iterator[Metric]:
    families: dict[str, CounterMetricFamily] = {}
    for key in sorted(counters):
        found = _COUNTER.fullmatch(key)
        if found is None:
            continue
        labels = {one["key"]: one["value"] for one in _LABEL.finditer(found["labels"] or "")}
        name = f"argus_engine_{found['name'].removesuffix('_total')}"
        family = families.get(name)
        if family is None:
            family = families[name] = CounterMetricFamily(
                name, _HELP.get(found["name"], "Counted by the engine."), labels=sorted(labels)
            )
        family.add_metric([labels[label] for label in sorted(labels)], counters[key])
    yield from families.values()
