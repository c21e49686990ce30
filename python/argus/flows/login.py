"""What sign-ins and step-ups have in common: a login in progress, the tries at its password, its one completion."""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal

from argus.base.clock import Now
from argus.base.errors import ArgusError, Code, InvalidFieldError, UnavailableError
from argus.base.events import Event
from argus.base.ids import login_name, new_secret, sha256
from argus.base.origin import Origin
from argus.credentials.model import PasswordCheck
from argus.credentials.service import Passwords
from argus.flows.create_session import CreatedSession
from argus.sessions.login_store import Login, LoginCompleteError, LoginNotFoundError, LoginStore
from argus.sessions.model import ACR_PREFIX
from argus.storage.postgres import Database
from argus.threats.guessing.model import CLOSING_FAILURES, GuessingThrottledError, Try
from argus.threats.guessing.service import Guessing
from argus.users.model import Holder, UserNotFoundError
from argus.users.service import Users
from argus.v1.errors_pb2 import ErrorReason

PASSWORD_ACR: Final = 1
"""Level that a password alone reaches."""
PASSWORD_AMR: Final = ("pwd",)
"""Method that it is (RFC 8176)."""

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
class Step:
    """A login after a step.

    Attributes:
        login_token: Secret for the next submit; empty once it is complete.
        created: The session, or its new family, once it is complete.
    """

    login: Login
    login_token: str = ""
    created: CreatedSession | None = None


