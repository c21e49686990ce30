"""Brings to Redis what PostgreSQL has decided. Everything here may be done twice, and late."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.sessions.cover_store import CoverStore
from argus.sessions.ending_store import EndingStore
from argus.sessions.live_store import LiveSessions
from argus.sessions.model import EndReason, Session
from argus.sessions.outbox_store import Delivery, Notice, OutboxStore
from argus.sessions.records import record_life
from argus.sessions.restore_store import RestoreStore
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction

SESSIONS_ENDED: Final = "sessions.ended"
"""Tombstones for some sessions of one user."""
USER_CHANGED: Final = "user.changed"
"""A user's `not_before` or disabling, and tombstones for those of its sessions that ended with it."""
CONTESTED: Final = "session.contested"
"""A session is contested from now on."""
COVER: Final = "not_before"
"""The `not_before` of a tenant or client, then the ends of the sessions that it covers."""
FORGET: Final = "tenant.forget"
"""Redis forgets the users of a tenant and their living sessions."""
DEVICE_RATED: Final = "device.rated"
"""The sessions on a device are trusted more or less than before."""
SESSION_BEGUN: Final = "session.begun"
"""A session is in PostgreSQL and may not have come to Redis; it displaced some others."""

CREATION_PATIENCE: Final = timedelta(minutes=1)
"""After so long a session whose creation has not been finished never will be."""

_BATCH: Final = 500
_SYSTEM: Final = "system:delivery"


class NotYetError(Exception):
    """Has been done as far as it can be now; the rest waits for its time."""


class Deliveries:
    """Carries out what stands in the outbox."""

    def __init__(
        self,
        db: Database,
        sessions: SessionStore,
        ending: EndingStore,
        live: LiveSessions,
        outbox: OutboxStore,
        restore: RestoreStore,
        *,
        now: Now,
    ) -> None:
        self._restore = restore
        self._db = db
        self._sessions = sessions
        self._ending = ending
        self._live = live
        self._outbox = outbox
        self._now = now

    async def carry_out(self, delivery: Delivery) -> None:
        """Does what `delivery` says.

        Raises:
            UnavailableError: A store is away.
            NotYetError: A part of it has to wait.
        """
        match delivery.kind:
            case "sessions.ended":
                await self._tombstones(delivery.tenant_id, delivery.payload)
            case "session.contested":
                await self._live.contest(delivery.subject, delivery.payload["family"])
            case "user.changed":
                await self._user(delivery.tenant_id, delivery.subject, delivery.payload)
            case "not_before":
                await self.cover(delivery.tenant_id, delivery.payload["client_id"])
                await self._end_covered(delivery.tenant_id, delivery.payload)
            case "tenant.forget":
                await self._restore.forget(delivery.tenant_id)
            case "device.rated":
                await self._rated(delivery.tenant_id, delivery.subject)
            case "session.begun":
                await self._begun(delivery)
            case _:
                # A newer release's: a process of that release carries it out.
                raise NotYetError

    async def user(self, tenant_id: str, user_id: str) -> None:
        """Writes what PostgreSQL says of a user: from then on Redis refuses what that ends."""
        await self._user(tenant_id, user_id, {"user_id": user_id, "sessions": []})

    async def cover(self, tenant_id: str, client_id: str) -> None:
        """Writes the `not_before` that PostgreSQL has of a client, or of a tenant ("")."""
        # As it is now, and held: where Redis has lost a later one, an earlier one must not stand for it.
        async with self._db.holding() as tx:
            until = (await CoverStore.truth(tx, [(tenant_id, client_id)])).get((tenant_id, client_id))
            if until is not None:
                await self._live.set_not_before(tenant_id, client_id, not_before=until)

    async def _may_be_in_use(self, delivery: Delivery) -> bool:
        """Whether a session has come to Redis, or Redis has lost data since and may have known it."""
        tenant_id, user_id, session_id = delivery.tenant_id, delivery.payload["user_id"], delivery.subject
        found = await self._live.session(session_id)
        if found.value or found.lineage.hex() != delivery.payload["lineage"]:
            return True
        # Emptied, Redis has the same lineage: then the user is missing, or was rebuilt with this session in the index.
        user = await self._live.user(tenant_id, user_id)
        return not user.is_current or await self._live.is_indexed(tenant_id, user_id, session_id)

    async def _rated(self, tenant_id: str, device_id: str) -> None:
        # As it is now, not as it was when this was posted. A record that is missing is rebuilt from the same rows.
        for session in await self._sessions.living_on(self._db, tenant_id, device_id):
            await self._live.rate(session, session.family, rated=(session.trust, session.risk))

    async def _tombstones(self, tenant_id: str, payload: Mapping[str, Any]) -> None:
        for one in payload["sessions"]:
            await self._live.end(
                tenant_id,
                payload["user_id"],
                one["id"],
                at=_instant(one["at"]),
                reason=EndReason[one["reason"]],
                life=one["life"],
            )

    async def _user(self, tenant_id: str, user_id: str, payload: Mapping[str, Any]) -> None:
        # As it is now, not as it was when this was posted; held, so that the newest state is written last.
        async with self._db.transaction() as tx:
            user = await self._ending.hold_user(tx, tenant_id, user_id)
            if user is not None:
                await self._live.set_user(tenant_id, user_id, is_disabled=user.is_disabled, not_before=user.not_before)
        await self._tombstones(tenant_id, payload)

    async def _end_covered(self, tenant_id: str, payload: Mapping[str, Any]) -> None:
        """Ends the rows that a `not_before` covers, batch by batch, and once more after the last creation under way."""
        until, reason = _instant(payload["until"]), EndReason[payload["reason"]]
        origin = Origin(tenant_id=tenant_id, actor=payload["actor"], request_id=payload["request_id"])
        while True:
            now = self._now()
            async with self._db.transaction(origin, now=now) as tx:
                ended = await self._ending.end_covered(
                    tx,
                    tenant_id,
                    payload["client_id"] or None,
                    until=until,
                    at=_instant(payload["at"]),
                    reason=reason,
                    size=_BATCH,
                )
                for session in ended:
                    tx.record(ended_event(session))
                # They are over by the `not_before` already; this takes them out of the indexes that limits go by.
                await self._live.end_all(ended)
            if len(ended) < _BATCH:
                break
        if self._now() < until + CREATION_PATIENCE:
            raise NotYetError

    async def _begun(self, delivery: Delivery) -> None:
        """Finishes or removes a session whose creator did not get as far as removing this row."""
        payload = delivery.payload
        await self._tombstones(delivery.tenant_id, payload)
        if await self._may_be_in_use(delivery):
            return
        origin = Origin(tenant_id=delivery.tenant_id, actor=_SYSTEM, request_id="")
        async with self._db.transaction(origin, now=self._now()) as tx:
            if await self._sessions.delete_unused(tx, delivery.tenant_id, delivery.subject):
                tx.record(Event(type="session.discarded", user_id=payload["user_id"], session_id=delivery.subject))
        await self._live.release(delivery.tenant_id, payload["user_id"], delivery.subject)


