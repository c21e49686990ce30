"""What administrators do for a user who can't get in: a link to set a new password, by mail or by hand.

Neither signs anybody in, and the second factor is asked for as before (`flows.factor_reset` takes it away).
"""

from argus.accounts.model import Link
from argus.accounts.service import Links
from argus.base.clock import Now
from argus.base.errors import InvalidFieldError
from argus.base.events import Event
from argus.base.ids import user_name
from argus.base.origin import Origin
from argus.flows.accounts.posting import link_url
from argus.mail.model import MailMessage
from argus.mail.service import Mails
from argus.storage.postgres import Database
from argus.tenants.service import Tenants
from argus.users.model import User, UserDisabledError
from argus.users.service import Users


class AccountHelp:
    """Links that nobody had to ask for."""

    def __init__(self, db: Database, links: Links, users: Users, mails: Mails, tenants: Tenants, *, now: Now) -> None:
        self._db = db
        self._links = links
        self._users = users
        self._mails = mails
        self._tenants = tenants
        self._now = now

    async def send_link(self, tenant_id: str, user_id: str, *, comment: str = "", origin: Origin) -> str:
        """Sends the user a link to set a new password; says to which address.

        Raises:
            UserNotFoundError: There is no such user.
            UserDisabledError: The user may not sign in.
            MailOffError: There is no mail here.
            InvalidFieldError: The user has no address.
            RequestAlreadyDoneError: The request was carried out before.
        """
        self._mails.check_on()
        user = await self._enabled(tenant_id, user_id)
        address = _address(user)
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(user_name(tenant_id, user_id))
            link = await self._links.make(tx, "recovery", tenant_id, user_id=user_id, address=address)
            message = MailMessage(
                template="recovery",
                to=address,
                locale=user.locale,
                user_id=user_id,
                link_id=link.link_id,
                expire_time=link.expire_time,
            )
            await self._mails.enqueue(tx, tenant_id, message)
            tx.record(_event("account.recovery_sent", link, comment), time=self._now())
        return address

    async def hand_link(self, tenant_id: str, user_id: str, *, comment: str = "", origin: Origin) -> tuple[str, Link]:
        """Makes a link to set a new password, to be handed over by whoever asks for it: it proves no address.

        Raises:
            UserNotFoundError: There is no such user.
            UserDisabledError: The user may not sign in.
            RequestAlreadyDoneError: The request was carried out before; its link can't be shown again.
        """
        user = await self._enabled(tenant_id, user_id)
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(user_name(tenant_id, user_id))
            link = await self._links.make(tx, "handover", tenant_id, user_id=user.user_id, address="")
            tx.record(_event("account.link_handed_over", link, comment), time=self._now())
        return link_url(self._tenants, self._links, link), link

    async def _enabled(self, tenant_id: str, user_id: str) -> User:
        user = await self._users.get(tenant_id, user_id)
        if user.disabled:
            raise UserDisabledError(user_id)
        return user


def _address(user: User) -> str:
    """The first address that is known to be the user's own, or the first."""
    addresses = [one for one in user.identifiers if one.kind == "email"]
    verified = [one for one in addresses if one.verify_time is not None]
    found = next((one.value for one in (*verified, *addresses)), "")
    if not found:
        raise InvalidFieldError("user", "has no e-mail address; make a link to hand over instead")
    return found


def _event(kind: str, link: Link, comment: str) -> Event:
    data = {"link": link.link_id} | ({"comment": comment} if comment else {})
    return Event(type=kind, user_id=link.user_id, data=data)
