"""Begins a session: a place under the limit, then PostgreSQL, then Redis, then the tokens.

A crash in between leaves a row that nobody has tokens of; `flows.outbox` removes it.
"""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from argus._core import Engine
from argus.base.clock import Now
from argus.base.device_classes import device_class
from argus.base.errors import OverloadedError, UnavailableError
from argus.base.origin import Origin
from argus.base.place import Place
from argus.base.policy import Policy
from argus.flows.commit_sessions import SessionCommits
from argus.flows.creations import CoveredError, Creation, NewSession
from argus.flows.deciding import Deciding
from argus.flows.device_states import DeviceStates
from argus.flows.floors import Floors
from argus.flows.rebuild import Rebuild
from argus.flows.snapshot import Snapshot, issue
from argus.internal.v1.engine_pb2 import IssueRequest
from argus.networks.service import Networks
from argus.policies.model import EffectivePolicy
from argus.sessions.errors import EndingChoiceNeededError, SessionLimitReachedError
from argus.sessions.limits import Limits, ReachedLimit
from argus.sessions.live_store import LiveSessions, WriteStatus
from argus.sessions.model import Session, binding_of, deadlines, epoch_seconds
from argus.sessions.outbox_store import Delivery, OutboxStore
from argus.sessions.records import record_of
from argus.sessions.reservations import Reservation, ReserveStatus
from argus.tokens.service import SigningKeys
from argus.users.model import UserDisabledError
from argus.v1.types_pb2 import Confirmation, TokenSet

_TRIES: Final = 3
_LONGEST_WAIT: Final = timedelta(seconds=2)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedSession:
    """A session that has begun, or that has begun a new family.

    Attributes:
        tokens: Its tokens; None if everything was only checked.
        device_token: Token of its device, if that is a new one.
        action_token: Stands for the one action that a step-up was for.
    """

    session: Session
    tokens: TokenSet | None
    device_token: str = ""
    action_token: str = ""


class _PlaceLostError(Exception):
    """Redis has forgotten the reservation of a session before the session came to it."""


