"""Takes what people ask for who have proved nothing yet.

Whom it concerns is not looked up here but by a worker (`flows.accounts.answering`): whoever has the address, the same
is read and written and the same throttling holds. Nothing that the caller could see or measure depends on it.
"""

from argus.accounts.model import RegistrationClosedError, RequestKind
from argus.accounts.service import AccountRequests, EmailCodes
from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.origin import Origin
from argus.mail.service import Mails
from argus.policies.service import Policies
from argus.sessions.login_store import Login, LoginNotFoundError
from argus.storage.postgres import Database
from argus.threats.guessing.service import Guessing
from argus.users.model import MAX_IDENTIFIER, canonical_identifier, check_identifier


class Asking:
    """Recovery, registration, verification and one-time codes, as far as somebody asks for a mail."""

    def __init__(
        self,
        db: Database,
        requests: AccountRequests,
        codes: EmailCodes,
        mails: Mails,
        policies: Policies,
        guessing: Guessing,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._requests = requests
        self._codes = codes
        self._mails = mails
        self._policies = policies
        self._guessing = guessing
        self._now = now

    async def recovery(self, tenant_id: str, identifier: str, *, locale: str, origin: Origin) -> None:
        """Asks for a link to set a new password.

        Raises:
            InvalidFieldError: That can't be an identifier.
            GuessingThrottledError: Too much was asked for from this address.
            MailOffError: There is no mail here.
            UnavailableError: A store is away.
        """
        if not canonical_identifier(identifier):
            raise InvalidFieldError("identifier", "is required")
        if len(identifier) > MAX_IDENTIFIER:
            raise InvalidFieldError("identifier", f"must have at most {MAX_IDENTIFIER} characters")
        await self._ask("recovery", tenant_id, identifier, locale, origin)

    async def registration(self, tenant_id: str, email: str, *, locale: str, origin: Origin) -> None:
        """Asks for a link to register; raises as `recovery` does.

        Raises:
            RegistrationClosedError: The policy lets nobody register.
        """
        check_identifier("email", email, field="email")
        await check_open(self._policies, tenant_id)
        await self._ask("registration", tenant_id, email, locale, origin)

    async def lets_register(self, tenant_id: str) -> bool:
        """Whether the policy lets people register, so that they can be offered to."""
        return self._mails.is_on and (await self._policies.effective(tenant_id, "")).policy.self_registration

    async def verification(self, tenant_id: str, email: str, *, locale: str, origin: Origin) -> None:
        """Asks for a link to verify an address; raises as `recovery` does."""
        check_identifier("email", email, field="email")
        await self._ask("verification", tenant_id, email, locale, origin)

    async def email_code(self, login: Login, *, locale: str, origin: Origin) -> None:
        """Asks for a one-time code for a login; raises as `recovery` does.

        Raises:
            InvalidFieldError: The login takes none (now).
            LoginNotFoundError: Its code has been tried as often as it may be: a new login has a new one.
        """
        if "email_code" not in login.challenges:
            raise InvalidFieldError("login_token", "its login takes no code by mail now")
        self._mails.check_on()
        await self._guessing.begin_asking(login.tenant_id, ip_address=origin.ip_address)
        async with self._db.transaction(origin, now=self._now()) as tx:
            if not await self._codes.make(tx, login.tenant_id, login.login_id):
                raise LoginNotFoundError
            await self._requests.add(
                tx,
                "email_code",
                login.identifier,
                locale=locale,
                origin=origin,
                user_id=login.user_id or None,
                code_id=login.login_id,
            )

    async def _ask(self, kind: RequestKind, tenant_id: str, identifier: str, locale: str, origin: Origin) -> None:
        self._mails.check_on()
        await self._guessing.begin_asking(tenant_id, ip_address=origin.ip_address)
        async with self._db.transaction(origin, now=self._now()) as tx:
            await self._requests.add(tx, kind, identifier, locale=locale, origin=origin)


async def check_open(policies: Policies, tenant_id: str) -> None:
    """Refuses a registration where the policy allows none.

    Raises:
        RegistrationClosedError: It allows none.
    """
    if not (await policies.effective(tenant_id, "")).policy.self_registration:
        raise RegistrationClosedError
