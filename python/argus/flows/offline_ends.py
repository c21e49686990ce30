"""Ends made while PostgreSQL is away: Redis knows them at once, PostgreSQL as soon as it is back."""

from datetime import UTC, datetime
from typing import Final

import structlog

from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.limits import LONGEST_SESSION
from argus.base.origin import Origin
from argus.flows.delivery import Deliveries, ended_event, post_sessions_ended, post_user_changed
from argus.flows.termination import Termination, Terminations, TerminationState
from argus.sessions.ending_store import EndingStore
from argus.sessions.live_store import LiveSessions
from argus.sessions.model import EndReason, epoch_seconds, whole_second
from argus.sessions.outbox_store import OutboxStore, PendingEnd, PendingEnds
from argus.storage.postgres import Database
from argus.users.model import UserNotFoundError
from argus.users.service import Users

_log = structlog.get_logger(__name__)
_LIFE: Final = int(LONGEST_SESSION.total_seconds())


class OfflineEnds:
    """Keeps ends in Redis, and brings them to PostgreSQL later."""

    def __init__(
        self,
        db: Database,
        ending: EndingStore,
        live: LiveSessions,
        outbox: OutboxStore,
        pending: PendingEnds,
        deliveries: Deliveries,
        users: Users,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._ending = ending
        self._live = live
        self._outbox = outbox
        self._pending = pending
        self._deliveries = deliveries
        self._users = users
        self._now = now

    async def session(
        self, tenant_id: str, user_id: str, session_id: str, *, reason: EndReason, comment: str, origin: Origin
    ) -> Termination:
        """Ends one session in Redis alone.

        Raises:
            UnavailableError: Redis is away too, or does not know whose session it is.
        """
        kept = await self._pending.find(tenant_id, user_id, session_id)
        if kept is None:
            # Only the index says whose session it is, and nobody may end one of another tenant.
            if not await self._live.is_indexed(tenant_id, user_id, session_id):
                raise UnavailableError("postgresql")
            kept = await self._pending.add(self._new(tenant_id, user_id, session_id, reason, comment, origin))
        end = await self._live.end(
            tenant_id, user_id, session_id, at=_instant(kept.at), reason=EndReason[kept.reason], life=_LIFE
        )
        return Termination(
            session=None, end_time=end.at, reason=end.reason, state=TerminationState.PENDING, operation=kept.operation
        )

    async def user(
        self, tenant_id: str, user_id: str, *, reason: EndReason, comment: str, origin: Origin
    ) -> Terminations:
        """Ends all sessions of a user in Redis alone.

        Raises:
            UnavailableError: Redis is away too.
        """
        kept = await self._pending.add(self._new(tenant_id, user_id, "", reason, comment, origin))
        await self._live.raise_user(tenant_id, user_id, not_before=whole_second(self._now()))
        return Terminations(count=0, state=TerminationState.PENDING, operation=kept.operation)

    async def carry_out(self) -> int:
        """Brings what was ended meanwhile to PostgreSQL, and to Redis again; says how much it was.

        Raises:
            UnavailableError: A store is still away.
        """
        kept = await self._pending.all()
        for one in kept:
            try:
                await self._bring(one)
            except UserNotFoundError:
                await self._pending.done(one)  # deleted meanwhile, and its sessions with it
            except UnavailableError:
                raise
            except Exception:  # noqa: BLE001  # whatever is wrong with it
                # One that can't be carried out (a newer release's, say) must not hold the others up for ever.
                _log.exception("end.refused", tenant_id=one.tenant_id, session_id=one.session_id)
        return len(kept)

    async def _bring(self, kept: PendingEnd) -> None:
        now, at, reason = self._now(), _instant(kept.at), EndReason[kept.reason]
        origin = Origin(tenant_id=kept.tenant_id, actor=kept.actor, request_id=kept.request_id)
        async with self._db.transaction(origin, now=now) as tx:
            if kept.session_id:
                ended = await self._ending.end(tx, kept.tenant_id, [kept.session_id], at=at, reason=reason)
                post = post_sessions_ended
            else:
                await self._users.set_not_before(tx, kept.tenant_id, kept.user_id, at)
                ended = await self._ending.end_of_user(
                    tx, kept.tenant_id, kept.user_id, at=at, reason=reason, begun_until=at
                )
                post = post_user_changed
            for session in ended:
                tx.record(ended_event(session, comment=kept.comment))
            delivery = await post(self._outbox, tx, kept.tenant_id, kept.user_id, ended, now=now)
        await self._pending.done(kept)
        await self._deliveries.carry_out(delivery)
        await self._outbox.done(delivery)

    def _new(
        self, tenant_id: str, user_id: str, session_id: str, reason: EndReason, comment: str, origin: Origin
    ) -> PendingEnd:
        return PendingEnd(
            operation=PendingEnds.new_operation(),
            tenant_id=tenant_id,
            user_id=user_id,
            session_id=session_id,
            reason=reason.name,
            at=epoch_seconds(self._now()),
            actor=origin.actor,
            request_id=origin.request_id,
            comment=comment,
        )


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
