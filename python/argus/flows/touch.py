"""Takes in activity that offline verifiers saw."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from argus import _core
from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.policy import Policy
from argus.flows.activity import Effects
from argus.flows.rebuild import Rebuild
from argus.internal.v1.engine_pb2 import Effect
from argus.policies.living import held_to
from argus.policies.service import Policies
from argus.sessions.errors import TokenInvalidError
from argus.sessions.live_store import LiveSessions, TouchStatus
from argus.sessions.model import Session, epoch_seconds
from argus.sessions.store import SessionStore

_PARALLEL: Final = 64
_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """One report of activity."""

    user_id: str
    session_id: str
    active_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Reports that did not count, because their sessions are over or do not exist."""

    ended: Sequence[Touch]
    unknown: Sequence[Touch]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A session, and what is in force for its client."""

    session: Session
    present: Policy


class _UnknownError(Exception):
    """The user has no such session."""


class _EndedError(Exception):
    """The session is over."""


class TouchSessions:
    """Moves idle deadlines on by reported activity."""

    def __init__(
        self,
        sessions: SessionStore,
        live: LiveSessions,
        rebuild: Rebuild,
        policies: Policies,
        effects: Effects,
        *,
        now: Now,
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._rebuild = rebuild
        self._policies = policies
        self._effects = effects
        self._now = now
        self._places = asyncio.Semaphore(_PARALLEL)

    async def report(self, tenant_id: str, touches: Sequence[Touch]) -> Touched:
        """Takes a batch of reports in; ended sessions stay ended.

        Raises:
            UnavailableError: A store is away; those taken in before count.
        """
        known = await self._known(tenant_id, touches)
        outcomes = await asyncio.gather(
            *(self._one(touch, known.get(touch.session_id)) for touch in touches), return_exceptions=True
        )
        ended, unknown = [], []
        for touch, outcome in zip(touches, outcomes, strict=True):
            match outcome:
                case _EndedError():
                    ended.append(touch)
                case _UnknownError():
                    unknown.append(touch)
                case BaseException():
                    raise outcome
        return Touched(ended=ended, unknown=unknown)

    async def _known(self, tenant_id: str, touches: Sequence[Touch]) -> dict[str, _Known]:
        """The sessions that there are, by their ids. A record says neither whose it is nor of which client."""
        found = await self._sessions.owners(tenant_id, [touch.session_id for touch in touches])
        clients = {session.client_id for session in found.values()}
        in_force = await self._policies.for_clients(tenant_id, list(clients))
        return {
            session_id: _Known(session=session, present=in_force[session.client_id].policy)
            for session_id, session in found.items()
        }

    async def _one(self, touch: Touch, known: _Known | None) -> None:
        if known is None or known.session.user_id != touch.user_id:
            raise _UnknownError
        tenant_id = known.session.tenant_id
        async with self._places:
            await self._check_living(known.session)
            for _ in range(_TRIES):
                status = await self._try(touch, known)
                if status is TouchStatus.TOUCHED:
                    return
                if status is not TouchStatus.STALE:
                    raise _EndedError
                try:
                    await self._rebuild.session(tenant_id, touch.user_id, touch.session_id)
                except TokenInvalidError:
                    raise _UnknownError from None
            raise UnavailableError("redis")

    async def _check_living(self, session: Session) -> None:
        """Redis may know of uses that PostgreSQL does not: where it has the session, it says whether that lives."""
        if await self._live.is_indexed(session.tenant_id, session.user_id, session.session_id):
            return
        if session.as_of(self._now()).has_ended:
            raise _EndedError

    async def _try(self, touch: Touch, known: _Known) -> TouchStatus:
        tenant_id = known.session.tenant_id
        before = await self._live.session(touch.session_id)
        if not before.is_current:
            return TouchStatus.STALE
        try:
            record = _core.SessionRecord.from_bytes(before.value)
        except ValueError:  # a tombstone
            return TouchStatus.ENDED
        policy = held_to(await self._policies.numbered(tenant_id, record.policy_revision), known.present)
        status, after = await self._live.touch(
            tenant_id,
            touch.user_id,
            touch.session_id,
            active=touch.active_time,
            idle=policy.idle,
            absolute=policy.absolute,
        )
        if status is TouchStatus.TOUCHED and after != before.value:
            self._note(tenant_id, touch, _core.SessionRecord.from_bytes(after))
        return status

    def _note(self, tenant_id: str, touch: Touch, record: _core.SessionRecord) -> None:
        now = self._now()
        effect = Effect(
            tenant_id=tenant_id,
            user_id=touch.user_id,
            session_id=touch.session_id,
            time_ms=int(now.timestamp() * 1000),
            last_active=epoch_seconds(min(touch.active_time, now)),
            idle_deadline=record.idle_deadline,
        )
        self._effects.queue([effect])
