"""What can be done with links and codes that are sent by mail."""

import hmac
from datetime import timedelta
from typing import Final

from argus.accounts import store
from argus.accounts.model import (
    CODE_LIFE,
    CODE_TRIES,
    LINK_LIVES,
    AccountRequest,
    Link,
    LinkInvalidError,
    Purpose,
    RequestKind,
    code_digits,
    link_secret,
)
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.storage.postgres import Database, Transaction

# So that "it was used" can still be told from "it never was" in the audit.
_KEPT_AFTER_END: Final = timedelta(days=7)
_PASSWORD_PURPOSES: Final = ("recovery", "invitation", "handover")


class Links:
    """The links of all mails. Of their secrets nothing is stored: they are computed anew where they are needed."""

    def __init__(self, db: Database, key: bytes, *, now: Now) -> None:
        self._db = db
        self._key = key
        self._now = now

    async def make(
        self, tx: Transaction, purpose: Purpose, tenant_id: str, *, user_id: str, address: str, subject: str = ""
    ) -> Link:
        """Makes a link, within `tx`.

        Args:
            tx: Transaction of what asks for it.
            purpose: What it is for.
            tenant_id: Tenant.
            user_id: Whose account; empty: of nobody yet.
            address: Where it is sent; empty: nowhere, it only stands for the work.
            subject: What it is about besides its user; empty: nothing.
        """
        now = self._now()
        link = Link(
            tenant_id=tenant_id,
            link_id=new_id(),
            purpose=purpose,
            user_id=user_id,
            address=address,
            create_time=now,
            expire_time=now + LINK_LIVES[purpose],
            subject=subject,
        )
        await store.insert_link(tx, link)
        return link

    def token(self, link: Link) -> str:
        """What is sent: the id and its secret."""
        return f"{link.link_id}.{link_secret(self._key, link)}"

    async def get(self, tenant_id: str, link_id: str) -> Link | None:
        """The link, used or not."""
        return await store.find_link(self._db, tenant_id, link_id)

    async def open(self, tenant_id: str, token: str, *purposes: Purpose, origin: Origin) -> Link:
        """The link of a token, which stays as good as it was: looking changes nothing.

        Raises:
            LinkInvalidError: It is not a good one for any of these purposes.
        """
        link_id, _, secret = token.partition(".")
        # No id has a null character, and PostgreSQL takes none.
        link = None if "\0" in link_id else await store.find_link(self._db, tenant_id, link_id)
        # Compared first: who has not the secret learns nothing of what the link was.
        if link is None or not hmac.compare_digest(secret.encode(), link_secret(self._key, link).encode()):
            refusal = "UNKNOWN"
        elif link.purpose not in purposes or not (link.address or link.purpose == "handover"):
            refusal = "OTHER_PURPOSE"
        elif link.use_time is not None:
            refusal = "USED"
        elif link.expire_time <= self._now():
            refusal = "EXPIRED"
        else:
            return link
        known = link.user_id if link is not None and refusal != "UNKNOWN" else ""
        event = Event(type="link.refused", outcome="failure", reason=refusal, user_id=known or None)
        await self._db.record(origin, event, self._now())
        raise LinkInvalidError

    async def spend(self, tx: Transaction, link: Link, *, user_id: str = "") -> None:
        """Uses a link, within the transaction of what it is for.

        Args:
            tx: Where.
            link: The link.
            user_id: Whose it is from now on, if it was sent to nobody yet.

        Raises:
            LinkInvalidError: Somebody was faster.
        """
        if not await store.spend_link(tx, link, user_id=user_id, at=self._now()):
            raise LinkInvalidError

    async def close_password_links(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Makes all links useless by which the user's password could be set: it was set anew."""
        await store.close_links(tx, tenant_id, user_id, _PASSWORD_PURPOSES, at=self._now())

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Deletes the links of a user that is deleted, with the addresses that they went to, within `tx`."""
        await store.delete_of_user(tx, tenant_id, user_id)

    async def forget_expired(self) -> int:
        """Deletes links and codes that ended a while ago; says how many."""
        before = self._now() - _KEPT_AFTER_END
        async with self._db.transaction() as tx:
            return await store.forget_expired(tx, links_before=before, codes_before=before)


class EmailCodes:
    """One-time codes that are sent by mail; one looks the same whether it is sent to anybody."""

    def __init__(self, db: Database, key: bytes, *, now: Now) -> None:
        self._db = db
        self._key = key
        self._now = now

    async def make(self, tx: Transaction, tenant_id: str, code_id: str) -> bool:
        """Makes a code, within `tx`; asked for again, it is the same one, with the tries that are left of it.

        False: none are, and nobody should be sent it once more.
        """
        now = self._now()
        return await store.insert_code(tx, tenant_id, code_id, most=CODE_TRIES, at=now, expire_time=now + CODE_LIFE)

    def digits(self, tenant_id: str, code_id: str, user_id: str) -> str:
        """What is sent to this user."""
        return code_digits(self._key, tenant_id, code_id, user_id)

    async def check(self, tenant_id: str, code_id: str, user_id: str, presented: str) -> bool:
        """Whether this is the code. The try counts before anything is compared; a right one is not yet used."""
        is_open = await store.try_code(self._db, tenant_id, code_id, most=CODE_TRIES, at=self._now())
        fits = hmac.compare_digest(presented.encode(), self.digits(tenant_id, code_id, user_id).encode())
        return is_open and fits

    async def spend(self, tenant_id: str, code_id: str) -> bool:
        """Uses a code that was right; True for the one call that does."""
        return await store.spend_code(self._db, tenant_id, code_id, at=self._now())


class AccountRequests:
    """What was asked for by people who have proved nothing; carried out later, so that the asking tells nothing."""

    def __init__(self, db: Database, *, now: Now) -> None:
        self._db = db
        self._now = now

    async def add(
        self,
        tx: Transaction,
        kind: RequestKind,
        identifier: str,
        *,
        locale: str,
        origin: Origin,
        user_id: str | None = None,
        code_id: str | None = None,
    ) -> None:
        """Keeps what was asked for, within `tx`; the same for everybody."""
        now = self._now()
        request = AccountRequest(
            tenant_id=origin.tenant_id,
            account_request_id=new_id(),
            kind=kind,
            identifier=identifier,
            user_id=user_id,
            locale=locale,
            code_id=code_id,
            actor=origin.actor,
            request_id=origin.request_id,
            ip_address=origin.ip_address,
            create_time=now,
        )
        await store.insert_request(tx, origin, request)
        tx.record(Event(type="account.requested", data={"kind": kind}), time=now)

    async def next(self, tx: Transaction) -> AccountRequest | None:
        """One that is due, locked for `tx`."""
        return await store.next_request(tx, now=self._now())

    async def done(self, tx: Transaction, request: AccountRequest) -> None:
        """It was carried out."""
        await store.remove_request(tx, request)

    async def postpone(self, request: AccountRequest, by: timedelta) -> None:
        """It could not be carried out now."""
        await store.postpone_request(self._db, request, until=self._now() + by)
