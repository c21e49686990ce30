"""Begins a session: a place under the limit, then PostgreSQL, then Redis, then the tokens.

A crash in between leaves a row that nobody has tokens of; `flows.outbox` removes it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from argus._core import Engine
from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.clients.model import Client
from argus.devices.model import Device, DeviceTraits
from argus.devices.service import Devices
from argus.flows.delivery import CREATION_PATIENCE, SESSION_BEGUN, ended_event, tombstones
from argus.flows.hot import Snapshot
from argus.flows.rebuild import Rebuild
from argus.internal.v1.engine_pb2 import IssueRequest
from argus.policies.model import EffectivePolicy
from argus.policies.service import Policies
from argus.sessions.ending_store import EndingStore
from argus.sessions.live_store import LiveSessions, Reservation, ReserveStatus, WriteStatus, record_of
from argus.sessions.model import (
    EndReason,
    Session,
    SessionLimitReachedError,
    binding_of,
    deadlines,
    epoch_seconds,
    whole_second,
)
from argus.sessions.outbox_store import Delivery, OutboxStore
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction
from argus.tokens.service import SigningKeys
from argus.users.model import User, UserDisabledError, UserNotFoundError
from argus.v1.types_pb2 import Confirmation, TokenSet

_TRIES: Final = 3
_LONGEST_WAIT: Final = timedelta(seconds=2)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a session is to be.

    Attributes:
        acr: Level that its user has reached, 1 to 3.
        amr: Methods by which (RFC 8176).
        device: Known device that it runs on; None: it is a new one.
        because: Event of what led to it, written with it.
        confirmation: Key that it is bound to, of which its tokens need a proof.
    """

    user: User
    client: Client
    scope: str
    resource: str
    acr: int
    amr: Sequence[str]
    auth_time: datetime
    traits: DeviceTraits = field(default_factory=DeviceTraits)
    ip_address: str | None = None
    device: Device | None = None
    because: Event | None = None
    confirmation: Confirmation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedSession:
    """A session that has begun, or that has begun a new family.

    Attributes:
        tokens: Its tokens; None if everything was only checked.
        device_token: Token of its device, if that is a new one.
    """

    session: Session
    tokens: TokenSet | None
    device_token: str = ""


class _CoveredError(Exception):
    """A `not_before` of this very second would end the session as it begins."""

    def __init__(self, until: datetime) -> None:
        super().__init__()
        self.until = until


