"""What can be done with users."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from argus.base import ids, pages
from argus.base.errors import EtagMismatchError, InvalidFieldError, PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.storage.postgres import Database, Transaction
from argus.users import store
from argus.users.model import (
    MAX_IDENTIFIERS,
    Holder,
    Identifier,
    IdentifierNotFoundError,
    IdentifierTakenError,
    NewIdentifier,
    User,
    UserNotFoundError,
    canonical_identifier,
    check_display_name,
    check_identifier,
)

_POSITION_PARTS = 2


class Users:
    """The users of all tenants."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now

    async def create(
        self,
        tenant_id: str,
        *,
        display_name: str = "",
        identifiers: Sequence[NewIdentifier],
        origin: Origin,
        also: Callable[[Transaction, User], Awaitable[None]] | None = None,
    ) -> User:
        """Creates a user.

        Args:
            tenant_id: Tenant.
            display_name: Name for people.
            identifiers: What it signs in with, one to ten.
            origin: On whose behalf.
            also: Done in the same transaction (a first password, say).

        Raises:
            IdentifierTakenError: A user of the tenant has one of the identifiers.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check_display_name(display_name, field="user.display_name")
        canonical = check_identifiers(identifiers)
        now = self._now()
        user = User(
            tenant_id=tenant_id,
            user_id=ids.new_id(),
            display_name=display_name,
            disabled=False,
            not_before=None,
            create_time=now,
            revision=1,
            # A microsecond apart, finer than the clock, so that they keep their order.
            identifiers=[
                _made(identifier, now + timedelta(microseconds=index)) for index, identifier in enumerate(identifiers)
            ],
            groups=[],
        )
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.user_name(tenant_id, user.user_id), now=now)
            await store.insert(tx, user)
            for index, identifier in enumerate(user.identifiers):
                if not await store.insert_identifier(
                    tx, tenant_id, user.user_id, identifier, canonical=canonical[index]
                ):
                    raise IdentifierTakenError(f"user.identifiers[{index}].value")
            if also is not None:
                await also(tx, user)
            tx.record(Event(type="user.created", user_id=user.user_id), time=now)
        return user

    async def get(self, tenant_id: str, user_id: str) -> User:
        """The user.

        Raises:
            UserNotFoundError: There is none, or it was deleted.
        """
        user = await store.find(self._db, tenant_id, user_id)
        if user is None:
            raise UserNotFoundError(user_id)
        return user

    async def find_by_identifier(self, tenant_id: str, identifier: str) -> User | None:
        """The user that has the identifier, however it is written."""
        return await store.find_by_identifier(self._db, tenant_id, canonical_identifier(identifier))

    async def holder(self, tenant_id: str, identifier: str) -> Holder:
        """Who has the identifier, at the same cost whether anybody has it: for those who have proven nothing yet."""
        return await store.find_holder(self._db, tenant_id, canonical_identifier(identifier))

    async def list(self, tenant_id: str, *, page_size: int, page_token: str = "") -> tuple[Sequence[User], str]:
        """A page of users in the order of their creation, and the token of the next one ("": this is the last)."""
        kind = f"users:{tenant_id}"
        after = _position(kind, page_token) if page_token else None
        found = await store.page(self._db, tenant_id, after=after, limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        last = found[page_size - 1]
        return found[:page_size], pages.encode_page(kind, (last.create_time.isoformat(), last.user_id))

    async def update(self, tenant_id: str, user_id: str, *, display_name: str, etag: str = "", origin: Origin) -> User:
        """Changes the display name.

        Raises:
            UserNotFoundError: There is no such user.
            EtagMismatchError: It changed since `etag` was read.
        """
        check_display_name(display_name, field="user.display_name")
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.user_name(tenant_id, user_id), now=now)
            user = await self._locked(tx, tenant_id, user_id)
            if etag and etag != ids.etag(user.revision):
                raise EtagMismatchError(ids.etag(user.revision))
            changed = replace(user, display_name=display_name, revision=user.revision + 1)
            await store.update(tx, changed)
            tx.record(Event(type="user.updated", user_id=user_id), time=now)
        return changed

    async def set_disabled(
        self, tx: Transaction, tenant_id: str, user_id: str, *, disabled: bool, comment: str = ""
    ) -> User:
        """Closes or opens sign-in for a user, within `tx`; what is so already stays so.

        Raises:
            UserNotFoundError: There is no such user.
        """
        user = await self._locked(tx, tenant_id, user_id)
        if user.disabled == disabled:
            return user
        changed = replace(user, disabled=disabled, revision=user.revision + 1)
        await store.update(tx, changed)
        event = "user.disabled" if disabled else "user.enabled"
        tx.record(Event(type=event, user_id=user_id, data=_note(comment)), time=self._now())
        return changed

    async def delete(self, tx: Transaction, tenant_id: str, user_id: str, *, comment: str = "") -> None:
        """Deletes a user and its identifiers, within `tx`.

        Raises:
            UserNotFoundError: There is no such user.
        """
        await self._locked(tx, tenant_id, user_id)
        now = self._now()
        await store.delete(tx, tenant_id, user_id, at=now)
        tx.record(Event(type="user.deleted", user_id=user_id, data=_note(comment)), time=now)

    async def set_not_before(self, tx: Transaction, tenant_id: str, user_id: str, at: datetime) -> datetime:
        """Ends every session of the user that was created up to `at`; the instant that counts is returned.

        Raises:
            UserNotFoundError: There is no such user.
        """
        not_before = await store.raise_not_before(tx, tenant_id, user_id, at)
        if not_before is None:
            raise UserNotFoundError(user_id)
        return not_before

    async def add_identifier(
        self, tenant_id: str, user_id: str, identifier: NewIdentifier, *, origin: Origin
    ) -> Identifier:
        """Adds an identifier to a user.

        Raises:
            UserNotFoundError: There is no such user.
            IdentifierTakenError: A user of the tenant has the identifier.
        """
        canonical = check_identifier(identifier.kind, identifier.value, field="identifier.value")
        now = self._now()
        added = _made(identifier, now)
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.identifier_name(tenant_id, user_id, added.identifier_id), now=now)
            user = await self._locked(tx, tenant_id, user_id)
            if len(user.identifiers) >= MAX_IDENTIFIERS:
                raise InvalidFieldError("identifier", f"a user has at most {MAX_IDENTIFIERS} identifiers")
            if not await store.insert_identifier(tx, tenant_id, user_id, added, canonical=canonical):
                raise IdentifierTakenError("identifier.value")
            await store.update(tx, replace(user, revision=user.revision + 1))
            tx.record(Event(type="identifier.added", user_id=user_id, data={"kind": added.kind}), time=now)
        return added

    async def remove_identifier(self, tenant_id: str, user_id: str, identifier_id: str, *, origin: Origin) -> None:
        """Takes an identifier from a user.

        Raises:
            UserNotFoundError: There is no such user.
            IdentifierNotFoundError: It has no such identifier.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.identifier_name(tenant_id, user_id, identifier_id), now=now)
            user = await self._locked(tx, tenant_id, user_id)
            if not await store.delete_identifier(tx, tenant_id, user_id, identifier_id):
                raise IdentifierNotFoundError(identifier_id)
            await store.update(tx, replace(user, revision=user.revision + 1))
            tx.record(Event(type="identifier.removed", user_id=user_id), time=now)

    async def _locked(self, tx: Transaction, tenant_id: str, user_id: str) -> User:
        user = await store.lock(tx, tenant_id, user_id)
        if user is None:
            raise UserNotFoundError(user_id)
        return user


