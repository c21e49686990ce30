"""Signs a user in, by as many factors as it takes.

Whether the user exists shows in nothing that the caller gets: not in the answer, the work, the number of reads and
writes, or the throttling. What really was the matter is in the audit alone.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.credentials.levels import Method, shows_hardware
from argus.devices.model import Device, DeviceTraits, Recognized
from argus.devices.service import Devices
from argus.devices.traits import traits_of
from argus.flows.create_session import CreatedSession, CreateSession
from argus.flows.creations import NewSession
from argus.flows.factors import FactorRefusedError
from argus.flows.grant import granted_resource, user_scope, user_scopes
from argus.flows.login import Logins, Step, proved_factors, proved_level
from argus.flows.policy_facts import is_trusted
from argus.flows.proofs import Proofs
from argus.flows.tries import login_event
from argus.networks.service import Networks
from argus.policies.service import Policies
from argus.sessions.login_store import LOGIN_LIFE, Login
from argus.sessions.model import binding_of
from argus.storage.postgres import Database
from argus.tenants.service import Tenants
from argus.users.model import MAX_IDENTIFIER, UserDisabledError, UserNotFoundError, canonical_identifier
from argus.users.service import Users
from argus.v1.types_pb2 import Confirmation, Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """How a login begins; `client_id` has been resolved, the rest is as the caller sent it.

    Attributes:
        asked_acr: Lowest level that is acceptable; 0: as the policy says.
    """

    tenant_id: str
    client_id: str
    identifier: str
    scopes: Sequence[str] = ()
    resource: str = ""
    asked_acr: int = 0
    device_token: str = ""


class SignIn:
    """Logins that begin a session."""

    def __init__(
        self,
        db: Database,
        logins: Logins,
        tenants: Tenants,
        clients: Clients,
        users: Users,
        devices: Devices,
        create_session: CreateSession,
        proofs: Proofs,
        networks: Networks,
        policies: Policies,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._logins = logins
        self._tenants = tenants
        self._clients = clients
        self._users = users
        self._devices = devices
        self._create_session = create_session
        self._proofs = proofs
        self._networks = networks
        self._policies = policies
        self._now = now

    async def start(self, request: LoginRequest, *, origin: Origin) -> Step:
        """Begins a login.

        Raises:
            ClientNotFoundError: There is no such client.
            InvalidFieldError: The client has no such scope, or no factor reaches an acceptable level.
            UnavailableError: A store is away.
        """
        client = await self._clients.get(request.tenant_id, request.client_id)
        identifier = canonical_identifier(request.identifier)
        if len(identifier) > MAX_IDENTIFIER:
            raise InvalidFieldError("identifier", f"must have at most {MAX_IDENTIFIER} characters")
        place = self._networks.look_up(origin.ip_address)
        device = await self._known_device(request.tenant_id, identifier, request.device_token)
        login = Login(
            tenant_id=request.tenant_id,
            login_id=new_id(),
            client_id=client.client_id,
            identifier=identifier,
            scope=user_scope(client, request.scopes or user_scopes(client)),
            resource=granted_resource(client, request.resource, issuer=self._tenants.issuer(request.tenant_id)),
            device_id=device.device_id if device else None,
            device_trusted=await self._is_trusted(device),
            device_class=traits_of(origin.user_agent).type,
            country=place.country or "",
            network_class=place.network_class or "",
            asked_acr=request.asked_acr,
            expire_time=(self._now() + LOGIN_LIFE).timestamp(),
        )
        return await self._logins.begin(login, "login.started", origin=origin)

    async def submit(
        self,
        login: Login,
        method: Method,
        answer: str,
        *,
        traits: DeviceTraits,
        proof: Proof | None,
        origin: Origin,
    ) -> Step:
        """Takes a factor. A refused one leaves the login as it was.

        Args:
            login: The login.
            method: Kind of the factor.
            answer: The factor, as presented.
            traits: What is known about the device.
            proof: Of the key that the session is to be bound to.
            origin: On whose behalf.

        Raises:
            ProofRequiredError: The proof is not good; the try does not count.
            LoginNotFoundError: The login's token was spent meanwhile.
            GuessingThrottledError: Too many failures came before.
            FactorRefusedError: Identifier and factor do not fit.
            SessionLimitReachedError: The policy allows the user no further session.
            UnavailableError: A store is away; the try does not count.
        """
        confirmation = await self._proofs.check(proof, origin=origin, client_id=login.client_id)

        async def create(proven: Login) -> CreatedSession:
            return await self._create(proven, traits, confirmation, origin)

        return await self._logins.submit(login, method, answer, create, origin=origin)

    async def end_sessions(
        self,
        login: Login,
        ending: Sequence[str],
        *,
        traits: DeviceTraits,
        proof: Proof | None,
        origin: Origin,
    ) -> Step:
        """Ends what the user has chosen, and signs it in; asks again, ending nothing, where that is not enough.

        Args:
            login: The login.
            ending: Ids of the chosen sessions.
            traits: What is known about the device.
            proof: Of the key that the session is to be bound to.
            origin: On whose behalf.

        Raises:
            InvalidFieldError: The login does not ask for it.
            ProofRequiredError: The proof is not good.
            LoginNotFoundError: The login's token was spent meanwhile, or something that it has proved was replaced.
            SessionLimitReachedError: Others are signing in; only they could make room.
            UnavailableError: A store is away.
        """
        confirmation = await self._proofs.check(proof, origin=origin, client_id=login.client_id)

        async def create(proven: Login) -> CreatedSession:
            return await self._create(proven, traits, confirmation, origin, ending)

        return await self._logins.choose(login, create)

    async def _known_device(self, tenant_id: str, identifier: str, device_token: str) -> Device | None:
        """Only a device of the very user that is to sign in counts: else attackers would bring devices of their own."""
        if not device_token:
            return None
        device = await self._devices.recognize(tenant_id, device_token)
        holder = await self._users.holder(tenant_id, identifier)
        return device if device and device.user_id == holder.user_id else None

    async def _is_trusted(self, device: Device | None) -> bool:
        if device is None or device.trust_expire_time is None:
            return False
        with suppress(UserNotFoundError):  # it was deleted meanwhile
            user = await self._users.get(device.tenant_id, device.user_id)
            return await is_trusted(self._policies, device, user.groups, now=self._now())
        return False

    async def _create(
        self,
        login: Login,
        traits: DeviceTraits,
        confirmation: Confirmation | None,
        origin: Origin,
        ending: Collection[str] = (),
    ) -> CreatedSession:
        try:
            new = replace(await self._new_session(login, traits, confirmation, origin), confirmation=confirmation)
            return await self._create_session.create(new, ending=ending, origin=origin)
        except (UserDisabledError, UserNotFoundError):
            raise FactorRefusedError from None  # since the factor was checked

    async def _new_session(
        self, login: Login, traits: DeviceTraits, confirmation: Confirmation | None, origin: Origin
    ) -> NewSession:
        level = proved_level(login)
        known = await self._device(login, traits, confirmation)
        return NewSession(
            user=await self._users.get(login.tenant_id, login.user_id),
            client=await self._clients.get(login.tenant_id, login.client_id),
            scope=login.scope,
            resource=login.resource,
            acr=level.acr,
            amr=level.amr,
            auth_time=self._now(),
            traits=traits,
            ip_address=origin.ip_address,
            device=known.device if known else None,
            identity=known.identity if known else "",
            has_hardware=shows_hardware(proved_factors(login)),
            because=login_event(login, "login.completed", data={"acr": str(level.acr), "amr": " ".join(level.amr)}),
        )

    async def _device(self, login: Login, traits: DeviceTraits, confirmation: Confirmation | None) -> Recognized | None:
        """The known device; one that turns out to be another user's (a passkey has said whose login it is) is none."""
        return await self._devices.known(
            login.tenant_id,
            login.user_id,
            key_sha256=binding_of(confirmation),
            of_token=await self._devices.find(login.tenant_id, login.device_id) if login.device_id else None,
            installation_id=traits.installation_id,
        )
