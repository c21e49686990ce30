"""Ends the sessions whose deadline has passed, each once, however many processes sweep."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from argus import _core
from argus.base.clock import Now
from argus.base.origin import Origin
from argus.flows.delivery import ended_event
from argus.flows.rebuild import Rebuild
from argus.policies.service import Policies
from argus.sessions.ending_store import EndingStore
from argus.sessions.errors import TokenInvalidError
from argus.sessions.live_store import ExpireStatus, LiveSessions
from argus.sessions.model import TIMEOUTS, Session
from argus.storage.postgres import Database, Transaction

_BATCH: Final = 500
_PARALLEL: Final = 40
# All may be one user's, who has 50 places, and a request of that user must find one: also where two sweeps meet.
_REBUILT: Final = 10
_SYSTEM: Final = "system:sweeper"
_FLUSH: Final = timedelta(seconds=1)


class Sweeper:
    """The sweeper of overdue sessions, and the janitor of what else has had its time."""

    def __init__(
        self,
        db: Database,
        ending: EndingStore,
        live: LiveSessions,
        rebuild: Rebuild,
        policies: Policies,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._ending = ending
        self._live = live
        self._rebuild = rebuild
        self._policies = policies
        self._now = now

    async def sweep(self) -> int:
        """Ends all sessions that are overdue and that no other sweeper is at; says how many.

        Raises:
            UnavailableError: A store is away; what is left stays overdue.
        """
        ended = 0
        after: tuple[datetime, str, str] | None = None
        while True:
            now = self._now()
            async with self._db.transaction(_origin(""), now=now) as tx:
                batch = await self._ending.overdue(tx, now=now, after=after, size=_BATCH)
                count, stale = await self._end(tx, batch, now)
            ended += count + await self._end_rebuilt(stale)
            if len(batch) < _BATCH:
                return ended
            last = batch[-1]
            after = (min(last.idle_deadline, last.absolute_deadline), last.tenant_id, last.session_id)

    async def tidy(self) -> None:
        """Forgets request ids whose ten minutes are over.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        await self._db.forget_requests(now=self._now())

    async def _end_rebuilt(self, stale: Sequence[Session]) -> int:
        """Those that Redis has forgotten. Activity may be on its way to PostgreSQL still: they wait a little."""
        due = [one for one in stale if await self._has_waited(one)]
        for first in range(0, len(due), _REBUILT):
            await asyncio.gather(*(self._rebuilt(session) for session in due[first : first + _REBUILT]))
        if not due:
            return 0
        now = self._now()
        async with self._db.transaction(_origin(""), now=now) as tx:
            living = await self._ending.still_living(tx, due)
            count, _ = await self._end(tx, living, now)
        return count

    async def _rebuilt(self, session: Session) -> None:
        with suppress(TokenInvalidError):  # removed meanwhile
            await self._rebuild.session(session.tenant_id, session.user_id, session.session_id)

    async def _has_waited(self, session: Session) -> bool:
        now = self._now()
        if session.absolute_deadline <= now:
            return True
        policy = await self._policies.by_revision(session.tenant_id, session.policy_revision)
        return session.idle_deadline + policy.idle / 20 + _FLUSH <= now

    async def _end(self, tx: Transaction, batch: Sequence[Session], now: datetime) -> tuple[int, list[Session]]:
        """Ends those of a locked batch that Redis ends; returns how many, and those that Redis has forgotten."""
        over: list[Session] = []
        stale: list[Session] = []
        for first in range(0, len(batch), _PARALLEL):
            for session, outcome in await self._expire(batch[first : first + _PARALLEL]):
                if outcome is None:
                    stale.append(session)
                elif outcome.has_ended:
                    over.append(outcome)
                else:
                    await self._ending.prolong(tx, outcome)
        await self._ending.end_each(tx, over)
        for session in over:
            tx.origin = _origin(session.tenant_id)
            tx.record(ended_event(session), time=now)
        return len(over), stale

    async def _expire(self, sessions: Sequence[Session]) -> list[tuple[Session, Session | None]]:
        """Each session with what has become of it; None: Redis has forgotten it."""
        outcomes = await asyncio.gather(*(self._expire_one(session) for session in sessions))
        return list(zip(sessions, outcomes, strict=True))

    async def _expire_one(self, session: Session) -> Session | None:
        policy = await self._policies.by_revision(session.tenant_id, session.policy_revision)
        status, end = await self._live.expire(session, idle=policy.idle, absolute=policy.absolute)
        if status is ExpireStatus.STALE:
            return None
        if end is not None:
            return session.ended(at=session.over_since(end.at) if end.reason in TIMEOUTS else end.at, reason=end.reason)
        # It was used, and the news were lost on their way here.
        found = await self._live.session(session.session_id)
        try:
            record = _core.SessionRecord.from_bytes(found.value)
        except ValueError:
            return None
        return replace(session, idle_deadline=datetime.fromtimestamp(record.idle_deadline, UTC))


def _origin(tenant_id: str) -> Origin:
    return Origin(tenant_id=tenant_id, actor=_SYSTEM, request_id="")
