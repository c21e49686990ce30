"""What can be done with mails."""

from collections.abc import Sequence

from argus.base.clock import Now
from argus.base.ids import new_id
from argus.mail import store
from argus.mail.carriers import Carrier
from argus.mail.letters import Letter, Words, compose
from argus.mail.model import LEASE, LONGEST_TRIED, MailMessage, MailOffError, QueuedMail, language
from argus.storage.postgres import Database, Transaction


class Mails:
    """The mails of all tenants."""

    def __init__(self, db: Database, carrier: Carrier | None, *, sender: str, locale: str, now: Now) -> None:
        """Keeps mails.

        Args:
            db: Where they wait.
            carrier: What takes them away; None: there is no mail here.
            sender: Address that they come from.
            locale: Language for people of whom none is known.
            now: The time.
        """
        self._db = db
        self._carrier = carrier
        self._sender = sender
        self._locale = locale
        self._now = now

    @property
    def is_on(self) -> bool:
        """Mails get out."""
        return self._carrier is not None

    def check_on(self) -> None:
        """Refuses what could not be done without mail.

        Raises:
            MailOffError: There is none here.
        """
        if not self.is_on:
            raise MailOffError

    async def enqueue(self, tx: Transaction, tenant_id: str, message: MailMessage) -> None:
        """Leaves a mail to be sent once `tx` is committed; where there is no mail it is left out."""
        if not self.is_on:
            return
        now = self._now()
        expire_time = message.expire_time or now + LONGEST_TRIED
        await store.insert(tx, tenant_id, new_id(), message, at=now, expire_time=expire_time)

    async def take(self, size: int) -> Sequence[QueuedMail]:
        """Mails that are due, for this process alone until `LEASE` is over."""
        now = self._now()
        return await store.take(self._db, now=now, until=now + LEASE, size=size)

    def language(self, mail: QueuedMail) -> str:
        """The language that a mail is written in."""
        return language(mail.locale, default=self._locale)

    async def send(
        self,
        mail: QueuedMail,
        *,
        tenant: str,
        home: str,
        link: str = "",
        code: str = "",
        words: Words | None = None,
        carrier: Carrier | None = None,
        sender: str = "",
    ) -> None:
        """Writes a mail and hands it over; one to nobody is only written.

        Args:
            mail: The mail.
            tenant: Name of the tenant, for people.
            home: Where the tenant's pages are.
            link: The link that stands in it.
            code: The code that stands in it.
            words: Writes it in words of the tenant's own.
            carrier: Takes it away in the place of the installation's.
            sender: Address that it then comes from.

        Raises:
            MailRefusedError: It is not taken, now or later.
            MailDelayedError: It could not be handed over now.
        """
        letter = Letter(
            mail=mail,
            sender=sender or self._sender,
            tenant=tenant,
            home=home,
            link=link,
            code=code,
            locale=self._locale,
            words=words,
        )
        message = compose(letter)
        chosen = carrier or self._carrier
        if mail.recipient and chosen is not None:
            await chosen.carry(message, sender=letter.sender, recipient=mail.recipient)

    async def revive(self, tx: Transaction, tenant_id: str, mail_id: str, message: MailMessage) -> None:
        """Leaves a mail that was given up to be sent again under its old id, once `tx` is committed."""
        now = self._now()
        await store.insert(tx, tenant_id, mail_id, message, at=now, expire_time=now + LONGEST_TRIED)

    async def postpone(self, mail: QueuedMail) -> None:
        """Leaves a mail that could not be handed over for later."""
        await store.postpone(self._db, mail, until=mail.next_try(now=self._now()))

    async def remove(self, tx: Transaction, mail: QueuedMail) -> bool:
        """Forgets a mail that was sent or given up, within `tx`; False: it was forgotten before."""
        return await store.remove(tx, mail)

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Forgets the mails that wait for a user that is deleted, within `tx`."""
        await store.delete_of_user(tx, tenant_id, user_id)
