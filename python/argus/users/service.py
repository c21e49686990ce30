"""What can be done with users."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from argus.base import ids, pages
from argus.base.errors import EtagMismatchError, InvalidFieldError, PageTokenInvalidError
from argus.base.events import Event
from argus.base.languages import check_locale
from argus.base.origin import Origin
from argus.storage.postgres import Database, Transaction
from argus.users import store
from argus.users.model import (
    MAX_IDENTIFIERS,
    UNUSED,
    Holder,
    Identifier,
    IdentifierNotFoundError,
    IdentifierRaceError,
    IdentifierTakenError,
    NewIdentifier,
    NewUser,
    Reader,
    TakenOver,
    User,
    UserNotFoundError,
    canonical_identifier,
    check_display_name,
    check_identifier,
    check_new_user,
)
from argus.users.unused import UnusedUsers

_POSITION_PARTS = 2


class Users:
    """The users of all tenants."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now
        self.unused = UnusedUsers(db)
        self._reads = db.reads("users", lambda keys: store.find_all(db, keys))

    async def create(
        self,
        tenant_id: str,
        *,
        display_name: str = "",
        locale: str = "",
        identifiers: Sequence[NewIdentifier],
        origin: Origin,
        also: Callable[[Transaction, User], Awaitable[None]] | None = None,
    ) -> User:
        """Creates a user.

        Args:
            tenant_id: Tenant.
            display_name: Name for people.
            locale: Language that it is written to in, as BCP 47; empty: none is known.
            identifiers: What it signs in with, one to ten.
            origin: On whose behalf.
            also: Done in the same transaction (a first password, say).

        Raises:
            IdentifierTakenError: A user of the tenant has one of the identifiers.
            RequestAlreadyDoneError: The request was carried out before.
        """
        new = NewUser(display_name=display_name, locale=locale, identifiers=identifiers)
        canonical = check_new_user(new)
        now = self._now()
        user = _new_user(tenant_id, new, now)
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

    async def take_over(self, tx: Transaction, tenant_id: str, users: Sequence[NewUser]) -> Sequence[TakenOver]:
        """Makes users that come from another system, within `tx`; who is there already stays as it is.

        Args:
            tx: Transaction.
            tenant_id: Tenant.
            users: Users that `check_new_user` let pass.

        Raises:
            IdentifierRaceError: Somebody took an identifier meanwhile; nothing may be committed.
        """
        canonicals = [check_new_user(user) for user in users]
        holders = await store.holders(tx, tenant_id, sorted({form for forms in canonicals for form in forms}))
        outcomes: list[TakenOver] = []
        made: list[tuple[User, Sequence[str]]] = []
        for new, forms in zip(users, canonicals, strict=True):
            found = {holders.get(form) for form in forms}
            taken = [index for index, form in enumerate(forms) if form in holders]
            if not taken:
                user = _new_user(tenant_id, new, self._now())
                made.append((user, forms))
                holders |= dict.fromkeys(forms, user.user_id)
                outcomes.append(TakenOver(user_id=user.user_id, is_new=True))
            elif len(found) == 1:
                outcomes.append(TakenOver(user_id=holders[forms[0]]))
            else:
                outcomes.append(TakenOver(error=IdentifierTakenError(f"user.identifiers[{taken[0]}].value")))
        if made and not await store.insert_all(tx, [user for user, _ in made], [forms for _, forms in made]):
            raise IdentifierRaceError
        return outcomes

    async def get(self, tenant_id: str, user_id: str, *, reader: Transaction | None = None) -> User:
        """The user, as `reader` sees it if one is given.

        Raises:
            UserNotFoundError: There is none, or it was deleted.
        """
        key = (tenant_id, user_id)
        user = await self._reads(key) if reader is None else await store.find(reader, *key)
        if user is None:
            raise UserNotFoundError(user_id)
        return user

    async def find_by_identifier(self, tenant_id: str, identifier: str) -> User | None:
        """The user that has the identifier, however it is written."""
        return await store.find_by_identifier(self._db, tenant_id, canonical_identifier(identifier))

    async def holder(self, tenant_id: str, identifier: str) -> Holder:
        """Who has the identifier, at the same cost whether anybody has it: for those who have proven nothing yet."""
        return await store.find_holder(self._db, tenant_id, canonical_identifier(identifier))

    async def readers(self, tx: Transaction, users: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Reader]:
        """Who gets the mail of users (tenant, user) that were not deleted, as `tx` sees it."""
        found = await store.find_readers(tx, users)
        return {
            user: Reader(
                locale=locale,
                addresses=[value for value, is_verified in addresses if is_verified]
                or [value for value, _ in addresses[:1]],
            )
            for user, (locale, addresses) in found.items()
        }

    async def verify_address(self, tx: Transaction, tenant_id: str, user_id: str, address: str) -> bool:
        """Notes that the user reads the mail of an address, within `tx`; False: the address is not its own."""
        canonical = canonical_identifier(address)
        return await store.verify_address(tx, tenant_id, user_id, canonical, at=self._now())

    async def list(self, tenant_id: str, *, page_size: int, page_token: str = "") -> tuple[Sequence[User], str]:
        """A page of users in the order of their creation, and the token of the next one ("": this is the last)."""
        kind = f"users:{tenant_id}"
        after = _position(kind, page_token) if page_token else None
        found = await store.page(self._db, tenant_id, after=after, limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        last = found[page_size - 1]
        return found[:page_size], pages.encode_page(kind, (last.create_time.isoformat(), last.user_id))

    async def update(
        self,
        tenant_id: str,
        user_id: str,
        *,
        display_name: str | None = None,
        locale: str | None = None,
        etag: str = "",
        origin: Origin,
    ) -> User:
        """Changes the display name, the locale, or both.

        Raises:
            InvalidFieldError: The name is too long, or the locale none.
            UserNotFoundError: There is no such user.
            EtagMismatchError: It changed since `etag` was read.
        """
        check_display_name(display_name or "", field="user.display_name")
        check_locale(locale or "", field="user.locale")
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.user_name(tenant_id, user_id), now=now)
            user = await self._locked(tx, tenant_id, user_id)
            if etag and etag != ids.etag(user.revision):
                raise EtagMismatchError(ids.etag(user.revision))
            changed = replace(
                user,
                display_name=user.display_name if display_name is None else display_name,
                locale=user.locale if locale is None else locale,
                revision=user.revision + 1,
            )
            await store.update(tx, changed)
            tx.record(Event(type="user.updated", user_id=user_id), time=now)
        return changed

    async def set_disabled(
        self,
        tx: Transaction,
        tenant_id: str,
        user_id: str,
        *,
        disabled: bool,
        comment: str = "",
        reason: str | None = None,
    ) -> User:
        """Closes or opens sign-in for a user, within `tx`; what is so already stays so.

        Args:
            tx: Transaction.
            tenant_id: Tenant.
            user_id: User.
            disabled: Which of both.
            comment: Why, in an administrator's words.
            reason: Why, where Argus itself does it: nobody has used it.

        Raises:
            UserNotFoundError: There is no such user.
        """
        user = await self._locked(tx, tenant_id, user_id)
        if user.disabled == disabled:
            if reason is None:  # somebody has looked at it: it is no longer one that nobody cares for
                await store.mark_disabled(tx, tenant_id, user_id, unused=None)
            return user
        changed = replace(user, disabled=disabled, revision=user.revision + 1)
        await store.update(tx, changed)
        if disabled:
            await store.mark_disabled(tx, tenant_id, user_id, unused=self._now() if reason == UNUSED else None)
        else:
            await store.mark_enabled(tx, tenant_id, user_id, at=self._now())
        event = "user.disabled" if disabled else "user.enabled"
        tx.record(Event(type=event, reason=reason, user_id=user_id, data=_note(comment)), time=self._now())
        return changed

    async def delete(
        self, tx: Transaction, tenant_id: str, user_id: str, *, comment: str = "", reason: str | None = None
    ) -> None:
        """Deletes a user and its identifiers, within `tx`.

        Raises:
            UserNotFoundError: There is no such user.
        """
        await self._locked(tx, tenant_id, user_id)
        now = self._now()
        await store.delete(tx, tenant_id, user_id, at=now)
        tx.record(Event(type="user.deleted", reason=reason, user_id=user_id, data=_note(comment)), time=now)

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
            data, told = {"kind": added.kind}, {"value": added.value}
            tx.record(Event(type="identifier.added", user_id=user_id, data=data, told=told), time=now)
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
            removed = next((one for one in user.identifiers if one.identifier_id == identifier_id), None)
            if removed is None:
                raise IdentifierNotFoundError(identifier_id)
            await store.delete_identifier(tx, tenant_id, user_id, identifier_id)
            await store.update(tx, replace(user, revision=user.revision + 1))
            data, told = {"kind": removed.kind}, {"value": removed.value}
            tx.record(Event(type="identifier.removed", user_id=user_id, data=data, told=told), time=now)

    async def _locked(self, tx: Transaction, tenant_id: str, user_id: str) -> User:
        user = await store.lock(tx, tenant_id, user_id)
        if user is None:
            raise UserNotFoundError(user_id)
        return user


def _new_user(tenant_id: str, new: NewUser, now: datetime) -> User:
    return User(
        tenant_id=tenant_id,
        user_id=ids.new_id(),
        display_name=new.display_name,
        locale=new.locale,
        disabled=new.disabled,
        not_before=None,
        create_time=now,
        revision=1,
        # A microsecond apart, finer than the clock, so that they keep their order.
        identifiers=[
            _made(identifier, now + timedelta(microseconds=index)) for index, identifier in enumerate(new.identifiers)
        ],
        groups=[],
    )


def _made(identifier: NewIdentifier, now: datetime) -> Identifier:
    return Identifier(
        identifier_id=ids.new_id(),
        kind=identifier.kind,
        value=identifier.value,
        verify_time=identifier.verify_time,
        create_time=now,
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
