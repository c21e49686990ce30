"""Sessions for users whom a trusted backend has authenticated itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from argus.base.clock import Now
from argus.base.errors import InvalidFieldError, RequestAlreadyDoneError
from argus.base.ids import parse_name
from argus.base.limits import CLOCK_LEEWAY
from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.devices.model import DeviceTraits, Recognized
from argus.devices.service import Devices
from argus.flows.create_session import CreatedSession, CreateSession
from argus.flows.creations import NewSession
from argus.flows.grant import granted_resource, user_scope
from argus.flows.proofs import Proofs
from argus.sessions.errors import AssertedAcrTooHighError, SessionNotFoundError
from argus.sessions.model import binding_of
from argus.sessions.service import Sessions
from argus.storage.postgres import Database
from argus.storage.requests import forget
from argus.tenants.service import Tenants
from argus.users.model import UserDisabledError
from argus.users.service import Users
from argus.v1.types_pb2 import Confirmation, Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """What a backend vouches for.

    Attributes:
        caller_id: The backend.
        client_id: Client that the session is for.
        acr: Level that the user has reached, 1 to 3.
        auth_time: When; None: now.
        proof: Of the key that the session is to be bound to.
        ending: Ids of the user's sessions that make room for it, should the policy ask the user.
    """

    tenant_id: str
    user_id: str
    caller_id: str
    client_id: str
    scopes: Sequence[str] = ()
    resource: str = ""
    acr: int = 1
    amr: Sequence[str] = ()
    auth_time: datetime | None = None
    traits: DeviceTraits = field(default_factory=DeviceTraits)
    ip_address: str | None = None
    device_token: str = ""
    proof: Proof | None = None
    ending: Sequence[str] = ()


class VouchedSessions:
    """Begins sessions on the word of backends, each as far as its client is trusted."""

    def __init__(
        self,
        db: Database,
        tenants: Tenants,
        clients: Clients,
        users: Users,
        devices: Devices,
        sessions: Sessions,
        create_session: CreateSession,
        proofs: Proofs,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._tenants = tenants
        self._clients = clients
        self._users = users
        self._devices = devices
        self._sessions = sessions
        self._create_session = create_session
        self._proofs = proofs
        self._now = now
        self._waves = db.metrics.waves("creations")

    async def create(self, vouched: Vouched, *, origin: Origin) -> CreatedSession:
        """Begins a session. The same request again gets the same session and tokens until the first refresh.

        Raises:
            ClientNotFoundError: There is no such client.
            AssertedAcrTooHighError: The backend may not vouch for that level.
            UserNotFoundError: There is no such user.
            UserDisabledError: The user may not sign in.
            SessionLimitReachedError: The policy allows no further session, or not unless the user chooses some to end.
            RequestAlreadyDoneError: The session was made before and is in use.
            ProofRequiredError: The proof is not good (any more).
            OverloadedError: Too many sessions are beginning.
            UnavailableError: A store is away.
        """
        async with self._waves.place():
            return await self._create(vouched, origin)

    async def _create(self, vouched: Vouched, origin: Origin) -> CreatedSession:
        name = await self._db.find_request(origin, now=self._now())
        if name is not None:
            try:
                return await self._again(name, vouched, origin)
            except SessionNotFoundError:
                # Its creation was cut short, and it was removed since (`flows.delivery`): nobody has tokens of it.
                await forget(self._db, origin, name)
        new = await self._check(vouched, origin)
        try:
            return await self._create_session.create(new, ending=vouched.ending, origin=origin)
        except RequestAlreadyDoneError as done:
            return await self._again(done.name, vouched, origin)

    async def _check(self, vouched: Vouched, origin: Origin) -> NewSession:
        caller = await self._clients.get(vouched.tenant_id, vouched.caller_id)
        client = caller
        if vouched.client_id != vouched.caller_id:
            client = await self._clients.get(vouched.tenant_id, vouched.client_id)
        if vouched.acr > caller.max_asserted_acr:
            raise AssertedAcrTooHighError(caller.max_asserted_acr)
        user = await self._users.get(vouched.tenant_id, vouched.user_id)
        if user.disabled:
            raise UserDisabledError(user.user_id)
        confirmation = await self._confirmation(vouched, origin)
        known = await self._device(vouched, confirmation)
        return NewSession(
            user=user,
            client=client,
            scope=user_scope(client, vouched.scopes),
            resource=granted_resource(client, vouched.resource, issuer=self._tenants.issuer(vouched.tenant_id)),
            acr=vouched.acr,
            amr=vouched.amr,
            auth_time=self._auth_time(vouched.auth_time),
            traits=vouched.traits,
            ip_address=vouched.ip_address,
            device=known.device if known else None,
            identity=known.identity if known else "",
            confirmation=confirmation,
        )

    async def _confirmation(self, vouched: Vouched, origin: Origin) -> Confirmation | None:
        return await self._proofs.check(vouched.proof, origin=origin, client_id=vouched.client_id)

    async def _device(self, vouched: Vouched, confirmation: Confirmation | None) -> Recognized | None:
        token = vouched.device_token
        return await self._devices.known(
            vouched.tenant_id,
            vouched.user_id,
            key_sha256=binding_of(confirmation),
            of_token=await self._devices.recognize(vouched.tenant_id, token) if token else None,
            installation_id=vouched.traits.installation_id,
        )

    def _auth_time(self, given: datetime | None) -> datetime:
        now = self._now()
        if given is None:
            return now
        if given > now + CLOCK_LEEWAY:
            raise InvalidFieldError("auth_time", "must not be in the future")
        if given.timestamp() < 0:
            raise InvalidFieldError("auth_time", "must not be before 1970")
        return min(given, now)

    async def _again(self, name: str, vouched: Vouched, origin: Origin) -> CreatedSession:
        ids = parse_name("session", name)
        if ids is None:
            raise RequestAlreadyDoneError(name)
        session = await self._sessions.get(*ids)
        if session.has_ended:
            raise RequestAlreadyDoneError(name)
        tokens = await self._create_session.repeat(session, await self._confirmation(vouched, origin))
        if tokens is None:
            raise RequestAlreadyDoneError(name)
        return CreatedSession(session=session, tokens=tokens)
