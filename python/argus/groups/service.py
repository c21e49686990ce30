"""What can be done with groups."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime

from argus.base import ids, pages
from argus.base.errors import PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.groups import store
from argus.groups.model import (
    Group,
    GroupExistsError,
    GroupNotFoundError,
    MemberNotFoundError,
    check_group,
    is_group_id,
)
from argus.storage.postgres import Database, Transaction


class Groups:
    """The groups of all tenants."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now

    async def create(self, tenant_id: str, group_id: str, *, display_name: str = "", origin: Origin) -> Group:
        """Creates a group.

        Raises:
            GroupExistsError: The id is taken.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check_group(group_id, display_name)
        now = self._now()
        group = Group(
            tenant_id=tenant_id, group_id=group_id, display_name=display_name, member_count=0, create_time=now
        )
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.group_name(tenant_id, group_id), now=now)
            if not await store.insert(tx, group):
                raise GroupExistsError("group_id")
            tx.record(Event(type="group.created", data={"group": group_id}), time=now)
        return group

    async def get(self, tenant_id: str, group_id: str, *, reader: Transaction | None = None) -> Group:
        """The group, as `reader` sees it if one is given.

        Raises:
            GroupNotFoundError: There is none of that id.
        """
        return await self._found(reader or self._db, tenant_id, group_id)

    async def list(self, tenant_id: str, *, page_size: int, page_token: str = "") -> tuple[Sequence[Group], str]:
        """A page of groups by id, and the token of the next one ("": this is the last)."""
        kind = f"groups:{tenant_id}"
        key = pages.decode_page(kind, page_token) if page_token else ("",)
        if len(key) != 1:
            raise PageTokenInvalidError
        found = await store.page(self._db, tenant_id, after=key[0], limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        return found[:page_size], pages.encode_page(kind, (found[page_size - 1].group_id,))

    async def delete(
        self,
        tenant_id: str,
        group_id: str,
        *,
        origin: Origin,
        also: Callable[[Transaction], Awaitable[None]] | None = None,
    ) -> None:
        """Deletes a group; its members stay.

        Args:
            tenant_id: Tenant.
            group_id: Group.
            origin: On whose behalf.
            also: Done in the same transaction.

        Raises:
            GroupNotFoundError: There is none of that id.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.group_name(tenant_id, group_id), now=now)
            if not await store.delete(tx, tenant_id, group_id):
                raise GroupNotFoundError(group_id)
            if also is not None:
                await also(tx)
            tx.record(Event(type="group.deleted", data={"group": group_id}), time=now)

    async def add_member(self, tenant_id: str, group_id: str, user_id: str, *, origin: Origin) -> Group:
        """Puts a user into a group; one that is in it stays in it.

        Raises:
            GroupNotFoundError: There is no such group.
            MemberNotFoundError: There is no such user.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.group_name(tenant_id, group_id), now=now)
            await self._lock(tx, tenant_id, group_id, user_id)
            if await store.insert_member(tx, tenant_id, group_id, user_id, at=now):
                tx.record(Event(type="group.member_added", user_id=user_id, data={"group": group_id}), time=now)
            return await self._found(tx, tenant_id, group_id)

    async def existing(self, tx: Transaction, tenant_id: str, group_ids: Collection[str]) -> set[str]:
        """Those of the groups that there are; none of them goes away before `tx` ends."""
        return await store.lock_all(tx, tenant_id, sorted(filter(is_group_id, group_ids))) if group_ids else set()

    async def put_all(self, tx: Transaction, tenant_id: str, groups: Mapping[str, Collection[str]]) -> None:
        """Puts new users into groups that there are, within `tx`.

        Args:
            tx: Transaction.
            tenant_id: Tenant.
            groups: Ids of the groups by user id.
        """
        rows = [(group_id, user_id) for user_id, group_ids in groups.items() for group_id in dict.fromkeys(group_ids)]
        if rows:
            await store.insert_members(tx, tenant_id, rows, at=self._now())

    async def remove_member(self, tenant_id: str, group_id: str, user_id: str, *, origin: Origin) -> Group:
        """Takes a user out of a group; one that is not in it stays out.

        Raises:
            GroupNotFoundError: There is no such group.
            MemberNotFoundError: There is no such user.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.group_name(tenant_id, group_id), now=now)
            await self._lock(tx, tenant_id, group_id, user_id)
            if await store.delete_member(tx, tenant_id, group_id, user_id):
                tx.record(Event(type="group.member_removed", user_id=user_id, data={"group": group_id}), time=now)
            return await self._found(tx, tenant_id, group_id)

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Takes a user out of all its groups, within `tx`."""
        await store.delete_memberships(tx, tenant_id, user_id)

    async def _lock(self, tx: Transaction, tenant_id: str, group_id: str, user_id: str) -> None:
        if not await store.lock(tx, tenant_id, group_id):
            raise GroupNotFoundError(group_id)
        if not await store.lock_member(tx, tenant_id, user_id):
            raise MemberNotFoundError(user_id)

    async def _found(self, reader: Database | Transaction, tenant_id: str, group_id: str) -> Group:
        group = await store.find(reader, tenant_id, group_id)
        if group is None:
            raise GroupNotFoundError(group_id)
        return group
