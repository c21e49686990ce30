"""The users and their identifiers in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction
from argus.users.model import Holder, Identifier, User

Reader = Database | Transaction

# With all that belongs to it in one statement: who begins a session waits for it.
_USER: Final = """
    SELECT u.tenant_id, u.user_id, u.display_name, u.disabled, u.not_before, u.create_time, u.revision, u.locale,
           ARRAY(SELECT m.group_id FROM group_members m
                  WHERE m.tenant_id = u.tenant_id AND m.user_id = u.user_id ORDER BY m.group_id) AS groups,
           (SELECT json_agg(i ORDER BY i.create_time, i.identifier_id)
              FROM (SELECT identifier_id, kind, value, verify_time, create_time FROM identifiers
                     WHERE tenant_id = u.tenant_id AND user_id = u.user_id) AS i) AS identifiers
      FROM users u"""


async def find(reader: Reader, tenant_id: str, user_id: str) -> User | None:
    """The user with its identifiers and groups, unless it was deleted."""
    row = await reader.fetch_one(
        f"{_USER} WHERE u.tenant_id = %s AND u.user_id = %s AND u.delete_time IS NULL", (tenant_id, user_id)
    )
    return None if row is None else _user(row)


async def find_all(db: Database, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], User]:
    """The users of those tenants and ids with their identifiers and groups, but for those that were deleted."""
    rows = await db.fetch_all(
        f"""{_USER} JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, user_id)
                ON u.tenant_id = w.tenant_id AND u.user_id = w.user_id
             WHERE u.delete_time IS NULL""",
        columns(keys),
    )
    return {(row["tenant_id"], row["user_id"]): _user(row) for row in rows}


async def find_by_identifier(reader: Reader, tenant_id: str, canonical: str) -> User | None:
    """The user that has the identifier; a deleted one has none.

    No join: while statistics are missing, PostgreSQL would begin it with all users of the tenant.
    """
    row = await reader.fetch_one(
        f"""{_USER} WHERE u.tenant_id = %s AND u.user_id =
                (SELECT i.user_id FROM identifiers i WHERE i.tenant_id = %s AND i.canonical = %s)""",
        (tenant_id, tenant_id, canonical),
    )
    return None if row is None else _user(row)


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


async def find_readers(
    reader: Reader, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], tuple[str, list[tuple[str, bool]]]]:
    """The locales of users, and their e-mail addresses, the oldest first, with whether each is verified."""
    rows = await reader.fetch_all(
        """SELECT u.tenant_id, u.user_id, u.locale, i.value, i.verify_time IS NOT NULL AS verified
             FROM users u JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, user_id) USING (tenant_id, user_id)
             LEFT JOIN identifiers i
                  ON i.tenant_id = u.tenant_id AND i.user_id = u.user_id AND i.kind = 'email'
            WHERE u.delete_time IS NULL ORDER BY i.create_time, i.identifier_id""",
        columns(keys),
    )
    found: dict[tuple[str, str], tuple[str, list[tuple[str, bool]]]] = {}
    for row in rows:
        _, addresses = found.setdefault((row["tenant_id"], row["user_id"]), (row["locale"], []))
        if row["value"] is not None:
            addresses.append((row["value"], row["verified"]))
    return found


async def verify_address(tx: Transaction, tenant_id: str, user_id: str, canonical: str, *, at: datetime) -> bool:
    """Notes when an address was first verified; False if it is not the user's."""
    written = await tx.execute(
        """UPDATE identifiers SET verify_time = COALESCE(verify_time, %s)
            WHERE tenant_id = %s AND user_id = %s AND kind = 'email' AND canonical = %s""",
        (at, tenant_id, user_id, canonical),
    )
    return written == 1


async def holders(tx: Transaction, tenant_id: str, canonicals: Sequence[str]) -> dict[str, str]:
    """Who has which of these identifiers: user ids by identifier."""
    rows = await tx.fetch_all(
        "SELECT canonical, user_id FROM identifiers WHERE tenant_id = %s AND canonical = ANY(%s)",
        (tenant_id, list(canonicals)),
    )
    return {row["canonical"]: row["user_id"] for row in rows}


async def page(reader: Reader, tenant_id: str, *, after: tuple[datetime, str] | None, limit: int) -> list[User]:
    """Up to `limit` users in the order of their creation, following `after`."""
    following = "" if after is None else "AND (u.create_time, u.user_id) > (%s, %s)"
    rows = await reader.fetch_all(
        f"""{_USER} WHERE u.tenant_id = %s AND u.delete_time IS NULL {following}
             ORDER BY u.create_time, u.user_id LIMIT %s""",
        (tenant_id, *(after or ()), limit),
    )
    return [_user(row) for row in rows]


