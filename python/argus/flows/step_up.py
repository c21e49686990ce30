"""Lets the user of a session prove itself anew: the session goes on with a new refresh family.

Whoever holds a refresh token of the session may begin, an old one too: it only says which session is meant. What counts
are the factors of the session's user, all of them proved anew. PostgreSQL learns of the new family first, then Redis,
then tokens are made; a crash in between looks like a lost answer, and a new step-up mends both.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from argus._core import Engine
from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.events import Event
from argus.base.ids import new_id, sha256
from argus.base.origin import Origin
from argus.clients.model import ClientNotFoundError
from argus.clients.service import Clients
from argus.credentials.levels import Method
from argus.flows.actions import Actions
from argus.flows.contexts import Contexts
from argus.flows.create_session import CreatedSession, CreateSession
from argus.flows.floors import Floors
from argus.flows.login import Logins, Step, proved_level
from argus.flows.proofs import Proofs
from argus.flows.rebuild import Rebuild
from argus.flows.refusals import Refusals
from argus.flows.snapshot import Snapshot, read_claims
from argus.flows.standing import Living, Standing
from argus.flows.tries import login_event
from argus.internal.v1.engine_pb2 import TokenClaims
from argus.networks.service import Networks
from argus.sessions.errors import ProofRequiredError, StepUpOvertakenError, TokenInvalidError
from argus.sessions.index_entry import counted_trust
from argus.sessions.live_store import LiveSessions, StepUpStatus
from argus.sessions.login_store import LOGIN_LIFE, Login
from argus.sessions.model import Session, SessionState, binding_of, whole_second
from argus.sessions.records import record_of
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database
from argus.tokens.service import SigningKeys
from argus.trust.service import Trust
from argus.v1.types_pb2 import Confirmation, Proof

_TRIES: Final = 3
_FORGED_ID: Final = "refresh_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepUpRequest:
    """How a step-up begins.

    Attributes:
        refresh_token: Any refresh token of the session.
        caller_id: Client that presents it.
        may_any: The caller may present other clients' tokens.
        asked_acr: Lowest level that is acceptable; 0: as the policy says.
        proof: Of the key that the session is bound to, if it is.
        action: The one action that the user is to prove itself for; empty: for none.
        action_resource: Resource that carries it out; empty: the registered one of the session's client.
    """

    tenant_id: str
    refresh_token: str
    caller_id: str
    may_any: bool
    asked_acr: int = 0
    proof: Proof | None = None
    action: str = ""
    action_resource: str = ""


class StepUp:
    """Logins for a session that there is already."""

    def __init__(
        self,
        db: Database,
        logins: Logins,
        clients: Clients,
        sessions: SessionStore,
        live: LiveSessions,
        rebuild: Rebuild,
        standing: Standing,
        signing_keys: SigningKeys,
        create_session: CreateSession,
        proofs: Proofs,
        engine: Engine,
        snapshot: Snapshot,
        *,
        actions: Actions,
        floors: Floors,
        trust: Trust,
        contexts: Contexts,
        refusals: Refusals,
        networks: Networks,
        now: Now,
    ) -> None:
        self._db = db
        self._logins = logins
        self._clients = clients
        self._sessions = sessions
        self._live = live
        self._rebuild = rebuild
        self._standing = standing
        self._signing_keys = signing_keys
        self._create_session = create_session
        self._proofs = proofs
        self._actions = actions
        self._floors = floors
        self._trust = trust
        self._contexts = contexts
        self._engine = engine
        self._refusals = refusals
        self._networks = networks
        self._snapshot = snapshot
        self._now = now

    async def start(self, request: StepUpRequest, *, origin: Origin) -> Step:
        """Begins a step-up; the session stays as it is.

        Raises:
            InvalidFieldError: No factor reaches an acceptable level.
            TokenInvalidError: The token is not one of this tenant that the caller may present.
            SessionEndedError: Its session is over.
            ProofRequiredError: Its session is bound to a key, and the proof of it is missing or not good.
            TrustTooLowError: The action has a floor of trust that no step-up would reach.
            UnavailableError: A store is away.
        """
        claims = await self._claims(request, origin)
        living = await self._standing.check(claims.tenant_id, claims.sub, claims.session_id)
        session = living.session
        floor = await self._floors.step_up_acr(session, request.action)
        confirmation = await self._proofs.check(request.proof, origin=origin, client_id=session.client_id)
        _check_key(session, confirmation)
        place = self._networks.look_up(origin.ip_address)
        login = Login(
            tenant_id=session.tenant_id,
            login_id=new_id(),
            client_id=session.client_id,
            user_id=session.user_id,
            session_id=session.session_id,
            cause=_cause(claims, session),
            device_class=session.device_type,
            country=place.country or "",
            network_class=place.network_class or "",
            asked_acr=max(request.asked_acr, floor, living.required_acr),
            action_sha256=sha256(request.action).hex() if request.action else "",
            action_resource=await self._action_resource(request, session),
            expire_time=(self._now() + LOGIN_LIFE).timestamp(),
        )
        return await self._logins.begin(login, "step_up.started", origin=origin)

    async def submit(self, login: Login, method: Method, answer: str, *, proof: Proof | None, origin: Origin) -> Step:
        """Takes a factor of the session's user. A refused one leaves login and session as they were.

        Args:
            login: The login.
            method: Kind of the factor.
            answer: The factor, as presented.
            proof: Of the key that the session is bound to; one that is not bound is bound to it from then on.
            origin: On whose behalf.

        Raises:
            ProofRequiredError: The proof is missing or not good; the try does not count.
            SessionEndedError: The session is over; the factor is not looked at.
            LoginNotFoundError: The login's token was spent meanwhile.
            GuessingThrottledError: Too many failures came before.
            FactorRefusedError: It is not the user's.
            StepUpOvertakenError: A later step-up of the session was faster.
            UnavailableError: A store is away. The new family may stand by then; a further step-up is good.
        """
        living = await self._standing.check(login.tenant_id, login.user_id, login.session_id)
        confirmation = await self._proofs.check(proof, origin=origin, client_id=login.client_id)
        _check_key(living.session, confirmation)

        async def step_up(proven: Login) -> CreatedSession:
            return await self._step_up(proven, living, confirmation, origin)

        return await self._logins.submit(login, method, answer, step_up, origin=origin)

    async def _action_resource(self, request: StepUpRequest, session: Session) -> str:
        if not request.action or request.action_resource:
            return request.action_resource
        return (await self._clients.get(session.tenant_id, session.client_id)).resource

    async def _claims(self, request: StepUpRequest, origin: Origin) -> TokenClaims:
        """What the token says, if it stands for its session and the caller may present it."""
        claims, fault = await read_claims(
            lambda confirmed: self._engine.read_refresh_token(
                request.refresh_token, tenant_id=request.tenant_id, snapshot_confirmed=confirmed
            ),
            self._snapshot,
        )
        fault = fault or await self._fault_of_client(claims, request)
        if fault:
            raise self._refused(claims, fault, request, origin)
        return claims

    async def _fault_of_client(self, claims: TokenClaims, request: StepUpRequest) -> str:
        """Why the token is not the caller's to present (as at a refresh); "" if it is."""
        if claims.client_id != request.caller_id and not request.may_any:
            return "client"
        try:
            client = await self._clients.get(claims.tenant_id, claims.client_id)
        except ClientNotFoundError:
            return "client"
        return "client_disabled" if client.disabled else ""

    def _refused(self, claims: TokenClaims, fault: str, request: StepUpRequest, origin: Origin) -> TokenInvalidError:
        """The one answer to every token that is not good here; the fault is in the audit."""
        alarm = "key.compromise_suspected" if fault == _FORGED_ID else ""
        self._refusals.note(origin, caller_id=request.caller_id, fault=fault, claims=claims, alarm=alarm)
        return TokenInvalidError()

    async def _step_up(
        self, login: Login, living: Living, confirmation: Confirmation | None, origin: Origin
    ) -> CreatedSession:
        refresh_id_key = await self._signing_keys.active_refresh_id_key(login.tenant_id)
        now = self._now()
        policy = await self._contexts.in_force(living.session)
        async with self._db.transaction(origin, now=now) as tx:
            await self._standing.hold_user(tx, living)
            device = await self._trust.proved(tx, (living.session.tenant_id, living.session.device_id or ""), now=now)
            before = await self._standing.hold(tx, living)
            _check_key(before, confirmation)
            stepped = _with_new_family(before, refresh_id_key=refresh_id_key, idle=living.idle, now=now)
            level = proved_level(login)
            stepped = replace(stepped, acr=level.acr, amr=level.amr, binding=binding_of(confirmation))
            # The time without proof is over.
            rating = device.session_rating(risk=stepped.risk, proof_time=now, now=now)
            stepped = replace(stepped, trust=rating.score)
            await self._sessions.begin_family(tx, stepped)
            await self._contexts.step_up(tx, stepped, policy, origin)
            tx.record(_stepped_up(login, before, stepped))
        await self._make_current(stepped)
        return CreatedSession(
            session=stepped,
            tokens=await self._create_session.issue(stepped, confirmation=confirmation),
            action_token=await self._actions.issue(login, stepped),
        )

    async def _make_current(self, stepped: Session) -> None:
        """Brings the family that PostgreSQL has to Redis: from then on tokens of older ones are refused."""
        ids = (stepped.tenant_id, stepped.user_id, stepped.session_id)
        for _ in range(_TRIES):
            status, family = await self._live.step_up(stepped, record_of(stepped))
            match status:
                case StepUpStatus.WRITTEN:
                    return
                case StepUpStatus.STALE:
                    await self._rebuild.session(*ids)
                    await self._rebuild.user(stepped.tenant_id, stepped.user_id)
                case StepUpStatus.ENDED:
                    await self._standing.check(*ids)  # says why
                    break
                case StepUpStatus.NOT_NEWER if family == stepped.family:
                    return  # a rebuild was faster
                case StepUpStatus.NOT_NEWER:
                    raise StepUpOvertakenError
        raise UnavailableError("redis")


