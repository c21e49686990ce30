"""Brings to PostgreSQL what the engine did and saw: bounds of generations, activity, events."""

import asyncio
import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import structlog

from argus._core import Engine
from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.events import EVENT_TYPES, Event
from argus.base.origin import Origin
from argus.internal.v1.engine_pb2 import Effect
from argus.internal.v1.engine_pb2 import Effects as EffectsMessage
from argus.sessions.activity_store import Activity, write_activity
from argus.sessions.ending_store import EndingStore
from argus.sessions.model import EndReason
from argus.storage.postgres import Database, Transaction

INTERVAL: Final = timedelta(milliseconds=250)
"""Longest time that effects wait while PostgreSQL is there."""

CONTESTED: Final = "refresh.contested"
"""Event of a replay that contests its session."""
ENDED: Final = "session.ended"
"""Event of a replay that ends its session, by policy."""

_BATCH: Final = 1000
_SYSTEM: Final = "system:engine"
_log = structlog.get_logger(__name__)


class Effects:
    """The engine's queue of effects, emptied into PostgreSQL."""

    def __init__(self, engine: Engine, db: Database, ending: EndingStore, *, now: Now) -> None:
        self._engine = engine
        self._db = db
        self._ending = ending
        self._now = now
        self._turn = asyncio.Lock()

    async def flush(self) -> int:
        """Writes all that is queued; says how much it was. What can't be written goes back to the front.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        written = 0
        async with self._turn:
            while self._engine.effects_queued()[0]:
                taken = self._engine.drain_effects(_BATCH)
                effects = list(EffectsMessage.FromString(taken).effects)
                try:
                    await self._write_batch(effects)
                except BaseException:
                    self._engine.return_effects(taken)
                    raise
                written += len(effects)
        return written

    def queue(self, effects: Iterable[Effect]) -> None:
        """Adds effects that Python found."""
        self._engine.return_effects(EffectsMessage(effects=effects).SerializeToString())

    async def write(self, effect: Effect) -> None:
        """Writes one effect at once: a verdict that must be known before its answer is given.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._db.transaction(_origin(effect)) as tx:
            await self._write(tx, [effect])

    async def prove(self) -> None:
        """Proves that effects can be written now: PostgreSQL gives a transaction id to nobody it won't let write.

        Raises:
            UnavailableError: PostgreSQL is away, or a standby.
        """
        async with self._db.transaction() as tx:
            await tx.execute("SELECT pg_current_xact_id()")

    async def _write_batch(self, effects: list[Effect]) -> None:
        try:
            async with self._db.transaction(Origin(tenant_id="", actor=_SYSTEM, request_id="")) as tx:
                await self._write(tx, effects)
        except (UnavailableError, asyncio.CancelledError):
            raise
        except Exception:  # noqa: BLE001  # whatever PostgreSQL says against it
            # One that PostgreSQL won't take must not hold the others up for ever.
            if len(effects) == 1:
                _log.exception("effect.refused", event_type=effects[0].event, session_id=effects[0].session_id)
                return
            middle = len(effects) // 2
            await self._write_batch(effects[:middle])
            await self._write_batch(effects[middle:])

    async def _write(self, tx: Transaction, effects: list[Effect]) -> None:
        batch = _activity(effects)
        if batch:
            await write_activity(tx, batch)
        for effect in effects:
            if await self._is_news(tx, effect):
                tx.origin = _origin(effect)
                tx.record(_event(effect), time=_time(effect))

    async def _is_news(self, tx: Transaction, effect: Effect) -> bool:
        """Writes the verdict that an effect carries; False where there is no event, or not for the first time."""
        if effect.event == CONTESTED:
            await self._ending.contest(tx, effect.tenant_id, effect.session_id, effect.family)
        elif effect.event == ENDED:
            reason = EndReason.__members__.get(effect.reason, EndReason.REPLAY)
            return bool(
                await self._ending.end(tx, effect.tenant_id, [effect.session_id], at=_time(effect), reason=reason)
            )
        return effect.event in EVENT_TYPES


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


def _event(effect: Effect) -> Event:
    outcome: Literal["success", "failure"] = "failure" if effect.outcome == "failure" else "success"
    return Event(
        type=effect.event,
        outcome=outcome,
        reason=effect.reason or None,
        user_id=effect.user_id or None,
        session_id=effect.session_id or None,
        client_id=effect.client_id or None,
    )


def _origin(effect: Effect) -> Origin:
    return Origin(
        tenant_id=effect.tenant_id,
        actor=f"client:{effect.caller}" if effect.caller else _SYSTEM,
        request_id=effect.request_id,
        ip_address=_address(effect.ip_address),
    )


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text)) if text else None
    except ValueError:
        return None


def _time(effect: Effect) -> datetime:
    return datetime.fromtimestamp(effect.time_ms / 1000, UTC)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