class CreateSession:
    """Begins sessions, by sign-in or on the word of a trusted backend."""

    def __init__(
        self,
        commits: SessionCommits,
        live: LiveSessions,
        outbox: OutboxStore,
        rebuild: Rebuild,
        deciding: Deciding,
        signing_keys: SigningKeys,
        engine: Engine,
        snapshot: Snapshot,
        networks: Networks,
        states: DeviceStates,
        floors: Floors,
        *,
        now: Now,
    ) -> None:
        self._commits = commits
        self._live = live
        self._outbox = outbox
        self._rebuild = rebuild
        self._deciding = deciding
        self._signing_keys = signing_keys
        self._engine = engine
        self._snapshot = snapshot
        self._networks = networks
        self._states = states
        self._floors = floors
        self._now = now

    async def create(self, new: NewSession, *, ending: Collection[str] = (), origin: Origin) -> CreatedSession:
        """Begins a session.

        Args:
            new: What it is to be.
            ending: Ids of those that its user has chosen to end, should it be asked to choose.
            origin: On whose behalf.

        Raises:
            LevelTooLowError: The policy requires more than was proved, or than a backend vouches for.
            PlaceDeniedError: The policy lets nobody sign in from there.
            TrustTooLowError: It would be trusted less than a floor that denies.
            TrustStepUpError: It would be trusted less than a floor, and one factor alone was proved.
            SessionLimitReachedError: The policy allows no further one.
            EndingChoiceNeededError: Not unless the user ends some; those it has chosen are not enough.
            UserNotFoundError: The user was deleted meanwhile.
            UserDisabledError: The user may not sign in.
            RequestAlreadyDoneError: The request was carried out before.
            OverloadedError: Too many sessions are beginning.
            UnavailableError: A store is away.
        """
        user = new.user
        place = self._networks.look_up(new.ip_address)
        policy, new = await self._deciding.decide(new, place, origin=origin)
        new = replace(new, state=await self._states.of(new.device, new.traits, policy.policy))
        await self._floors.check_begin(new, policy.policy, place)
        refresh_id_key = await self._signing_keys.active_refresh_id_key(user.tenant_id)
        # Should PostgreSQL go away before the first use of the session, Redis has all that it takes.
        await self._rebuild.not_before(user.tenant_id, new.client.client_id)
        limits = limits_of(policy.policy, new.traits.type)
        for _ in range(_TRIES):
            session_id = self._live.new_session_id(user.tenant_id, user.user_id)
            session = _session(new, policy, session_id, refresh_id_key, place, self._now())
            try:
                reservation = await self._reserve(session, limits, ending)
                # Sessions begin in the order of their reservations: whoever looks back finds no limit passed.
                session = _session(new, policy, session_id, refresh_id_key, place, reservation.time)
                creation = Creation(
                    new=new,
                    session=session,
                    limits=limits,
                    reservation=reservation,
                    origin=origin,
                    policy=policy.policy,
                )
                return await self._begin(creation)
            except SessionLimitReachedError as refused:
                await self._deciding.note_limit(new, refused.limit, origin=origin)
                raise
            except CoveredError as covered:
                await self._wait_until(covered.until, session.create_time)
            except _PlaceLostError:
                continue
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
        return await issue(self._engine.issue, request, self._snapshot)

    async def repeat(self, session: Session, confirmation: Confirmation | None) -> TokenSet | None:
        """The first tokens of a session once more, as long as none of them was refreshed."""
        await self._rebuild.session(session.tenant_id, session.user_id, session.session_id)
        if not await self._live.is_untouched(session):
            return None
        return await self.issue(session, confirmation=confirmation)

    async def _begin(self, creation: Creation) -> CreatedSession:
        session, origin = creation.session, creation.origin
        try:
            kept = await self._commits.keep(creation)
        except BaseException as error:
            # Given up too late, the session may stand, and its place is its own until the worker has removed it.
            if isinstance(error, Exception) or not creation.is_begun:
                await self._give_back(session)
            raise
        if origin.validate_only:
            await self._give_back(session)
            return CreatedSession(session=kept.session, tokens=None)
        if not await self._confirm(kept.session, kept.delivery):
            with suppress(UnavailableError, OverloadedError):  # the worker removes it
                await self._commits.discard(kept, origin)
            raise _PlaceLostError
        tokens = await self.issue(kept.session, confirmation=creation.new.confirmation)
        with suppress(UnavailableError, OverloadedError):  # the worker sees that it is done
            await self._outbox.done(kept.delivery)
        return CreatedSession(session=kept.session, tokens=tokens, device_token=kept.device_token)

    async def _reserve(self, session: Session, limits: Limits, ending: Collection[str]) -> Reservation:
        """A place, if need be by ending others. First those are left out that have ended with their whole client."""
        place = await self._place(session, limits, ending)
        if not place.victims and place.reached is None:
            return place
        try:
            covers = await self._commits.ended_until(session.tenant_id, session.user_id)
        except BaseException:
            await self._give_back(session)
            raise
        if covers:
            place = await self._place(session, limits, ending, covers)
        match place.status, place.reached:
            case ReserveStatus.LIMIT_REACHED, ReachedLimit() as reached:
                raise SessionLimitReachedError(reached)
            case ReserveStatus.CHOICE_NEEDED, ReachedLimit() as reached:
                raise EndingChoiceNeededError(reached, surplus=place.surplus, choices=place.choices)
        return place

    async def _place(
        self, session: Session, limits: Limits, ending: Collection[str], covers: Mapping[str, datetime] | None = None
    ) -> Reservation:
        """What Redis says: a place, or which limit is in the way of one."""
        for _ in range(_TRIES):
            place = await self._live.reserve(session, limits, covers=covers, ending=ending)
            match place.status:
                case ReserveStatus.USER_STALE:
                    await self._rebuild.user(session.tenant_id, session.user_id)
                case ReserveStatus.USER_DISABLED:
                    raise UserDisabledError(session.user_id)
                case _:
                    return place
        raise UnavailableError("redis")

    async def _confirm(self, session: Session, delivery: Delivery) -> bool:
        """Writes the record that PostgreSQL's row stands for, and tombstones for those that made room.

        False: Redis has lost the reservation, and may have let others in since.
        """
        victims = [(one["id"], one["at"]) for one in delivery.payload["sessions"]]
        for _ in range(_TRIES):
            status = await self._live.create(session, record_of(session), victims)
            if status is not WriteStatus.STALE:
                return status is not WriteStatus.PLACE_LOST
            await self._rebuild.user(session.tenant_id, session.user_id)
        raise UnavailableError("redis")

    async def _give_back(self, session: Session) -> None:
        with suppress(UnavailableError):  # the place is free again in half a minute
            await self._live.release(session.tenant_id, session.user_id, session.session_id)

    async def _wait_until(self, until: datetime, begun: datetime) -> None:
        """Ends count whole seconds: a session begins in the one after."""
        wait = until + _SECOND - begun
        if wait > _LONGEST_WAIT:
            raise UnavailableError("sessions", retry_after=wait)
        await asyncio.sleep(max(wait.total_seconds(), 0))


def limits_of(policy: Policy, device_type: str) -> Limits:
    """What a policy says of a session on a device of that type."""
    kind = device_class(device_type)
    return Limits(
        on_limit=policy.on_limit,
        user=policy.session_limit,
        client=policy.client_session_limit,
        device_class=kind,
        of_class=dict(policy.device_class_limits).get(kind, 0),
    )


def _session(
    new: NewSession, policy: EffectivePolicy, session_id: str, refresh_id_key: int, place: Place, now: datetime
) -> Session:
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
        device_os_version=new.traits.os_version,
        device_browser_version=new.traits.browser_version,
        device_app=new.traits.app,
        country=place.country,
        city=place.city,
        radius_km=place.radius_km,
        asn=place.asn,
        asn_name=place.asn_name,
        network_class=place.network_class,
        seen_ip_address=new.ip_address,
    )