def _check_key(session: Session, confirmation: Confirmation | None) -> None:
    """Whoever steps a bound session up must hold its very key; the password alone moves it to no other."""
    if session.binding is not None and session.binding != binding_of(confirmation):
        raise ProofRequiredError("key")


def _cause(claims: TokenClaims, session: Session) -> str:
    if claims.key_revoked:
        return "KEY_REVOKED"
    return "FAMILY_OLDER" if claims.family < session.family else "REQUESTED"


def _with_new_family(session: Session, *, refresh_id_key: int, idle: timedelta, now: datetime) -> Session:
    """The session with nothing of its older families, proved now."""
    return replace(
        session,
        state=SessionState.ACTIVE,
        family=session.family + 1,
        refresh_id_key=refresh_id_key,
        generation_bound=1,
        generation_bound_time=now,
        generation_bound_rotated=False,
        auth_time=now,
        last_active_time=now,
        idle_deadline=min(whole_second(now) + idle, session.absolute_deadline),
    )


def _stepped_up(login: Login, before: Session, stepped: Session) -> Event:
    is_contested = before.state is SessionState.CONTESTED
    return login_event(
        login,
        "session.stepped_up",
        reason="CONTESTED" if is_contested else login.cause,
        data={"family": str(stepped.family), "acr": str(stepped.acr), "amr": " ".join(stepped.amr)}
        | {"trust": str(counted_trust(stepped.trust))},
    )