class Logins:
    """Logins in progress, whatever they are for."""

    def __init__(
        self,
        db: Database,
        store: LoginStore,
        users: Users,
        passwords: Passwords,
        guessing: Guessing,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._store = store
        self._users = users
        self._passwords = passwords
        self._guessing = guessing
        self._now = now

    async def begin(self, login: Login, event: str, *, origin: Origin) -> Step:
        """Keeps a new login, and makes the secret for its first factor."""
        secret = new_secret()
        login = replace(login, token_sha256=sha256(secret).hex())
        await self._store.add(login)
        await self._db.record(origin, login_event(login, event, data={"cause": login.cause}), self._now())
        return Step(login=login, login_token=f"{login.login_id}.{secret}")

    async def get(self, tenant_id: str, login_id: str) -> Login:
        """The login as it stands.

        Raises:
            LoginNotFoundError: There is none (any more).
        """
        login = await self._store.get(tenant_id, login_id, now=self._now())
        if login is None:
            raise LoginNotFoundError
        return login

    async def of_token(self, tenant_id: str, login_token: str) -> Login:
        """The login that a token is the present secret of.

        Raises:
            LoginNotFoundError: The token is not that of a login in progress.
            LoginCompleteError: The login is complete.
        """
        login_id, _, secret = login_token.partition(".")
        login = await self._store.get(tenant_id, login_id, now=self._now()) if login_id else None
        if login is None or not hmac.compare_digest(login.token_sha256, sha256(secret).hex()):
            raise LoginNotFoundError
        if login.is_complete:
            raise LoginCompleteError
        return login

    async def cancel(self, tenant_id: str, login_id: str, *, origin: Origin) -> None:
        """Gives a login up; one that is complete stays, and so does its session.

        Raises:
            LoginNotFoundError: There is none (any more).
        """
        login = await self.get(tenant_id, login_id)
        if not login.is_complete:
            await self._store.remove(tenant_id, login_id)
            event = Event(
                type="login.cancelled",
                client_id=login.client_id,
                session_id=login.session_id or None,
                data={"login": login_id},
            )
            await self._db.record(origin, event, self._now())

    async def prove_password(self, login: Login, password: str, *, origin: Origin) -> str:
        """The user that the login is about, if this is its password. A refused one leaves the login as it was.

        Raises:
            GuessingThrottledError: Too many failures came before.
            FactorRefusedError: Identifier and password do not fit.
            UnavailableError: A store is away; the try does not count.
        """
        attempt = await self._begin_try(login, origin)
        try:
            holder = await self._holder(login)
            check = await self._passwords.check(login.tenant_id, holder.user_id, password)
            refusal = _refusal(login, holder, check, attempt)
            if refusal is None:
                # Not before: who guesses at a closed password or a disabled user learns nothing, not even by time.
                await self._passwords.used(login.tenant_id, check, password)
        except ArgusError:
            await self._guessing.undo(attempt)
            raise
        if refusal is not None or holder.user_id is None:
            await self._refused(login, holder.user_id, refusal or "UNKNOWN_IDENTIFIER", attempt, origin)
            raise FactorRefusedError
        await self._guessing.succeeded(attempt)
        return holder.user_id

    async def complete(self, login: Login, work: Callable[[], Awaitable[CreatedSession]]) -> Step:
        """Does what the login is for, once, however many hand in its token; a failure gives the token back.

        Raises:
            LoginNotFoundError: The token has been spent.
        """
        if not await self._store.claim(login):
            raise LoginNotFoundError
        try:
            created = await work()
        except BaseException:
            with suppress(UnavailableError):  # the user starts anew
                await self._store.unclaim(login)
            raise
        done = login.completed()
        with suppress(UnavailableError):  # its token is spent all the same
            await self._store.replace(done)
        return Step(login=done, created=created)

    async def _begin_try(self, login: Login, origin: Origin) -> Try:
        tenant_id, ip_address = login.tenant_id, origin.ip_address
        try:
            if login.is_step_up:
                return await self._guessing.begin_session(tenant_id, login.session_id, ip_address=ip_address)
            return await self._guessing.begin(
                tenant_id, login.identifier, device_id=login.device_id, ip_address=ip_address
            )
        except GuessingThrottledError:
            await self._db.record(origin, login_event(login, "guessing.throttled", is_failure=True), self._now())
            raise

    async def _holder(self, login: Login) -> Holder:
        """Whose password counts: for a step-up nobody else's than the session's user's."""
        if not login.is_step_up:
            return await self._users.holder(login.tenant_id, login.identifier)
        try:
            user = await self._users.get(login.tenant_id, login.user_id)
        except UserNotFoundError:
            return Holder(user_id=None, disabled=False)
        return Holder(user_id=user.user_id, disabled=user.disabled)

    async def _refused(self, login: Login, user_id: str | None, refusal: Refusal, attempt: Try, origin: Origin) -> None:
        if not login.is_of_known_device and attempt.failures >= CLOSING_FAILURES:
            await self._passwords.close_to_unknown_devices(login.tenant_id, user_id or _NOBODY, origin)
        event = login_event(login, "factor.refused", is_failure=True, reason=refusal, user_id=user_id)
        await self._db.record(origin, event, self._now())


def check_reachable(acr_values: Sequence[str]) -> None:
    """Refuses a login that no factor here could complete.

    Raises:
        InvalidFieldError: None of the acceptable levels is that of a password.
    """
    if acr_values and f"{ACR_PREFIX}{PASSWORD_ACR}" not in acr_values:
        raise InvalidFieldError("acr_values", f"no factor here reaches more than {ACR_PREFIX}{PASSWORD_ACR}")


def login_event(
    login: Login,
    kind: str,
    *,
    is_failure: bool = False,
    reason: str | None = None,
    user_id: str | None = None,
    data: Mapping[str, str] | None = None,
) -> Event:
    """Something that happened to a login; empty facts are left out."""
    facts = {"login": login_name(login.tenant_id, login.login_id), **(data or {})}
    return Event(
        type=kind,
        outcome="failure" if is_failure else "success",
        reason=reason,
        user_id=user_id or login.user_id or None,
        session_id=login.session_id or None,
        client_id=login.client_id,
        data={name: fact for name, fact in facts.items() if fact},
    )


def _refusal(login: Login, holder: Holder, check: PasswordCheck, attempt: Try) -> Refusal | None:
    if holder.user_id is None:
        return "UNKNOWN_IDENTIFIER"
    if not check.ok:
        return "WRONG_PASSWORD"
    if holder.disabled:
        return "USER_DISABLED"
    # A known device has its own failures; so many from it, and it is as good as unknown.
    is_closed = attempt.failures > CLOSING_FAILURES if login.is_of_known_device else check.closed_to_unknown_devices
    return "PASSWORD_CLOSED" if is_closed else None
