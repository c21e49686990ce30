"""The groups in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from argus.groups.model import Group
from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction

_GROUP: Final = """
    SELECT g.tenant_id, g.group_id, g.display_name, g.create_time,
           (SELECT count(*) FROM group_members m WHERE m.tenant_id = g.tenant_id AND m.group_id = g.group_id)
           AS member_count
      FROM groups g"""


async def find(reader: Database | Transaction, tenant_id: str, group_id: str) -> Group | None:
    """The group, if there is one of that id."""
    row = await reader.fetch_one(f"{_GROUP} WHERE g.tenant_id = %s AND g.group_id = %s", (tenant_id, group_id))
    return None if row is None else Group(**row)


async def page(db: Database, tenant_id: str, *, after: str, limit: int) -> list[Group]:
    """Up to `limit` groups whose ids follow `after`."""
    rows = await db.fetch_all(
        f"{_GROUP} WHERE g.tenant_id = %s AND g.group_id > %s ORDER BY g.group_id LIMIT %s", (tenant_id, after, limit)
    )
    return [Group(**row) for row in rows]


async def insert(tx: Transaction, group: Group) -> bool:
    """Writes a new group; False if its id is taken."""
    written = await tx.execute(
        """INSERT INTO groups (tenant_id, group_id, display_name, create_time) VALUES (%s, %s, %s, %s)
           ON CONFLICT DO NOTHING""",
        (group.tenant_id, group.group_id, group.display_name, group.create_time),
    )
    return written == 1


async def lock(tx: Transaction, tenant_id: str, group_id: str) -> bool:
    """Keeps the group from being deleted until the transaction ends; False if there is none."""
    row = await tx.fetch_one(
        "SELECT group_id FROM groups WHERE tenant_id = %s AND group_id = %s FOR KEY SHARE", (tenant_id, group_id)
    )
    return row is not None


async def lock_member(tx: Transaction, tenant_id: str, user_id: str) -> bool:
    """Keeps the user from being deleted until the transaction ends; False if there is none."""
    row = await tx.fetch_one(
        "SELECT user_id FROM users WHERE tenant_id = %s AND user_id = %s AND delete_time IS NULL FOR SHARE",
        (tenant_id, user_id),
    )
    return row is not None


async def delete(tx: Transaction, tenant_id: str, group_id: str) -> bool:
    """Deletes a group and its memberships; False if there is none."""
    return await tx.execute("DELETE FROM groups WHERE tenant_id = %s AND group_id = %s", (tenant_id, group_id)) == 1


async def insert_member(tx: Transaction, tenant_id: str, group_id: str, user_id: str, *, at: datetime) -> bool:
    """Writes a membership; False if there was one."""
    written = await tx.execute(
        """INSERT INTO group_members (tenant_id, group_id, user_id, create_time) VALUES (%s, %s, %s, %s)
           ON CONFLICT DO NOTHING""",
        (tenant_id, group_id, user_id, at),
    )
    return written == 1


async def lock_all(tx: Transaction, tenant_id: str, group_ids: Sequence[str]) -> set[str]:
    """Those of the groups that there are, kept from being deleted until the transaction ends."""
    rows = await tx.fetch_all(
        "SELECT group_id FROM groups WHERE tenant_id = %s AND group_id = ANY(%s) ORDER BY group_id FOR KEY SHARE",
        (tenant_id, list(group_ids)),
    )
    return {row["group_id"] for row in rows}


async def insert_members(tx: Transaction, tenant_id: str, rows: Sequence[tuple[str, str]], *, at: datetime) -> None:
    """Writes memberships of new users: group and user of each."""
    await tx.execute(
        """INSERT INTO group_members (tenant_id, create_time, group_id, user_id)
           SELECT %s, %s, * FROM unnest(%s::text[], %s::text[])""",
        (tenant_id, at, *columns(rows)),
    )


async def delete_member(tx: Transaction, tenant_id: str, group_id: str, user_id: str) -> bool:
    """Deletes a membership; False if there was none."""
    deleted = await tx.execute(
        "DELETE FROM group_members WHERE tenant_id = %s AND group_id = %s AND user_id = %s",
        (tenant_id, group_id, user_id),
    )
    return deleted == 1


async def delete_memberships(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Deletes all memberships of a user."""
    await tx.execute("DELETE FROM group_members WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))
