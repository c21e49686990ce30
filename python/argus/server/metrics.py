"""The metrics of one process."""

import re
from collections import Counter as Counted
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from argus._core import Engine, Lease
from argus.flows.refusals import Refusals
from argus.policies.service import POLICY_BOUND
from argus.rpc.metrics import RpcMetrics
from argus.server.front_door import FrontDoor
from argus.server.primary import PrimaryWatch
from argus.server.snapshot import SnapshotKeeper

_COUNTER: Final = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})?")
_HELP: Final = {
    "calls": "Hot calls answered by the engine, by method and outcome: OK, a reason, or what a flow had to do first.",
    "rotation_verdicts": "Verdicts on refresh tokens, one a question: a call that led to a rebuild is asked again.",
    "rotation_adoptions": "Refresh tokens newer than their record. Explained: it had been rebuilt after a loss.",
    "alarms": "What somebody should be woken for; each is an audit event, too.",
    "token_faults": "Presented tokens that were refused, by class of their fault; not every one has an audit event.",
    "caller_faults": "Callers' tokens that were refused, by class of their fault; not every one has an audit event.",
    "cache_hits": "Tokens (signatures) and sessions (states) of hot calls that were known in memory.",
    "cache_misses": "Tokens that were verified in full, and states that were read from Redis.",
    "cache_evictions": "Entries that made place for others before their time.",
    "tracking_losses": "Lost or refused connections on which Redis tells of changes; all states went with each.",
    "activity_written": "Uses of sessions written to Redis in batches.",
    "activity_batches": "Batches of uses of sessions.",
    "effects_dropped": "Audit events lost because the queue of effects was full.",
    "redis_failures": "Questions that Redis refused or left unanswered.",
}
_DOOR_HELP: Final = {
    "mute": "Connections that did not say in time what they speak, or failed to shake hands.",
    "cut": "Connections closed because they gave up too many calls, or sent too much wide metadata.",
    "passed": "Requests that went on to the servers behind the front door.",
    "shed": "Requests turned away because too many were waiting for those servers.",
    "late": "Requests that did not come whole in time.",
}
_GAUGES: Final = {
    "callers": ("argus_engine_cached_callers", "Tokens of callers in their cache.", 1),
    "caller_bytes": ("argus_engine_cached_caller_bytes", "About how much memory they take.", 1),
    "signatures": ("argus_engine_cached_signatures", "Tokens in the signature cache.", 1),
    "signature_bytes": ("argus_engine_cached_signature_bytes", "About how much memory they take.", 1),
    "states": ("argus_engine_cached_states", "Sessions in the state cache.", 1),
    "state_bytes": ("argus_engine_cached_state_bytes", "About how much memory they take.", 1),
    "tracking_age_ms": (
        "argus_engine_tracking_age_seconds",
        "Time since Redis was known to have told of every change; cached states count below 0.25.",
        1000,
    ),
    "activity_queued": ("argus_engine_activity_queued", "Uses of sessions not yet in Redis.", 1),
    "activity_oldest_ms": ("argus_engine_activity_oldest_seconds", "Age of the oldest use not yet in Redis.", 1000),
    "activity_longest_ms": ("argus_engine_activity_longest_seconds", "Longest time that a use waited.", 1000),
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

    def watch(self, engine: Engine, refusals: Refusals, snapshot: SnapshotKeeper, others: Iterable[Collector]) -> None:
        """Reports what the engine, the flows in its place, and others count."""
        self.registry.register(EngineCollector(engine, refusals, snapshot))
        for one in others:
            self.registry.register(one)

    def watch_doors(self, door: FrontDoor) -> None:
        """Reports what the front door counts."""
        self.rpc.watch_doors(door.counts)
        self.registry.register(DoorCollector(door))

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


class DoorCollector(Collector):
    """Connections at the front doors, and what was turned away there."""

    def __init__(self, door: FrontDoor) -> None:
        self._door = door

    def collect(self) -> Iterator[Metric]:
        """Sums over all doors of the process."""
        doors = self._door.counts()
        yield GaugeMetricFamily(
            "argus_door_connections", "Connections open at the front door.", value=sum(one.connections for one in doors)
        )
        for name, text in _DOOR_HELP.items():
            total = sum(one.totals[name] for one in doors)
            yield CounterMetricFamily(f"argus_door_{name}", text, value=total)
        expires = self._door.certificates_expire()
        if expires is not None:
            yield GaugeMetricFamily(
                "argus_door_certificate_expire_time_seconds",
                "Unix time at which the first certificate of the front door expires.",
                value=expires,
            )


class EngineCollector(Collector):
    """Reads the engine's counters when asked; the hot path never touches Python objects."""

    def __init__(self, engine: Engine, refusals: Refusals, snapshot: SnapshotKeeper) -> None:
        self._engine = engine
        self._refusals = refusals
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        """All counters, and the state of the effects queue."""
        counts = Counted(self._engine.counters())
        counts.update(self._refusals.counters())
        yield from _families(counts)
        for key, value in self._engine.gauges().items():
            name, text, per_unit = _GAUGES[key]
            if value >= 0:
                yield GaugeMetricFamily(name, text, value=value / per_unit)
        queued, age_ms = self._engine.effects_queued()
        yield GaugeMetricFamily("argus_effects_queued", "Effects not yet in PostgreSQL.", value=queued)
        yield GaugeMetricFamily(
            "argus_effects_oldest_seconds", "Age of the oldest effect not yet in PostgreSQL.", value=age_ms / 1000
        )
        yield GaugeMetricFamily(
            "argus_snapshot_version", "Configuration version that is served.", value=self._engine.snapshot_version()
        )
        if (age := self._snapshot.age) is not None:
            yield GaugeMetricFamily(
                "argus_policy_age_seconds",
                "Oldest change of a policy that this process may not act by yet; above argus_policy_bound_seconds "
                "PostgreSQL is away.",
                value=age,
            )
        yield GaugeMetricFamily(
            "argus_policy_bound_seconds",
            "Longest that a process goes on by an older policy while PostgreSQL is there.",
            value=POLICY_BOUND.total_seconds(),
        )
        yield CounterMetricFamily(
            "argus_snapshot_readings", "Times that PostgreSQL was asked for it.", value=self._snapshot.readings
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
