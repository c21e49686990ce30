"""Ends sessions: PostgreSQL first, then Redis, and only when both know is it said to be done.

An end that one store does not know yet is PENDING and goes on by itself (`flows.outbox`).
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.flows.delivery import COVER, Deliveries, NotYetError, ended_event, post_sessions_ended, post_user_changed
from argus.flows.offline_ends import OfflineEnds
from argus.flows.termination import Termination, Terminations, TerminationState
from argus.sessions.ending_store import EndingStore
from argus.sessions.errors import SessionNotFoundError
from argus.sessions.model import EndReason, Session, epoch_seconds, whole_second
from argus.sessions.outbox_store import Delivery, OutboxStore
from argus.sessions.records import RECORD_MARGIN
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction
from argus.tenants.service import Tenants
from argus.users.model import UserNotFoundError
from argus.users.service import Users

Also = Callable[[Transaction], Awaitable[None]]
"""Something that happens in the same transaction as the ends."""

_POSTGRESQL: Final = "postgresql"


class Terminate:
    """Ends one session, or all of a user, client or tenant."""

    def __init__(
        self,
        db: Database,
        sessions: SessionStore,
        ending: EndingStore,
        outbox: OutboxStore,
        deliveries: Deliveries,
        offline: OfflineEnds,
        users: Users,
        clients: Clients,
        tenants: Tenants,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._ending = ending
        self._outbox = outbox
        self._deliveries = deliveries
        self._offline = offline
        self._users = users
        self._clients = clients
        self._tenants = tenants
        self._now = now

    async def session(
        self, tenant_id: str, user_id: str, session_id: str, *, reason: EndReason, comment: str = "", origin: Origin
    ) -> Termination:
        """Ends one session; ending it again returns the first ending.

        Raises:
            SessionNotFoundError: The user has no such session.
            UnavailableError: No store can take it, or PostgreSQL is away and Redis does not know the session.
        """
        now = self._now()
        try:
            session, delivery = await self._end_row(tenant_id, user_id, session_id, now, reason, comment, origin)
        except UnavailableError as error:
            if error.component != _POSTGRESQL or origin.validate_only:
                raise
            return await self._offline.session(
                tenant_id, user_id, session_id, reason=reason, comment=comment, origin=origin
            )
        state, operation = await self._deliver(delivery, origin)
        return Termination(
            session=session,
            end_time=session.end_time or now,
            reason=session.end_reason or reason,
            state=state,
            operation=operation,
        )

    async def user(
        self,
        tenant_id: str,
        user_id: str,
        *,
        reason: EndReason,
        keep: str | None = None,
        client_id: str | None = None,
        device_id: str | None = None,
        comment: str = "",
        origin: Origin,
        also: Also | None = None,
        claim: str = "",
    ) -> Terminations:
        """Ends all sessions of a user, or all but `keep`, or those of one client or device.

        Args:
            tenant_id: Tenant.
            user_id: User.
            reason: Why.
            keep: Session that goes on.
            client_id: Only sessions of this client.
            device_id: Only sessions on this device.
            comment: Note for the audit.
            origin: On whose behalf.
            also: Done in the same transaction (set disabled, delete); with it there is no end without PostgreSQL.
            claim: Resource that a repeat of the request is led to; empty: a repeat is carried out again.

        Raises:
            RequestAlreadyDoneError: The request was carried out before.
            UserNotFoundError: There is no such user.
            UnavailableError: No store can take it.
        """
        now = self._now()
        some = keep is not None or client_id is not None or device_id is not None
        try:
            async with self._db.transaction(origin, now=now) as tx:
                if claim:
                    await tx.claim(claim, now=now)
                if not some:
                    await self._users.set_not_before(tx, tenant_id, user_id, whole_second(now))
                elif await self._ending.hold_user(tx, tenant_id, user_id) is None:
                    raise UserNotFoundError(user_id)
                if also is not None:
                    await also(tx)
                ended = await self._ending.end_of_user(
                    tx,
                    tenant_id,
                    user_id,
                    at=now,
                    reason=reason,
                    keep=keep,
                    client_id=client_id,
                    device_id=device_id,
                )
                for session in ended:
                    tx.record(ended_event(session, comment=comment))
                if not some:
                    tx.record(_wide_event("user.sessions_ended", reason, len(ended), user_id=user_id))
                post = post_sessions_ended if some else post_user_changed
                delivery = await post(self._outbox, tx, tenant_id, user_id, ended, now=now)
        except UnavailableError as error:
            if error.component != _POSTGRESQL or also is not None or some or origin.validate_only:
                raise
            return await self._offline.user(tenant_id, user_id, reason=reason, comment=comment, origin=origin)
        state, operation = await self._deliver(delivery, origin)
        return Terminations(count=len(ended), state=state, operation=operation)

    async def client(
        self,
        tenant_id: str,
        client_id: str,
        *,
        reason: EndReason = EndReason.CLIENT_WIDE,
        comment: str = "",
        origin: Origin,
        also: Also | None = None,
        claim: str = "",
    ) -> Terminations:
        """Ends all sessions and client tokens of a client, by one `not_before`; rows and events follow.

        Raises:
            ClientNotFoundError: There is no such client.
            UnavailableError: PostgreSQL is away.
        """
        return await self._cover(
            tenant_id, client_id, reason=reason, comment=comment, origin=origin, also=also, claim=claim
        )

    async def tenant(
        self,
        tenant_id: str,
        *,
        reason: EndReason = EndReason.TENANT_WIDE,
        comment: str = "",
        origin: Origin,
        also: Also | None = None,
        claim: str = "",
    ) -> Terminations:
        """Ends all sessions and client tokens of a tenant, by one `not_before`; rows and events follow.

        Raises:
            TenantNotFoundError: There is no such tenant.
            UnavailableError: PostgreSQL is away.
        """
        return await self._cover(tenant_id, "", reason=reason, comment=comment, origin=origin, also=also, claim=claim)

    async def reached(self, tenant_id: str, *, user_id: str = "", client_id: str = "") -> TerminationState:
        """How far an earlier end of all sessions of a user, a client or (neither) a tenant has come; helps it along."""
        try:
            if user_id:
                await self._deliveries.user(tenant_id, user_id)
            else:
                await self._deliveries.cover(tenant_id, client_id)
        except UnavailableError:
            return TerminationState.PENDING
        return TerminationState.ENDED

    async def user_changed(self, tenant_id: str, user_id: str, *, origin: Origin, change: Also) -> TerminationState:
        """Changes a user in a way that Redis must learn of and that ends nothing (it is enabled again)."""
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await change(tx)
            delivery = await post_user_changed(self._outbox, tx, tenant_id, user_id, [], now=now)
        state, _ = await self._deliver(delivery, origin)
        return state

    async def _end_row(
        self,
        tenant_id: str,
        user_id: str,
        session_id: str,
        now: datetime,
        reason: EndReason,
        comment: str,
        origin: Origin,
    ) -> tuple[Session, Delivery | None]:
        async with self._db.transaction(origin, now=now) as tx:
            session = await self._sessions.lock(tx, tenant_id, user_id, session_id)
            if session is None:
                raise SessionNotFoundError(session_id)
            if session.has_ended:
                # Perhaps still on its way to Redis, by the hand of another process or of the sign-in that displaced it.
                # Only what Redis says now counts; nothing can be accepted once the record's life is over.
                found = await self._outbox.find_end(tenant_id, user_id, session_id, tx)
                if found is None and now < session.absolute_deadline + RECORD_MARGIN:
                    found = await post_sessions_ended(self._outbox, tx, tenant_id, user_id, [session], now=now)
                return session, found
            # A deadline that has passed came first, whether or not the sweeper has been by.
            over = session.as_of(now).ended(at=now, reason=reason)
            await self._ending.end_each(tx, [over])
            tx.record(ended_event(over, comment=comment))
            delivery = await post_sessions_ended(self._outbox, tx, tenant_id, user_id, [over], now=now)
        return over, delivery

    async def _cover(
        self,
        tenant_id: str,
        client_id: str,
        *,
        reason: EndReason,
        comment: str,
        origin: Origin,
        also: Also | None,
        claim: str,
    ) -> Terminations:
        now = self._now()
        until = whole_second(now)
        async with self._db.transaction(origin, now=now) as tx:
            if claim:
                await tx.claim(claim, now=now)
            if client_id:
                await self._clients.set_not_before(tx, tenant_id, client_id, until)
            else:
                await self._tenants.set_not_before(tx, tenant_id, until)
            if also is not None:
                await also(tx)
            kind = "client.sessions_ended" if client_id else "tenant.sessions_ended"
            tx.record(_wide_event(kind, reason, None, client_id=client_id or None, comment=comment))
            payload: dict[str, Any] = {"client_id": client_id, "until": epoch_seconds(until), "at": now.timestamp()}
            payload |= {"reason": reason.name, "actor": origin.actor, "request_id": origin.request_id}
            # Due at once: who verifies by the list of revocations knows tokens that are issued until Redis knows, too,
            # by the ends of their sessions only.
            delivery = await self._outbox.post(tx, tenant_id, COVER, client_id, payload, now=now, wait=timedelta(0))
        if origin.validate_only:
            return Terminations(count=0, state=TerminationState.ENDED)
        try:
            await self._deliveries.cover(tenant_id, client_id)
        except UnavailableError:
            return Terminations(count=0, state=TerminationState.PENDING, operation=delivery.operation)
        # The row stays: a worker ends the covered rows of PostgreSQL by it.
        return Terminations(count=0, state=TerminationState.ENDED)

    async def _deliver(self, delivery: Delivery | None, origin: Origin) -> tuple[TerminationState, str]:
        """Carries out what was just committed; what can't be is left to the worker."""
        if delivery is None or origin.validate_only:
            return TerminationState.ENDED, ""
        try:
            await self._deliveries.carry_out(delivery)
        except (UnavailableError, NotYetError):
            return TerminationState.PENDING, delivery.operation
        with suppress(UnavailableError):  # both stores know; the worker does it once more
            await self._outbox.done(delivery)
        return TerminationState.ENDED, ""


def _wide_event(
    kind: str,
    reason: EndReason,
    count: int | None,
    *,
    user_id: str | None = None,
    client_id: str | None = None,
    comment: str = "",
) -> Event:
    data = ({} if count is None else {"count": str(count)}) | ({"comment": comment} if comment else {})
    return Event(type=kind, reason=reason.name, user_id=user_id, client_id=client_id, data=data)