class CreateSession:
    """Begins sessions, by sign-in or on the word of a trusted backend."""

    def __init__(
        self,
        db: Database,
        sessions: SessionStore,
        ending: EndingStore,
        live: LiveSessions,
        outbox: OutboxStore,
        rebuild: Rebuild,
        devices: Devices,
        policies: Policies,
        signing_keys: SigningKeys,
        engine: Engine,
        snapshot: Snapshot,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._ending = ending
        self._live = live
        self._outbox = outbox
        self._rebuild = rebuild
        self._devices = devices
        self._policies = policies
        self._signing_keys = signing_keys
        self._engine = engine
        self._snapshot = snapshot
        self._now = now

    async def create(self, new: NewSession, *, origin: Origin) -> CreatedSession:
        """Begins a session.

        Raises:
            SessionLimitReachedError: The policy allows no further one.
            UserNotFoundError: The user was deleted meanwhile.
            UserDisabledError: The user may not sign in.
            RequestAlreadyDoneError: The request was carried out before.
            UnavailableError: A store is away.
        """
        user = new.user
        policy = await self._policies.effective(user.tenant_id, new.client.client_id, user.user_id, groups=user.groups)
        refresh_id_key = await self._signing_keys.active_refresh_id_key(user.tenant_id)
        # Should PostgreSQL go away before the first use of the session, Redis has all that it takes.
        await self._rebuild.not_before(user.tenant_id, new.client.client_id)
        for _ in range(_TRIES):
            session_id = self._live.new_session_id(user.tenant_id, user.user_id)
            session = _session(new, policy, session_id, refresh_id_key, self._now())
            try:
                return await self._begin(new, session, policy, origin)
            except _CoveredError as covered:
                await self._wait_until(covered.until)
        raise UnavailableError("sessions")

    async def issue(
        self, session: Session, *, generation: int = 1, confirmation: Confirmation | None = None
    ) -> TokenSet:
        """Tokens of a session's family.

        Args:
            session: The session.
            generation: Of the refresh token; the same one is always the same token.
            confirmation: The very key that the session is bound to, if it is.

        Raises:
            ValueError: The session is bound to another key, or to none.
        """
        if binding_of(confirmation) != session.binding:
            raise ValueError(f"session {session.session_id} is not bound to this key")
        request = IssueRequest(
            tenant_id=session.tenant_id,
            user_id=session.user_id,
            client_id=session.client_id,
            session_id=session.session_id,
            family=session.family,
            generation=generation,
            made=epoch_seconds(session.generation_bound_time),
            acr=session.acr,
            amr=session.amr,
            auth_time=epoch_seconds(session.auth_time),
            scope=session.scope,
            resources=session.resources,
            absolute_deadline=epoch_seconds(session.absolute_deadline),
            refresh_id_key=session.refresh_id_key,
            policy_revision=session.policy_revision,
            now=epoch_seconds(self._now()),
            cnf=confirmation,
        ).SerializeToString()
        try:
            return TokenSet.FromString(await asyncio.to_thread(self._engine.issue, request))
        except KeyError:
            # A policy, client or key that is newer than the engine's picture.
            await self._snapshot.refresh()
            return TokenSet.FromString(await asyncio.to_thread(self._engine.issue, request))

    async def repeat(self, session: Session, confirmation: Confirmation | None) -> TokenSet | None:
        """The first tokens of a session once more, as long as none of them was refreshed."""
        await self._rebuild.session(session.tenant_id, session.user_id, session.session_id)
        if not await self._live.is_untouched(session):
            return None
        return await self.issue(session, confirmation=confirmation)

    async def _begin(
        self, new: NewSession, session: Session, policy: EffectivePolicy, origin: Origin
    ) -> CreatedSession:
        reservation = await self._reserve(session, policy)
        try:
            kept, device_token, delivery = await self._keep(new, session, reservation, origin)
        except BaseException:
            await self._give_back(session)
            raise
        if origin.validate_only:
            await self._give_back(session)
            return CreatedSession(session=kept, tokens=None)
        await self._confirm(kept, delivery)
        tokens = await self.issue(kept, confirmation=new.confirmation)
        with suppress(UnavailableError):  # the worker sees that it is done
            await self._outbox.done(delivery)
        return CreatedSession(session=kept, tokens=tokens, device_token=device_token)

    async def _reserve(self, session: Session, policy: EffectivePolicy) -> Reservation:
        limit, on_limit = policy.policy.session_limit, policy.policy.on_limit
        for _ in range(_TRIES):
            place = await self._live.reserve(
                session.tenant_id, session.user_id, session.session_id, limit=limit, on_limit=on_limit
            )
            match place.status:
                case ReserveStatus.RESERVED:
                    return place
                case ReserveStatus.USER_STALE:
                    await self._rebuild.user(session.tenant_id, session.user_id)
                case ReserveStatus.LIMIT_REACHED:
                    raise SessionLimitReachedError(limit)
                case ReserveStatus.USER_DISABLED:
                    raise UserDisabledError(session.user_id)
        raise UnavailableError("redis")

    async def _keep(
        self, new: NewSession, session: Session, reservation: Reservation, origin: Origin
    ) -> tuple[Session, str, Delivery]:
        """Writes the session, its device and the ends of those that make room for it, in one transaction."""
        now = session.create_time
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(session.name)
            await self._check_user(tx, session)
            device, device_token = await self._device(tx, new)
            kept = replace(
                session,
                device_id=device.device_id,
                display_name=device.display_name or new.traits.display_name,
                category=device.category,
            )
            await self._sessions.insert(tx, kept)
            tx.record(
                Event(
                    type="session.created",
                    user_id=kept.user_id,
                    session_id=kept.session_id,
                    client_id=kept.client_id,
                    data={"acr": str(kept.acr), "amr": " ".join(kept.amr)},
                )
            )
            if new.because is not None:
                tx.record(replace(new.because, session_id=kept.session_id))
            victims = await self._ending.end(tx, kept.tenant_id, reservation.victims, at=now, reason=EndReason.LIMIT)
            for victim in victims:
                tx.record(ended_event(victim))
            delivery = await self._announce(tx, kept, victims, reservation)
        return kept, device_token, delivery

    async def _check_user(self, tx: Transaction, session: Session) -> None:
        """From here to the commit nobody can disable the user or end all of its sessions."""
        user = await self._ending.hold_user(tx, session.tenant_id, session.user_id)
        if user is None:
            raise UserNotFoundError(session.user_id)
        if user.is_disabled:
            raise UserDisabledError(session.user_id)
        covers = [user.not_before, *await self._ending.not_befores(session.tenant_id, session.client_id, tx)]
        until = max((one for one in covers if one is not None), default=None)
        if until is not None and whole_second(session.create_time) <= until:
            raise _CoveredError(until)

    async def _device(self, tx: Transaction, new: NewSession) -> tuple[Device, str]:
        if new.device is not None:
            await self._devices.seen(tx, new.device, new.traits)
            return new.device, ""
        device, token = self._devices.new(new.user.tenant_id, new.user.user_id, new.traits)
        await self._devices.keep(tx, device)
        return device, token

    async def _announce(
        self, tx: Transaction, session: Session, victims: Sequence[Session], reservation: Reservation
    ) -> Delivery:
        now = session.create_time
        payload: dict[str, Any] = tombstones(session.user_id, victims, now=now)
        payload["lineage"] = reservation.lineage.hex()
        return await self._outbox.post(
            tx, session.tenant_id, SESSION_BEGUN, session.session_id, payload, now=now, wait=CREATION_PATIENCE
        )

    async def _confirm(self, session: Session, delivery: Delivery) -> None:
        """Writes the record that PostgreSQL's row stands for, and tombstones for those that made room."""
        victims = [(one["id"], one["at"]) for one in delivery.payload["sessions"]]
        for _ in range(_TRIES):
            if await self._live.create(session, record_of(session), victims) is not WriteStatus.STALE:
                return
            await self._rebuild.user(session.tenant_id, session.user_id)
        raise UnavailableError("redis")

    async def _give_back(self, session: Session) -> None:
        with suppress(UnavailableError):  # the place is free again in half a minute
            await self._live.release(session.tenant_id, session.user_id, session.session_id)

    async def _wait_until(self, until: datetime) -> None:
        """Ends count whole seconds: a session begins in the one after."""
        wait = until + _SECOND - self._now()
        if wait > _LONGEST_WAIT:
            raise UnavailableError("sessions", retry_after=wait)
        await asyncio.sleep(max(wait.total_seconds(), 0))


def _session(new: NewSession, policy: EffectivePolicy, session_id: str, refresh_id_key: int, now: datetime) -> Session:
    idle_deadline, absolute_deadline = deadlines(created=now, idle=policy.policy.idle, absolute=policy.policy.absolute)
    return Session(
        tenant_id=new.user.tenant_id,
        session_id=session_id,
        user_id=new.user.user_id,
        client_id=new.client.client_id,
        create_time=now,
        last_active_time=now,
        idle_deadline=idle_deadline,
        absolute_deadline=absolute_deadline,
        policy_revision=policy.revision,
        refresh_id_key=refresh_id_key,
        generation_bound_time=now,
        binding=binding_of(new.confirmation),
        acr=new.acr,
        amr=tuple(new.amr),
        auth_time=new.auth_time,
        scope=new.scope,
        resources=(new.resource,) if new.resource else (),
        device_type=new.traits.type,
        device_os=new.traits.os,
        device_browser=new.traits.browser,
        ip_address=new.ip_address,
        user_agent=new.traits.user_agent,
    )
