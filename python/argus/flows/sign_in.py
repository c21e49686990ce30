"""Signs a user in by password.

Whether the user exists shows in nothing that the caller gets: not in the answer, the work, the number of reads and
writes, or the throttling. What really was the matter is in the audit alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.devices.model import Device, DeviceTraits
from argus.devices.service import Devices
from argus.flows.create_session import CreatedSession, CreateSession, NewSession
from argus.flows.grant import granted_resource, user_scope, user_scopes
from argus.flows.login import (
    PASSWORD_ACR,
    PASSWORD_AMR,
    FactorRefusedError,
    Logins,
    Step,
    check_reachable,
    login_event,
)
from argus.flows.proofs import Proofs
from argus.sessions.login_store import LOGIN_LIFE, Login
from argus.sessions.model import SessionLimitReachedError
from argus.storage.postgres import Database
from argus.tenants.service import Tenants
from argus.users.model import MAX_IDENTIFIER, UserDisabledError, UserNotFoundError, canonical_identifier
from argus.users.service import Users
from argus.v1.types_pb2 import Confirmation, Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """How a login begins; `client_id` has been resolved, the rest is as the caller sent it."""

    tenant_id: str
    client_id: str
    identifier: str
    scopes: Sequence[str] = ()
    resource: str = ""
    acr_values: Sequence[str] = ()
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
        if not identifier:
            raise InvalidFieldError("identifier", "is required")
        if len(identifier) > MAX_IDENTIFIER:
            raise InvalidFieldError("identifier", f"must have at most {MAX_IDENTIFIER} characters")
        check_reachable(request.acr_values)
        login = Login(
            tenant_id=request.tenant_id,
            login_id=new_id(),
            client_id=client.client_id,
            identifier=identifier,
            scope=user_scope(client, request.scopes or user_scopes(client)),
            resource=granted_resource(client, request.resource, issuer=self._tenants.issuer(request.tenant_id)),
            device_id=await self._known_device(request.tenant_id, identifier, request.device_token),
            expire_time=(self._now() + LOGIN_LIFE).timestamp(),
        )
        return await self._logins.begin(login, "login.started", origin=origin)

    async def submit_password(
        self, login: Login, password: str, *, traits: DeviceTraits, proof: Proof | None, origin: Origin
    ) -> Step:
        """Takes a password. A refused one leaves the login as it was.

        Args:
            login: The login.
            password: The password, as presented.
            traits: What is known about the device.
            proof: Of the key that the session is to be bound to.
            origin: On whose behalf.

        Raises:
            ProofRequiredError: The proof is not good; the try does not count.
            LoginNotFoundError: The login's token was spent meanwhile.
            GuessingThrottledError: Too many failures came before.
            FactorRefusedError: Identifier and password do not fit.
            SessionLimitReachedError: The policy allows the user no further session.
            UnavailableError: A store is away; the try does not count.
        """
        confirmation = await self._proofs.check(proof, origin=origin, client_id=login.client_id)
        user_id = await self._logins.prove_password(login, password, origin=origin)
        return await self._logins.complete(login, lambda: self._create(login, user_id, traits, confirmation, origin))

    async def _known_device(self, tenant_id: str, identifier: str, device_token: str) -> str | None:
        """Only a device of the very user that is to sign in counts: else attackers would bring devices of their own."""
        if not device_token:
            return None
        device = await self._devices.recognize(tenant_id, device_token)
        holder = await self._users.holder(tenant_id, identifier)
        return device.device_id if device and device.user_id == holder.user_id else None

    async def _create(
        self, login: Login, user_id: str, traits: DeviceTraits, confirmation: Confirmation | None, origin: Origin
    ) -> CreatedSession:
        try:
            new = replace(await self._new_session(login, user_id, traits, origin), confirmation=confirmation)
            return await self._create_session.create(new, origin=origin)
        except (UserDisabledError, UserNotFoundError):
            raise FactorRefusedError from None  # since the password was checked
        except SessionLimitReachedError:
            event = login_event(login, "session.limit_reached", is_failure=True, user_id=user_id)
            await self._db.record(origin, event, self._now())
            raise

    async def _new_session(self, login: Login, user_id: str, traits: DeviceTraits, origin: Origin) -> NewSession:
        return NewSession(
            user=await self._users.get(login.tenant_id, user_id),
            client=await self._clients.get(login.tenant_id, login.client_id),
            scope=login.scope,
            resource=login.resource,
            acr=PASSWORD_ACR,
            amr=PASSWORD_AMR,
            auth_time=self._now(),
            traits=traits,
            ip_address=origin.ip_address,
            device=await self._device(login),
            because=login_event(login, "login.completed", user_id=user_id),
        )

    async def _device(self, login: Login) -> Device | None:
        return await self._devices.find(login.tenant_id, login.device_id) if login.device_id else None
