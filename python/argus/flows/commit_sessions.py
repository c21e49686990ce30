"""Writes sessions that begin at the same time in one transaction: one commit makes all of them durable.

Each stands for itself. Who can't be admitted (disabled, covered by a `not_before`, a repeated request) is left out with
a reason of its own; who would have to wait for somebody else's change is left out, too, and done alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from argus.base.errors import ArgusError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.devices.model import Device
from argus.devices.sightings import Arrival, Sightings
from argus.flows.contexts import Contexts
from argus.flows.creations import (
    CoveredError,
    Creation,
    Kept,
    device_key,
    session_device_key,
    signed_in,
    use_of,
    with_device,
    with_trust,
)
from argus.flows.delivery import CREATION_PATIENCE, ended_event, session_begun
from argus.sessions.ending_store import EndingStore, UserState
from argus.sessions.index_entry import counted_trust
from argus.sessions.limits import LimitEnd
from argus.sessions.live_store import LiveSessions
from argus.sessions.model import EndReason, Session, whole_second
from argus.sessions.outbox_store import OutboxStore
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction
from argus.storage.requests import claim_all, forget, key_of
from argus.storage.together import Together
from argus.trust.service import Trust
from argus.users.model import UserDisabledError, UserNotFoundError

# One full batch beyond those under way: more would only wait for longer, and keep other calls out.
_MOST_WAITING: Final = 256
_ALONE_PARALLEL: Final = 4


class _HeldUpError(Exception):
    """Somebody is changing what the session needs: its user, or a session that is to make room for it."""


_Outcomes: TypeAlias = dict[str, "Kept | Exception"]


class SessionCommits:
    """Writes sessions, with their devices, audit rows and the ends of those that make room for them."""

    def __init__(
        self,
        db: Database,
        sessions: SessionStore,
        ending: EndingStore,
        live: LiveSessions,
        outbox: OutboxStore,
        sightings: Sightings,
        trust: Trust,
        contexts: Contexts,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._ending = ending
        self._live = live
        self._outbox = outbox
        self._sightings = sightings
        self._trust = trust
        self._contexts = contexts
        self._together: Together[Creation, Kept] = db.together(
            "sessions", self._many, abandoned=self._abandoned, most_waiting=_MOST_WAITING
        )
        self._alone: Together[Creation, Kept] = db.together(
            "sessions_alone",
            self._single,
            abandoned=self._abandoned,
            largest=1,
            parallel=_ALONE_PARALLEL,
            most_waiting=_MOST_WAITING,
        )

    async def keep(self, creation: Creation) -> Kept:
        """Writes a session; with `validate_only` it is only tried. It is durable when this comes back.

        Raises:
            UserNotFoundError: The user was deleted meanwhile.
            UserDisabledError: The user may not sign in.
            RequestAlreadyDoneError: The request was carried out before.
            CoveredError: It would be over as it begins.
            UnavailableError: PostgreSQL is away.
            OverloadedError: Too many wait already.
        """
        if creation.origin.validate_only:
            return await self._alone.do(creation)
        try:
            return await self._together.do(creation)
        except _HeldUpError:
            creation.is_begun = False
            return await self._alone.do(creation)

    async def ended_until(self, tenant_id: str, user_id: str) -> Mapping[str, datetime]:
        """Up to when an end of all sessions has ended a user's, by client; its worker may not have come to them yet.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        return await self._ending.not_befores_of_user(tenant_id, user_id)

    async def discard(self, kept: Kept, origin: Origin) -> None:
        """Removes a session that has lost its place before anybody had tokens of it; its victims are over.

        Raises:
            UnavailableError: PostgreSQL is away; the worker of the outbox removes it.
        """
        session = kept.session
        async with self._db.transaction(origin, now=session.create_time) as tx:
            if await self._sessions.delete_unused(tx, session.tenant_id, session.session_id):
                tx.record(Event(type="session.discarded", user_id=session.user_id, session_id=session.session_id))
        if origin.idempotency_key:
            await forget(self._db, origin, session.name)
        # A rebuild may have read it meanwhile: no limit counts what has a tombstone.
        await self._live.end_all([session.ended(at=session.create_time, reason=EndReason.LIMIT)])
        await self._outbox.done(kept.delivery)

    async def _many(self, creations: Sequence[Creation]) -> Sequence[Kept | Exception]:
        """All of a batch; of several with the same idempotency key all but the first have to see what came of it."""
        first: dict[Any, Creation] = {}
        for one in creations:
            first.setdefault(key_of(one.origin) if one.origin.idempotency_key else one.session.session_id, one)
        outcomes = await self._write(list(first.values()), waits=False)
        return [outcomes.get(one.session.session_id, _HeldUpError()) for one in creations]

    async def _single(self, creations: Sequence[Creation]) -> Sequence[Kept | Exception]:
        outcomes = await self._write(creations, waits=True)
        return [outcomes[one.session.session_id] for one in creations]

    async def _write(self, creations: Sequence[Creation], *, waits: bool) -> _Outcomes:
        """Locks in the order of all (`Transaction`); the claims come last: who is held up before must not have one."""
        for one in creations:
            one.is_begun = True
        outcomes: _Outcomes = {}
        async with self._db.transaction(creations[0].origin, now=creations[0].session.create_time) as tx:
            left: Sequence[Creation] = await self._admit(tx, creations, outcomes, waits=waits)
            left = await self._with_devices(tx, left, outcomes, waits=waits)
            left = await self._with_victims(tx, left, outcomes, waits=waits)
            left = await self._claim(tx, left, outcomes)
            if left:
                outcomes.update(await self._insert(tx, left))
        return outcomes

    async def _admit(
        self, tx: Transaction, creations: Sequence[Creation], outcomes: _Outcomes, *, waits: bool
    ) -> list[Creation]:
        """From here to the commit nobody can disable these users or end all of their sessions."""
        async with tx.pipelined():
            users = await self._ending.hold_users(tx, list({one.user: None for one in creations}), waits=waits)
            covers = await self._ending.all_not_befores(tx, list({one.client: None for one in creations}))
        left = []
        for one in creations:
            error = _refusal(one, users, covers, waits=waits)
            if error is None:
                left.append(one)
            else:
                outcomes[one.session.session_id] = error
        return left

    async def _with_devices(
        self, tx: Transaction, creations: Sequence[Creation], outcomes: _Outcomes, *, waits: bool
    ) -> Sequence[Creation]:
        """Those whose known device nobody is changing, who would have to be waited for."""
        devices = [one.new.device for one in creations if one.new.device is not None]
        held_up = await self._sightings.hold_all(tx, devices, waits=waits)
        return _undisturbed(
            creations, outcomes, lambda one: one.new.device is not None and device_key(one.new.device) in held_up
        )

    async def _with_victims(
        self, tx: Transaction, creations: Sequence[Creation], outcomes: _Outcomes, *, waits: bool
    ) -> Sequence[Creation]:
        """Those for which no session is to make room that somebody is changing, who would have to be waited for."""
        victims = [(one.session.tenant_id, session_id) for one in creations for session_id in one.reservation.victims]
        held_up = await self._ending.hold(tx, victims, waits=waits) if victims else set()
        return _undisturbed(creations, outcomes, lambda one: not held_up.isdisjoint(one.reservation.victims))

    async def _claim(self, tx: Transaction, creations: Sequence[Creation], outcomes: _Outcomes) -> Sequence[Creation]:
        """Those whose request is a new one."""
        claims = [
            (one.origin, one.session.name, one.session.create_time)
            for one in creations
            if one.origin.idempotency_key and not one.origin.validate_only
        ]
        if not claims:
            return creations
        errors: dict[str, ArgusError] = {
            name: error
            for (_, name, _), error in zip(claims, await claim_all(tx, claims), strict=True)
            if error is not None
        }
        for one in creations:
            if one.session.name in errors:
                outcomes[one.session.session_id] = errors[one.session.name]
        return [one for one in creations if one.session.name not in errors]

    async def _insert(self, tx: Transaction, creations: Sequence[Creation]) -> Mapping[str, Kept]:
        made = [self._device(one) for one in creations]
        victims = {one.session.session_id: await self._make_room(tx, one) for one in creations}
        brought = await self._brought(tx, [victim for some in victims.values() for victim in some])
        kept = {
            one.session.session_id: with_device(one, device) for one, (device, _) in zip(creations, made, strict=True)
        }
        logins = [
            (session_device_key(kept[one.session.session_id]), signed_in(one.new, one.session.place))
            for one in creations
        ]
        rated = await self._trust.signed_in_all(tx, logins, now=_time(creations))
        kept = {session_id: with_trust(session, rated) for session_id, session in kept.items()}
        uses = [use_of(one, one.new.device, rated) for one in creations if one.new.device is not None]
        arrivals = [
            Arrival(device=device, origin=one.origin, is_told=one.policy.new_device_notice)
            for one, (device, token) in zip(creations, made, strict=True)
            if token
        ]
        async with tx.pipelined():
            await self._sightings.seen_all(tx, uses)
            await self._sightings.keep_all(tx, arrivals)
            await self._trust.keep_all(tx, list(rated.values()), now=_time(creations))
            await self._sessions.insert_all(tx, list(kept.values()))
            for one in creations:
                await self._contexts.begin(tx, kept[one.session.session_id], one.policy, one.origin)
                _record(tx, one, kept[one.session.session_id], victims[one.session.session_id])
            await tx.flush()
            notices = [
                session_begun(one.session, one.reservation.lineage, victims[one.session.session_id], brought)
                for one in creations
            ]
            deliveries = await self._outbox.post_all(tx, notices, wait=CREATION_PATIENCE)
        return {
            session_id: Kept(
                session=session, device_token=token, delivery=deliveries[session_id], victims=victims[session_id]
            )
            for (session_id, session), (_, token) in zip(kept.items(), made, strict=True)
        }

    async def _make_room(self, tx: Transaction, creation: Creation) -> Sequence[Session]:
        if not creation.reservation.victims:
            return []
        session = creation.session
        victims = {
            victim: LimitEnd(limit=creation.limits.reached(kind), session_id=session.session_id)
            for victim, kind in creation.reservation.victims.items()
        }
        return await self._ending.displace(tx, session.tenant_id, victims, at=session.create_time)

    async def _brought(self, tx: Transaction, victims: Sequence[Session]) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Whom the sessions that make room had displaced, where Redis may not know: it must before anybody is let in.

        A rebuild shows a session that has not come to Redis, and another one may take its place.
        """
        return (
            await self._outbox.brought_by(tx, [(one.tenant_id, one.session_id) for one in victims]) if victims else {}
        )

    def _device(self, creation: Creation) -> tuple[Device, str]:
        """The device, and its token if it is a new one."""
        new, session = creation.new, creation.session
        if new.device is not None:
            return new.device, ""
        return self._sightings.new(
            new.user.tenant_id, new.user.user_id, new.traits, key_sha256=session.binding, place=session.place
        )

    async def _abandoned(self, kept: Sequence[Kept]) -> None:
        """Nobody has tokens of these sessions, and the worker of the outbox removes them; their victims are over."""
        await self._live.end_all([victim for one in kept for victim in one.victims])


def _undisturbed(
    creations: Sequence[Creation], outcomes: _Outcomes, is_held_up: Callable[[Creation], bool]
) -> Sequence[Creation]:
    """Those that are not held up; the others are done alone."""
    for one in creations:
        if is_held_up(one):
            outcomes[one.session.session_id] = _HeldUpError()
    return [one for one in creations if one.session.session_id not in outcomes]


def _time(creations: Sequence[Creation]) -> datetime:
    return creations[0].session.create_time


def _refusal(
    creation: Creation,
    users: Mapping[tuple[str, str], UserState],
    covers: Mapping[tuple[str, str], datetime | None],
    *,
    waits: bool,
) -> Exception | None:
    """Why this session can't begin now; None if nothing is against it."""
    user = users.get(creation.user)
    if user is None:
        return UserNotFoundError(creation.session.user_id) if waits else _HeldUpError()
    if user.is_disabled:
        return UserDisabledError(creation.session.user_id)
    begun = whole_second(creation.session.create_time)
    until = max((one for one in (user.not_before, covers.get(creation.client)) if one is not None), default=None)
    return CoveredError(until) if until is not None and begun <= until else None


def _record(tx: Transaction, creation: Creation, session: Session, victims: Sequence[Session]) -> None:
    origin = creation.origin
    events = [
        Event(
            type="session.created",
            user_id=session.user_id,
            session_id=session.session_id,
            client_id=session.client_id,
            data={
                "acr": str(session.acr),
                "amr": " ".join(session.amr),
                "auth_time": session.auth_time.astimezone(UTC).isoformat(),
                "trust": str(counted_trust(session.trust)),
                **creation.new.decided,
            },
        ),
        *([replace(creation.new.because, session_id=session.session_id)] if creation.new.because else []),
        *(ended_event(victim) for victim in victims),
    ]
    for event in events:
        tx.record(event, time=session.create_time, origin=origin)
