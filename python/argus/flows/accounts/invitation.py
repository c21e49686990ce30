"""Invites users: they exist, and choose their password by a link in a mail."""

from argus.accounts.model import LinkInvalidError
from argus.accounts.service import Links
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import user_name
from argus.base.origin import Origin
from argus.credentials.service import Passwords
from argus.flows.accounts.recovery import prove_address
from argus.flows.user_lifecycle import UserLifecycle
from argus.mail.model import MailMessage
from argus.mail.service import Mails
from argus.storage.postgres import Database, Transaction
from argus.users.model import (
    IdentifierTakenError,
    NewIdentifier,
    User,
    UserDisabledError,
    UserNotFoundError,
    canonical_identifier,
    check_identifier,
)
from argus.users.service import Users


class Invitation:
    """Both halves of an invitation."""

    def __init__(
        self,
        db: Database,
        links: Links,
        users: Users,
        passwords: Passwords,
        lifecycle: UserLifecycle,
        mails: Mails,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._links = links
        self._users = users
        self._passwords = passwords
        self._lifecycle = lifecycle
        self._mails = mails
        self._now = now

    async def invite(self, tenant_id: str, email: str, *, display_name: str, locale: str, origin: Origin) -> User:
        """Makes a user without a password and sends it a link; one who has not accepted yet gets another one.

        Raises:
            MailOffError: There is no mail here.
            IdentifierTakenError: A user has the address who was not invited, or has accepted.
            InvalidFieldError: That is no address, or the name is too long.
            RequestAlreadyDoneError: The request was carried out before.
        """
        self._mails.check_on()

        canonical = check_identifier("email", email, field="email")

        async def send(tx: Transaction, user: User) -> None:
            address = next(one.value for one in user.identifiers if canonical_identifier(one.value) == canonical)
            await self._send(tx, user, address, user.locale or locale)

        found = await self._users.find_by_identifier(tenant_id, email)
        if found is None:
            return await self._lifecycle.create(
                tenant_id,
                display_name=display_name,
                locale=locale,
                identifiers=[NewIdentifier(kind="email", value=email)],
                origin=origin,
                also=send,
            )
        if found.disabled or await self._passwords.find(tenant_id, found.user_id) is not None:
            raise IdentifierTakenError("email")
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(user_name(tenant_id, found.user_id))
            await send(tx, found)
        return found

    async def accept(self, tenant_id: str, token: str, password: str, *, origin: Origin) -> None:
        """Sets the first password of an invited user.

        Raises:
            LinkInvalidError: The token is not that of a good invitation, or the user has a password.
            UserDisabledError: The user may not sign in.
            PasswordRefusedError: The password breaks a rule; the token stays good.
        """
        link = await self._links.open(tenant_id, token, "invitation", origin=origin)
        try:
            user = await self._users.get(tenant_id, link.user_id)
        except UserNotFoundError:
            raise LinkInvalidError from None
        if user.disabled:
            raise UserDisabledError(user.user_id)

        async def spend(tx: Transaction) -> None:
            await prove_address(tx, self._links, self._users, link)
            tx.record(Event(type="invitation.accepted", user_id=user.user_id), time=self._now())

        await self._lifecycle.set_password(
            tenant_id,
            user.user_id,
            password,
            terminate_sessions=False,
            origin=origin,
            also=spend,
        )

    async def _send(self, tx: Transaction, user: User, address: str, locale: str) -> None:
        link = await self._links.make(tx, "invitation", user.tenant_id, user_id=user.user_id, address=address)
        message = MailMessage(
            template="invitation",
            to=address,
            locale=locale,
            user_id=user.user_id,
            link_id=link.link_id,
            expire_time=link.expire_time,
        )
        await self._mails.enqueue(tx, user.tenant_id, message)
        tx.record(Event(type="invitation.sent", user_id=user.user_id), time=self._now())
