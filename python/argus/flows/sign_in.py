"""Signs a user in by password.

Whether the user exists shows in nothing that the caller gets: not in the answer, the work, the number of reads and
writes, or the throttling. What really was the matter is in the audit alone.
"""

import hmac
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal

from argus.base.clock import Now
from argus.base.errors import ArgusError, Code, InvalidFieldError, UnavailableError
from argus.base.events import Event
from argus.base.ids import login_name, new_id, new_secret, sha256
from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.credentials.model import PasswordCheck
from argus.credentials.service import Passwords
from argus.devices.model import Device, DeviceTraits
from argus.devices.service import Devices
from argus.flows.create_session import CreatedSession, CreateSession, NewSession
from argus.flows.grant import granted_resource, user_scope, user_scopes
from argus.flows.proofs import Proofs
from argus.sessions.login_store import LOGIN_LIFE, Login, LoginCompleteError, LoginNotFoundError, LoginStore
from argus.sessions.model import ACR_PREFIX, SessionLimitReachedError
from argus.storage.postgres import Database
from argus.tenants.service import Tenants
from argus.threats.guessing.model import CLOSING_FAILURES, GuessingThrottledError, Try
from argus.threats.guessing.service import Guessing
from argus.users.model import MAX_IDENTIFIER, Holder, UserDisabledError, UserNotFoundError, canonical_identifier
from argus.users.service import Users
from argus.v1.errors_pb2 import ErrorReason
from argus.v1.types_pb2 import Confirmation, Proof

_PASSWORD_ACR: Final = 1
_PASSWORD_AMR: Final = ("pwd",)
# A user id that no user has: unknown identifiers take the same steps with it.
_NOBODY: Final = "-"

Refusal = Literal["UNKNOWN_IDENTIFIER", "USER_DISABLED", "WRONG_PASSWORD", "PASSWORD_CLOSED"]
"""Why a factor was refused, for the audit alone."""


class FactorRefusedError(ArgusError):
    """Identifier and factor do not fit; the same whether the user exists."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED, ErrorReason.ERROR_REASON_FACTOR_REFUSED, "identifier and factor do not fit"
        )


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A login after a step.

    Attributes:
        login_token: Secret for the next submit; empty once it is complete.
        created: The session, once it is complete.
    """

    login: Login
    login_token: str = ""
    created: CreatedSession | None = None


