"""The users and their identifiers in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from argus.storage.postgres import Database, Transaction
from argus.users.model import Holder, Identifier, User

Reader = Database | Transaction

_IDENTIFIER_COLUMNS: Final = "identifier_id, kind, value, verify_time, create_time"
_USER: Final = """
    SELECT u.tenant_id, u.user_id, u.display_name, u.disabled, u.not_before, u.create_time, u.revision,
           ARRAY(SELECT m.group_id FROM group_members m
                  WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id ORDER BY m.group_id) AS groups
      FROM users u"""


async def find(reader: Reader, tenant_id: str, user_id: str) -> User | None:
    """The user with its identifiers and groups, unless it was deleted."""
    row = await reader.fetch_one(
        f"{_USER} WHERE u.tenant_id = %s AND u.user_id = %s AND u.delete_time IS NULL", (tenant_id, user_id)
    )
    return None if row is None else (await _users(reader, tenant_id, [row]))[0]


async def find_by_identifier(reader: Reader, tenant_id: str, canonical: str) -> User | None:
    """The user that has the identifier; a deleted one has none.

    No join: while statistics are missing, PostgreSQL would begin it with all users of the tenant.
    """
    row = await reader.fetch_one(
        f"""{_USER} WHERE u.tenant_id = %s AND u.user_id =
                (SELECT i.user_id FROM identifiers i WHERE i.tenant_id = %s AND i.canonical = %s)""",
        (tenant_id, tenant_id, canonical),
    )
    return None if row is None else (await _users(reader, tenant_id, [row]))[0]


async def find_holder(reader: Reader, tenant_id: str, canonical: str) -> Holder:
    """Who has the identifier, if anybody: always one row, by the same plan, so that time does not tell."""
    row = await reader.fetch_one(
        """SELECT u.user_id, COALESCE(u.disabled, false) AS disabled
             FROM (VALUES (%s::text, %s::text)) AS asked (tenant_id, canonical)
             LEFT JOIN identifiers i USING (tenant_id, canonical)
             LEFT JOIN users u ON u.tenant_id = i.tenant_id AND u.user_id = i.user_id""",
        (tenant_id, canonical),
    )
    if row is None:
        raise LookupError("a left join keeps its row")
    return Holder(**row)


async def page(reader: Reader, tenant_id: str, *, after: tuple[datetime, str] | None, limit: int) -> list[User]:
    """Up to `limit` users in the order of their creation, following `after`."""
    following = "" if after is None else "AND (u.create_time, u.user_id) > (%s, %s)"
    rows = await reader.fetch_all(
        f"""{_USER} WHERE u.tenant_id = %s AND u.delete_time IS NULL {following}
             ORDER BY u.create_time, u.user_id LIMIT %s""",
        (tenant_id, *(after or ()), limit),
    )
    return await _users(reader, tenant_id, rows)


async def lock(tx: Transaction, tenant_id: str, user_id: str) -> User | None:
    """The user, kept from other changes until the transaction ends."""
    row = await tx.fetch_one(
        """SELECT user_id FROM users WHERE tenant_id = %s AND user_id = %s AND delete_time IS NULL
              FOR NO KEY UPDATE""",
        (tenant_id, user_id),
    )
    return None if row is None else await find(tx, tenant_id, user_id)


async def insert(tx: Transaction, user: User) -> None:
    """Writes a new user, without its identifiers."""
    await tx.execute(
        "INSERT INTO users (tenant_id, user_id, display_name, create_time) VALUES (%s, %s, %s, %s)",
        (user.tenant_id, user.user_id, user.display_name, user.create_time),
    )


async def update(tx: Transaction, user: User) -> None:
    """Writes the fields that can change."""
    await tx.execute(
        "UPDATE users SET display_name = %s, disabled = %s, revision = %s WHERE tenant_id = %s AND user_id = %s",
        (user.display_name, user.disabled, user.revision, user.tenant_id, user.user_id),
    )


async def raise_not_before(tx: Transaction, tenant_id: str, user_id: str, at: datetime) -> datetime | None:
    """Moves the user's `not_before` forward, never back; None if there is no such user."""
    row = await tx.fetch_one(
        """UPDATE users SET not_before = GREATEST(not_before, %s)
            WHERE tenant_id = %s AND user_id = %s AND delete_time IS NULL RETURNING not_before""",
        (at, tenant_id, user_id),
    )
    return None if row is None else row["not_before"]


async def delete(tx: Transaction, tenant_id: str, user_id: str, *, at: datetime) -> None:
    """Leaves the user's id for history and forgets its name and identifiers, which are free from then on."""
    await tx.execute("DELETE FROM identifiers WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))
    await tx.execute(
        """UPDATE users SET delete_time = %s, display_name = '', disabled = true, revision = revision + 1
            WHERE tenant_id = %s AND user_id = %s""",
        (at, tenant_id, user_id),
    )


async def insert_identifier(
    tx: Transaction, tenant_id: str, user_id: str, identifier: Identifier, *, canonical: str
) -> bool:
    """Writes an identifier; False if a user of the tenant has it."""
    written = await tx.execute(
        """INSERT INTO identifiers (tenant_id, identifier_id, user_id, kind, value, canonical, create_time)
           VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, canonical) DO NOTHING""",
        (
            tenant_id,
            identifier.identifier_id,
            user_id,
            identifier.kind,
            identifier.value,
            canonical,
            identifier.create_time,
        ),
    )
    return written == 1


async def delete_identifier(tx: Transaction, tenant_id: str, user_id: str, identifier_id: str) -> bool:
    """Deletes an identifier; False if the user has no such one."""
    deleted = await tx.execute(
        "DELETE FROM identifiers WHERE tenant_id = %s AND user_id = %s AND identifier_id = %s",
        (tenant_id, user_id, identifier_id),
    )
    return deleted == 1


async def _users(reader: Reader, tenant_id: str, rows: Sequence[dict[str, Any]]) -> list[User]:
    """Users of these rows, with their identifiers read in one go."""
    found = await reader.fetch_all(
        f"""SELECT user_id, {_IDENTIFIER_COLUMNS} FROM identifiers
             WHERE tenant_id = %s AND user_id = ANY(%s) ORDER BY create_time, identifier_id""",
        (tenant_id, [row["user_id"] for row in rows]),
    )
    identifiers: dict[str, list[Identifier]] = {row["user_id"]: [] for row in rows}
    for row in found:
        identifiers[row.pop("user_id")].append(Identifier(**row))
    return [User(**{**row, "identifiers": identifiers[row["user_id"]]}) for row in rows]