def ended_event(session: Session, *, comment: str = "") -> Event:
    """The audit event of a session's end."""
    return Event(
        type="session.ended",
        reason=session.end_reason.name if session.end_reason else None,
        user_id=session.user_id,
        session_id=session.session_id,
        client_id=session.client_id,
        data=({"comment": comment} if comment else {}) | (session.end_detail.facts if session.end_detail else {}),
        told={"name": session.display_name},
    )


async def post_sessions_ended(
    outbox: OutboxStore, tx: Transaction, tenant_id: str, user_id: str, ended: Sequence[Session], *, now: datetime
) -> Delivery:
    """Announces that some sessions of a user have ended in `tx`; brings along what is still on its way."""
    payload = tombstones(user_id, ended, now=now)
    payload["sessions"] += await outbox.undelivered(tx, tenant_id, user_id)
    return await outbox.post(tx, tenant_id, SESSIONS_ENDED, user_id, payload, now=now)


async def post_contested(
    outbox: OutboxStore, tx: Transaction, tenant_id: str, session_id: str, family: int, *, now: datetime
) -> Delivery:
    """Announces that a family of refresh tokens has been contested in `tx`."""
    return await outbox.post(tx, tenant_id, CONTESTED, session_id, {"family": family}, now=now)


async def post_device_rated(
    outbox: OutboxStore, tx: Transaction, tenant_id: str, device_id: str, *, now: datetime
) -> Delivery:
    """Announces that the sessions on a device were rated in `tx`."""
    return await outbox.post(tx, tenant_id, DEVICE_RATED, device_id, {}, now=now)


async def post_user_changed(
    outbox: OutboxStore, tx: Transaction, tenant_id: str, user_id: str, ended: Sequence[Session], *, now: datetime
) -> Delivery:
    """Announces that a user's `not_before` or disabling has changed in `tx`, and which sessions ended with it."""
    return await outbox.post(tx, tenant_id, USER_CHANGED, user_id, tombstones(user_id, ended, now=now), now=now)


def tombstones(user_id: str, ended: Sequence[Session], *, now: datetime) -> dict[str, Any]:
    """What carrying out needs to know about ended sessions of a user."""
    ends = [
        {
            "id": one.session_id,
            "at": one.end_time.timestamp(),
            "reason": one.end_reason.name,
            "life": record_life(one, now=now),
        }
        for one in ended
        if one.end_time and one.end_reason
    ]
    return {"user_id": user_id, "sessions": ends}


def session_begun(
    session: Session, lineage: bytes, victims: Sequence[Session], brought: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Notice:
    """That a session is in PostgreSQL and may not have come to Redis.

    Args:
        session: The session.
        lineage: Of the node that has its place.
        victims: Those that made room for it.
        brought: What each of those still had to bring to Redis.
    """
    payload = tombstones(session.user_id, victims, now=session.create_time) | {"lineage": lineage.hex()}
    payload["sessions"] += [one for victim in victims for one in brought.get(victim.session_id, ())]
    return Notice(
        tenant_id=session.tenant_id,
        kind=SESSION_BEGUN,
        subject=session.session_id,
        payload=payload,
        time=session.create_time,
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