def check_identifiers(identifiers: Sequence[NewIdentifier]) -> list[str]:
    """The canonical forms of a new user's identifiers.

    Raises:
        InvalidFieldError: There are none or too many, one of them is malformed, or two are the same.
    """
    if not identifiers:
        raise InvalidFieldError("user.identifiers", "at least one is required")
    if len(identifiers) > MAX_IDENTIFIERS:
        raise InvalidFieldError("user.identifiers", f"must have at most {MAX_IDENTIFIERS} items")
    canonical: list[str] = []
    for index, identifier in enumerate(identifiers):
        field = f"user.identifiers[{index}].value"
        form = check_identifier(identifier.kind, identifier.value, field=field)
        if form in canonical:
            raise InvalidFieldError(field, "is the same as another one")
        canonical.append(form)
    return canonical


def _made(identifier: NewIdentifier, now: datetime) -> Identifier:
    return Identifier(
        identifier_id=ids.new_id(), kind=identifier.kind, value=identifier.value, verify_time=None, create_time=now
    )


def _note(comment: str) -> dict[str, str]:
    return {"comment": comment} if comment else {}


def _position(kind: str, page_token: str) -> tuple[datetime, str]:
    key = pages.decode_page(kind, page_token)
    try:
        created, user_id = key
        return datetime.fromisoformat(created), user_id
    except ValueError:
        raise PageTokenInvalidError from None