class SignIn:
    """Logins, step by step."""

    def __init__(
        self,
        db: Database,
        logins: LoginStore,
        tenants: Tenants,
        clients: Clients,
        users: Users,
        passwords: Passwords,
        devices: Devices,
        guessing: Guessing,
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
        self._passwords = passwords
        self._devices = devices
        self._guessing = guessing
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
        if request.acr_values and f"{ACR_PREFIX}{_PASSWORD_ACR}" not in request.acr_values:
            raise InvalidFieldError("acr_values", f"no factor here reaches more than {ACR_PREFIX}{_PASSWORD_ACR}")
        secret = new_secret()
        login = Login(
            tenant_id=request.tenant_id,
            login_id=new_id(),
            client_id=client.client_id,
            identifier=identifier,
            scope=user_scope(client, request.scopes or user_scopes(client)),
            resource=granted_resource(client, request.resource, issuer=self._tenants.issuer(request.tenant_id)),
            device_id=await self._known_device(request.tenant_id, identifier, request.device_token),
            token_sha256=sha256(secret).hex(),
            expire_time=(self._now() + LOGIN_LIFE).timestamp(),
        )
        await self._logins.add(login)
        await self._db.record(origin, self._event(login, "login.started", "success"), self._now())
        return Step(login=login, login_token=f"{login.login_id}.{secret}")

    async def submit_password(
        self,
        tenant_id: str,
        login_token: str,
        password: str,
        *,
        traits: DeviceTraits,
        proof: Proof | None,
        origin: Origin,
    ) -> Step:
        """Takes a password. A refused one leaves the login as it was.

        Args:
            tenant_id: Tenant.
            login_token: Secret of the login.
            password: The password, as presented.
            traits: What is known about the device.
            proof: Of the key that the session is to be bound to.
            origin: On whose behalf.

        Raises:
            ProofRequiredError: The proof is not good; the try does not count.
            LoginNotFoundError: The token is not that of a login in progress.
            LoginCompleteError: The login is complete.
            GuessingThrottledError: Too many failures came before.
            FactorRefusedError: Identifier and password do not fit.
            SessionLimitReachedError: The policy allows the user no further session.
            UnavailableError: A store is away; the try does not count.
        """
        login = await self._of_token(tenant_id, login_token)
        confirmation = await self._proofs.check(proof, origin=origin, client_id=login.client_id)
        attempt = await self._begin_try(login, origin)
        try:
            holder = await self._users.holder(tenant_id, login.identifier)
            check = await self._passwords.check(tenant_id, holder.user_id, password)
            refusal = _refusal(login, holder, check, attempt)
            if refusal is None:
                # Not before: who guesses at a closed password or a disabled user learns nothing, not even by time.
                await self._passwords.used(tenant_id, check, password)
        except ArgusError:
            await self._guessing.undo(attempt)
            raise
        if refusal is not None or holder.user_id is None:
            await self._refused(login, holder.user_id, refusal or "UNKNOWN_IDENTIFIER", attempt, origin)
            raise FactorRefusedError
        await self._guessing.succeeded(attempt)
        return await self._complete(login, holder.user_id, traits, confirmation, origin)

    async def get(self, tenant_id: str, login_id: str) -> Login:
        """The login as it stands.

        Raises:
            LoginNotFoundError: There is none (any more).
        """
        login = await self._logins.get(tenant_id, login_id, now=self._now())
        if login is None:
            raise LoginNotFoundError
        return login

    async def cancel(self, tenant_id: str, login_id: str, *, origin: Origin) -> None:
        """Gives a login up; one that is complete stays, and so does its session.

        Raises:
            LoginNotFoundError: There is none (any more).
        """
        login = await self.get(tenant_id, login_id)
        if not login.is_complete:
            await self._logins.remove(tenant_id, login_id)
            event = Event(type="login.cancelled", client_id=login.client_id, data={"login": login_id})
            await self._db.record(origin, event, self._now())

    async def _known_device(self, tenant_id: str, identifier: str, device_token: str) -> str | None:
        """Only a device of the very user that is to sign in counts: else attackers would bring devices of their own."""
        if not device_token:
            return None
        device = await self._devices.recognize(tenant_id, device_token)
        holder = await self._users.holder(tenant_id, identifier)
        return device.device_id if device and device.user_id == holder.user_id else None

    async def _of_token(self, tenant_id: str, login_token: str) -> Login:
        login_id, _, secret = login_token.partition(".")
        login = await self._logins.get(tenant_id, login_id, now=self._now()) if login_id else None
        if login is None or not hmac.compare_digest(login.token_sha256, sha256(secret).hex()):
            raise LoginNotFoundError
        if login.is_complete:
            raise LoginCompleteError
        return login

    async def _begin_try(self, login: Login, origin: Origin) -> Try:
        try:
            return await self._guessing.begin(
                login.tenant_id, login.identifier, device_id=login.device_id, ip_address=origin.ip_address
            )
        except GuessingThrottledError:
            await self._db.record(origin, self._event(login, "guessing.throttled", "failure"), self._now())
            raise

    async def _refused(self, login: Login, user_id: str | None, refusal: Refusal, attempt: Try, origin: Origin) -> None:
        if login.device_id is None and attempt.failures >= CLOSING_FAILURES:
            await self._passwords.close_to_unknown_devices(login.tenant_id, user_id or _NOBODY, origin)
        event = self._event(login, "factor.refused", "failure", refusal, user_id)
        await self._db.record(origin, event, self._now())

    async def _complete(
        self, login: Login, user_id: str, traits: DeviceTraits, confirmation: Confirmation | None, origin: Origin
    ) -> Step:
        if not await self._logins.claim(login):
            raise LoginNotFoundError
        try:
            created = await self._create(login, user_id, traits, confirmation, origin)
        except BaseException:
            await self._give_back(login)
            raise
        done = login.completed()
        with suppress(UnavailableError):  # its token is spent all the same
            await self._logins.replace(done)
        return Step(login=done, created=created)

    async def _create(
        self, login: Login, user_id: str, traits: DeviceTraits, confirmation: Confirmation | None, origin: Origin
    ) -> CreatedSession:
        try:
            new = replace(await self._new_session(login, user_id, traits, origin), confirmation=confirmation)
            return await self._create_session.create(new, origin=origin)
        except (UserDisabledError, UserNotFoundError):
            raise FactorRefusedError from None  # since the password was checked
        except SessionLimitReachedError:
            event = self._event(login, "session.limit_reached", "failure", None, user_id)
            await self._db.record(origin, event, self._now())
            raise

    async def _new_session(self, login: Login, user_id: str, traits: DeviceTraits, origin: Origin) -> NewSession:
        return NewSession(
            user=await self._users.get(login.tenant_id, user_id),
            client=await self._clients.get(login.tenant_id, login.client_id),
            scope=login.scope,
            resource=login.resource,
            acr=_PASSWORD_ACR,
            amr=_PASSWORD_AMR,
            auth_time=self._now(),
            traits=traits,
            ip_address=origin.ip_address,
            device=await self._device(login),
            because=self._event(login, "login.completed", "success", None, user_id),
        )

    async def _device(self, login: Login) -> Device | None:
        return await self._devices.find(login.tenant_id, login.device_id) if login.device_id else None

    async def _give_back(self, login: Login) -> None:
        with suppress(UnavailableError):  # the user starts anew
            await self._logins.unclaim(login)

    @staticmethod
    def _event(
        login: Login,
        kind: str,
        outcome: Literal["success", "failure"],
        reason: str | None = None,
        user_id: str | None = None,
    ) -> Event:
        return Event(
            type=kind,
            outcome=outcome,
            reason=reason,
            user_id=user_id,
            client_id=login.client_id,
            data={"login": login_name(login.tenant_id, login.login_id)},
        )


def _refusal(login: Login, holder: Holder, check: PasswordCheck, attempt: Try) -> Refusal | None:
    if holder.user_id is None:
        return "UNKNOWN_IDENTIFIER"
    if not check.ok:
        return "WRONG_PASSWORD"
    if holder.disabled:
        return "USER_DISABLED"
    # A known device has its own failures; so many from it, and it is as good as unknown.
    is_closed = check.closed_to_unknown_devices if login.device_id is None else attempt.failures > CLOSING_FAILURES
    return "PASSWORD_CLOSED" if is_closed else None
