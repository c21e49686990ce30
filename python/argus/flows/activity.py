"""Brings to PostgreSQL what the engine did and saw: bounds of generations, activity, events."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import structlog

from argus._core import Engine
from argus.base.addresses import in_one_form
from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.events import EVENT_TYPES, Event
from argus.base.origin import Origin
from argus.flows.delivery import Deliveries, post_contested, post_sessions_ended
from argus.internal.v1.engine_pb2 import Effect
from argus.internal.v1.engine_pb2 import Effects as EffectsMessage
from argus.networks.service import Networks
from argus.sessions.activity_store import Activity, Sighting, write_activity, write_places
from argus.sessions.ending_store import EndingStore
from argus.sessions.model import EndReason
from argus.sessions.outbox_store import Delivery, OutboxStore
from argus.storage.postgres import Database, Transaction

INTERVAL: Final = timedelta(milliseconds=250)
"""Longest time that effects wait while PostgreSQL is there."""

CONTESTED: Final = "refresh.contested"
"""Event of a replay that contests its session."""
ENDED: Final = "session.ended"
"""Event of a replay that ends its session, by policy."""

_REFRESHES: Final = ("token.refreshed", "refresh.refused", "refresh.step_up_required")
_BATCH: Final = 1000
_SYSTEM: Final = "system:engine"
_log = structlog.get_logger(__name__)


class Effects:
    """The engine's queue of effects, emptied into PostgreSQL."""

    def __init__(
        self,
        engine: Engine,
        db: Database,
        ending: EndingStore,
        outbox: OutboxStore,
        deliveries: Deliveries,
        networks: Networks,
        *,
        now: Now,
    ) -> None:
        self._engine = engine
        self._db = db
        self._ending = ending
        self._outbox = outbox
        self._deliveries = deliveries
        self._networks = networks
        self._now = now
        self._turn = asyncio.Lock()

    async def flush(self) -> int:
        """Writes all that is queued now; says how much it was. What can't be written stays queued, and ages there.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        written, queued = 0, self.queued
        while written < queued and self.queued:
            async with self._turn:
                effects = list(EffectsMessage.FromString(self._engine.peek_effects(_BATCH)).effects)
                deliveries = await self._write_batch(effects)
                self._engine.discard_effects(len(effects))
            written += len(effects)
            await self._deliver(deliveries)
        return written

    async def finish(self) -> None:
        """Writes all that is queued, and what is still being counted.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        self._engine.end_counts()
        await self.flush()

    @property
    def queued(self) -> int:
        """How many effects wait."""
        return self._engine.effects_queued()[0]

    def queue(self, effects: Iterable[Effect]) -> None:
        """Adds effects that Python found."""
        self._engine.queue_effects(EffectsMessage(effects=effects).SerializeToString())

    async def write(self, effect: Effect) -> None:
        """Writes one effect at once: a verdict that must be known before its answer is given.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._db.transaction(_origin(effect), now=self._now()) as tx:
            deliveries = await self._write(tx, [effect])
        await self._deliver(deliveries)

    async def prove(self) -> None:
        """Proves that effects can be written now: PostgreSQL gives a transaction id to nobody it won't let write.

        Raises:
            UnavailableError: PostgreSQL is away, or a standby.
        """
        async with self._db.transaction() as tx:
            await tx.execute("SELECT pg_current_xact_id()")

    async def _deliver(self, deliveries: Iterable[Delivery]) -> None:
        """Redis has made these verdicts itself; it may have lost them since, and been given what PostgreSQL knew."""
        for delivery in deliveries:
            with suppress(UnavailableError):  # the worker goes on
                await self._deliveries.carry_out(delivery)
                await self._outbox.done(delivery)

    async def _write_batch(self, effects: list[Effect]) -> list[Delivery]:
        origin = Origin(tenant_id="", actor=_SYSTEM, request_id="")
        try:
            async with self._db.transaction(origin, now=self._now()) as tx:
                return await self._write(tx, effects)
        except (UnavailableError, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001  # whatever PostgreSQL says against it
            # One that PostgreSQL won't take must not hold the others up for ever.
            if len(effects) == 1:
                _log.exception("effect.refused", event_type=effects[0].event, session_id=effects[0].session_id)
                return []
            middle = len(effects) // 2
            return [*await self._write_batch(effects[:middle]), *await self._write_batch(effects[middle:])]

    async def _write(self, tx: Transaction, effects: list[Effect]) -> list[Delivery]:
        deliveries: list[Delivery] = []
        if any(one.event in (CONTESTED, ENDED) for one in effects):
            # All of them before the first changes: in one order, as everybody locks them.
            keys = {(one.tenant_id, one.session_id): None for one in effects}
            await self._ending.hold(tx, list(keys), waits=True)
        for effect in effects:
            if effect.event in (CONTESTED, ENDED):
                deliveries += await self._write_verdict(tx, effect)
            elif effect.event in EVENT_TYPES:
                _record(tx, effect, self._place_of(effect))
        batch = _activity(effects)
        if batch:
            await write_activity(tx, batch)
        seen = self._sightings(effects)
        if seen:
            await write_places(tx, seen)
        return deliveries

    def _place_of(self, effect: Effect) -> dict[str, str]:
        """Where a refresh came from, as far as its address tells: rules of policies go by it."""
        address = in_one_form(effect.ip_address) if effect.event in _REFRESHES else None
        if address is None:
            return {}
        place = self._networks.look_up(address)
        return {"country": place.country or "", "network_class": place.network_class or ""}

    def _sightings(self, effects: Iterable[Effect]) -> list[Sighting]:
        """Where sessions were used; of several places of one the last counts."""
        used = (effect for effect in effects if effect.generation or effect.last_active)
        newest = {(one.tenant_id, one.session_id): address for one in used if (address := in_one_form(one.ip_address))}
        return [
            Sighting(
                tenant_id=tenant_id, session_id=session_id, ip_address=address, place=self._networks.look_up(address)
            )
            for (tenant_id, session_id), address in newest.items()
        ]

    async def _write_verdict(self, tx: Transaction, effect: Effect) -> list[Delivery]:
        """What the engine has decided over a session; nothing where PostgreSQL has it already."""
        tenant_id, session_id, now = effect.tenant_id, effect.session_id, self._now()
        if effect.event == CONTESTED:
            _record(tx, effect)
            if not await self._ending.contest(tx, tenant_id, session_id, effect.family):
                return []
            return [await post_contested(self._outbox, tx, tenant_id, session_id, effect.family, now=now)]
        reason = EndReason.__members__.get(effect.reason, EndReason.REPLAY)
        ended = await self._ending.end(tx, tenant_id, [session_id], at=_time(effect), reason=reason)
        if not ended:
            return []
        _record(tx, effect)
        return [await post_sessions_ended(self._outbox, tx, tenant_id, effect.user_id, ended, now=now)]


def _activity(effects: Iterable[Effect]) -> list[Activity]:
    found: dict[tuple[str, str], Activity] = {}
    for effect in effects:
        if not (effect.generation or effect.last_active):
            continue
        key = (effect.tenant_id, effect.session_id)
        one = found.setdefault(key, Activity(tenant_id=effect.tenant_id, session_id=effect.session_id))
        if effect.generation:
            one.add_bound(effect.family, effect.generation, _instant(effect.generation_made))
        if effect.last_active:
            one.add_use(_instant(effect.last_active), _instant(effect.idle_deadline))
    return list(found.values())


def _record(tx: Transaction, effect: Effect, more: Mapping[str, str] | None = None) -> None:
    tx.origin = _origin(effect)
    tx.record(_event(effect, more or {}), time=_time(effect))


def _event(effect: Effect, more: Mapping[str, str]) -> Event:
    outcome: Literal["success", "failure"] = "failure" if effect.outcome == "failure" else "success"
    return Event(
        type=effect.event,
        outcome=outcome,
        reason=effect.reason or None,
        user_id=effect.user_id or None,
        session_id=effect.session_id or None,
        client_id=effect.client_id or None,
        data=_data(effect) | {name: fact for name, fact in more.items() if fact},
    )


def _data(effect: Effect) -> dict[str, str]:
    counted = {"count": str(effect.count)} if effect.count else {}
    # Whoever looks back must tell a token of the family that stood then from one of an older one.
    return counted | ({"family": str(effect.family)} if effect.event == CONTESTED and effect.family else {})


def _origin(effect: Effect) -> Origin:
    return Origin(
        tenant_id=effect.tenant_id,
        actor=f"client:{effect.caller}" if effect.caller else _SYSTEM,
        request_id=effect.request_id,
        ip_address=in_one_form(effect.ip_address),
    )


def _time(effect: Effect) -> datetime:
    return datetime.fromtimestamp(effect.time_ms / 1000, UTC)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