async def mark_enabled(tx: Transaction, tenant_id: str, user_id: str, *, at: datetime) -> None:
    """Notes when a user was enabled again."""
    await tx.execute(
        "UPDATE users SET enable_time = %s, unused_time = NULL WHERE tenant_id = %s AND user_id = %s",
        (at, tenant_id, user_id),
    )


async def mark_disabled(tx: Transaction, tenant_id: str, user_id: str, *, unused: datetime | None) -> None:
    """Notes when a user was disabled because nobody had used it; None: it was disabled for another reason."""
    await tx.execute(
        "UPDATE users SET unused_time = %s WHERE tenant_id = %s AND user_id = %s", (unused, tenant_id, user_id)
    )


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
        "INSERT INTO users (tenant_id, user_id, display_name, locale, create_time) VALUES (%s, %s, %s, %s, %s)",
        (user.tenant_id, user.user_id, user.display_name, user.locale, user.create_time),
    )


async def insert_all(tx: Transaction, users: Sequence[User], canonicals: Sequence[Sequence[str]]) -> bool:
    """Writes new users and their identifiers; False if somebody has one of the identifiers."""
    await tx.execute(
        """INSERT INTO users (tenant_id, user_id, display_name, locale, disabled, create_time)
           SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::timestamptz[])""",
        columns(
            [(one.tenant_id, one.user_id, one.display_name, one.locale, one.disabled, one.create_time) for one in users]
        ),
    )
    rows = [
        (
            user.tenant_id,
            one.identifier_id,
            user.user_id,
            one.kind,
            one.value,
            canonical,
            one.verify_time,
            one.create_time,
        )
        for user, forms in zip(users, canonicals, strict=True)
        for one, canonical in zip(user.identifiers, forms, strict=True)
    ]
    # In one order, so that two of these never wait for each other.
    written = await tx.execute(
        """INSERT INTO identifiers
                  (tenant_id, identifier_id, user_id, kind, value, canonical, verify_time, create_time)
           SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                                %s::timestamptz[], %s::timestamptz[]) AS w (t, i, u, k, v, c, verified, created)
            ORDER BY w.c
           ON CONFLICT (tenant_id, canonical) DO NOTHING""",
        columns(rows),
    )
    return written == len(rows)


async def update(tx: Transaction, user: User) -> None:
    """Writes the fields that can change."""
    await tx.execute(
        """UPDATE users SET display_name = %s, locale = %s, disabled = %s, revision = %s
            WHERE tenant_id = %s AND user_id = %s""",
        (user.display_name, user.locale, user.disabled, user.revision, user.tenant_id, user.user_id),
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
    """Leaves the user's id for history and forgets what it is called; its identifiers are free from then on."""
    await tx.execute("DELETE FROM identifiers WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))
    await tx.execute(
        """UPDATE users SET delete_time = %s, display_name = '', locale = '', disabled = true, revision = revision + 1
            WHERE tenant_id = %s AND user_id = %s""",
        (at, tenant_id, user_id),
    )


async def insert_identifier(
    tx: Transaction, tenant_id: str, user_id: str, identifier: Identifier, *, canonical: str
) -> bool:
    """Writes an identifier; False if a user of the tenant has it."""
    written = await tx.execute(
        """INSERT INTO identifiers (tenant_id, identifier_id, user_id, kind, value, canonical, verify_time, create_time)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, canonical) DO NOTHING""",
        (
            tenant_id,
            identifier.identifier_id,
            user_id,
            identifier.kind,
            identifier.value,
            canonical,
            identifier.verify_time,
            identifier.create_time,
        ),
    )
    return written == 1


async def delete_identifier(tx: Transaction, tenant_id: str, user_id: str, identifier_id: str) -> None:
    """Deletes an identifier of a user."""
    await tx.execute(
        "DELETE FROM identifiers WHERE tenant_id = %s AND user_id = %s AND identifier_id = %s",
        (tenant_id, user_id, identifier_id),
    )


def _user(row: dict[str, Any]) -> User:
    return User(**{**row, "identifiers": [_identifier(one) for one in row["identifiers"] or ()]})


def _identifier(content: dict[str, Any]) -> Identifier:
    """JSON has no times."""
    times = {name: _time(content[name]) for name in ("verify_time", "create_time")}
    return Identifier(**{**content, **times})


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
