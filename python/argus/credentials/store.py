"""The credentials in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from argus.credentials.model import Credential, CredentialKind
from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction

_COLUMNS: Final = (
    "tenant_id, credential_id, user_id, kind, display_name, create_time, last_use_time, closed_to_unknown_devices"
)


# Peers are found by an index of their own, at once, whatever PostgreSQL believes of the table; one of another tenant,
# behind the last of this one, is left out.
_FIND: Final = """
    SELECT c.credential_id, c.secret_hash, c.closed_to_unknown_devices, c.to_be_replaced, peer.secret_hash AS peer_hash
      FROM (VALUES (%(tenant)s::text, %(user)s::text, %(point)s::text)) AS asked (tenant_id, user_id, point)
      LEFT JOIN credentials c
           ON c.tenant_id = asked.tenant_id AND c.user_id = asked.user_id AND c.kind = 'password'
      LEFT JOIN LATERAL (
           SELECT near.secret_hash FROM (
                  (SELECT 1 AS turn, n.tenant_id, n.secret_hash FROM credentials n
                    WHERE (n.tenant_id || '/' || n.credential_id) COLLATE "C" >= asked.tenant_id || '/' || asked.point
                      AND n.kind = 'password'
                    ORDER BY (n.tenant_id || '/' || n.credential_id) COLLATE "C" LIMIT 1)
                  UNION ALL
                  (SELECT 2 AS turn, n.tenant_id, n.secret_hash FROM credentials n
                    WHERE (n.tenant_id || '/' || n.credential_id) COLLATE "C" >= asked.tenant_id || '/'
                      AND n.kind = 'password'
                    ORDER BY (n.tenant_id || '/' || n.credential_id) COLLATE "C" LIMIT 1)) AS near
            WHERE near.tenant_id = asked.tenant_id ORDER BY near.turn LIMIT 1) AS peer ON true"""


async def find_password(db: Database, tenant_id: str, user_id: str, *, point: str) -> dict[str, Any]:
    """The user's password, and that of a peer: always one row, by the same plan, so that time does not tell.

    Args:
        db: Database.
        tenant_id: Tenant.
        user_id: User; its columns (credential_id, secret_hash, whether it is closed) are None if it has none.
        point: Somewhere among the ids of credentials: `peer_hash` is that of the tenant's next password from there on.
    """
    row = await db.fetch_one(_FIND, {"tenant": tenant_id, "user": user_id, "point": point})
    if row is None:
        raise LookupError("a left join keeps its row")
    return row


async def find_of_kind(
    reader: Database | Transaction, tenant_id: str, user_id: str, kind: CredentialKind
) -> Credential | None:
    """The user's credential of a kind of which it has one at most."""
    row = await reader.fetch_one(
        f"SELECT {_COLUMNS} FROM credentials WHERE tenant_id = %s AND user_id = %s AND kind = %s",
        (tenant_id, user_id, kind),
    )
    return None if row is None else Credential(**row)


async def page(db: Database, tenant_id: str, user_id: str, *, after: str, limit: int) -> list[Credential]:
    """Up to `limit` credentials of a user whose ids follow `after`."""
    rows = await db.fetch_all(
        f"""SELECT {_COLUMNS} FROM credentials WHERE tenant_id = %s AND user_id = %s AND credential_id > %s
             ORDER BY credential_id LIMIT %s""",
        (tenant_id, user_id, after, limit),
    )
    return [Credential(**row) for row in rows]


async def find(reader: Database | Transaction, tenant_id: str, user_id: str, credential_id: str) -> Credential | None:
    """A credential of a user."""
    row = await reader.fetch_one(
        f"SELECT {_COLUMNS} FROM credentials WHERE tenant_id = %s AND user_id = %s AND credential_id = %s",
        (tenant_id, user_id, credential_id),
    )
    return None if row is None else Credential(**row)


async def of_user(reader: Database | Transaction, tenant_id: str, user_id: str) -> list[Credential]:
    """All credentials of a user."""
    rows = await reader.fetch_all(
        f"SELECT {_COLUMNS} FROM credentials WHERE tenant_id = %s AND user_id = %s ORDER BY credential_id",
        (tenant_id, user_id),
    )
    return [Credential(**row) for row in rows]


async def rename(
    tx: Transaction, tenant_id: str, user_id: str, credential_id: str, display_name: str
) -> Credential | None:
    """Gives a credential another name; None if the user has no such one."""
    row = await tx.fetch_one(
        f"""UPDATE credentials SET display_name = %s, revision = revision + 1
             WHERE tenant_id = %s AND user_id = %s AND credential_id = %s RETURNING {_COLUMNS}""",
        (display_name, tenant_id, user_id, credential_id),
    )
    return None if row is None else Credential(**row)


async def lock_user(tx: Transaction, tenant_id: str, user_id: str) -> bool:
    """Keeps the user from being deleted until the transaction ends; False if there is none."""
    row = await tx.fetch_one(
        "SELECT user_id FROM users WHERE tenant_id = %s AND user_id = %s AND delete_time IS NULL FOR SHARE",
        (tenant_id, user_id),
    )
    return row is not None


async def hold_user(tx: Transaction, tenant_id: str, user_id: str) -> bool:
    """The same, and no other transaction that holds it can count or add credentials meanwhile."""
    row = await tx.fetch_one(
        "SELECT user_id FROM users WHERE tenant_id = %s AND user_id = %s AND delete_time IS NULL FOR NO KEY UPDATE",
        (tenant_id, user_id),
    )
    return row is not None


async def count(reader: Database | Transaction, tenant_id: str, user_id: str, kind: CredentialKind) -> int:
    """How many credentials of a kind the user has."""
    row = await reader.fetch_one(
        "SELECT count(*) AS n FROM credentials WHERE tenant_id = %s AND user_id = %s AND kind = %s",
        (tenant_id, user_id, kind),
    )
    return 0 if row is None else int(row["n"])


async def insert(
    tx: Transaction, tenant_id: str, user_id: str, *, credential_id: str, kind: CredentialKind, name: str, at: datetime
) -> Credential | None:
    """Writes a credential whose secret is elsewhere; None if there is one of that id."""
    row = await tx.fetch_one(
        f"""INSERT INTO credentials (tenant_id, credential_id, user_id, kind, display_name, create_time)
            VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, credential_id) DO NOTHING RETURNING {_COLUMNS}""",
        (tenant_id, credential_id, user_id, kind, name, at),
    )
    return None if row is None else Credential(**row)


async def delete_of_kind(tx: Transaction, tenant_id: str, user_id: str, kind: CredentialKind) -> None:
    """Deletes the credentials of a kind of a user."""
    await tx.execute(
        "DELETE FROM credentials WHERE tenant_id = %s AND user_id = %s AND kind = %s", (tenant_id, user_id, kind)
    )


async def replace_password(
    tx: Transaction, tenant_id: str, user_id: str, *, credential_id: str, secret_hash: str, at: datetime
) -> Credential:
    """Writes a user's password; one that is there keeps its id and is open to unknown devices again."""
    row = await tx.fetch_one(
        f"""INSERT INTO credentials (tenant_id, credential_id, user_id, kind, secret_hash, create_time)
            VALUES (%s, %s, %s, 'password', %s, %s)
            ON CONFLICT (tenant_id, user_id) WHERE kind = 'password'
            DO UPDATE SET secret_hash = excluded.secret_hash, create_time = excluded.create_time,
                          last_use_time = NULL, closed_to_unknown_devices = false, to_be_replaced = false,
                          revision = credentials.revision + 1
            RETURNING {_COLUMNS}""",
        (tenant_id, credential_id, user_id, secret_hash, at),
    )
    if row is None:
        raise LookupError("an upsert returns its row")
    return Credential(**row)


async def insert_passwords(tx: Transaction, tenant_id: str, rows: Sequence[tuple[str, str, str, datetime]]) -> None:
    """Writes first passwords: credential id, user id, hash, time of each."""
    await tx.execute(
        """INSERT INTO credentials (tenant_id, kind, credential_id, user_id, secret_hash, create_time)
           SELECT %s, 'password', * FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[])""",
        (tenant_id, *columns(rows)),
    )


async def mark_used(tx: Transaction, tenant_id: str, credential_id: str, *, at: datetime) -> None:
    """Notes a use with success."""
    await tx.execute(
        """UPDATE credentials SET last_use_time = GREATEST(last_use_time, %s)
            WHERE tenant_id = %s AND credential_id = %s""",
        (at, tenant_id, credential_id),
    )


async def rehash(tx: Transaction, tenant_id: str, credential_id: str, *, before: str, after: str) -> bool:
    """Writes a new hash of the same password, unless another password was set meanwhile."""
    written = await tx.execute(
        """UPDATE credentials SET secret_hash = %s
            WHERE tenant_id = %s AND credential_id = %s AND secret_hash = %s""",
        (after, tenant_id, credential_id, before),
    )
    return written == 1


async def close_to_unknown_devices(tx: Transaction, tenant_id: str, user_id: str, kind: CredentialKind) -> bool:
    """Closes what the user has of a kind to unknown devices; False if it was or there is none."""
    written = await tx.execute(
        """UPDATE credentials SET closed_to_unknown_devices = true, revision = revision + 1
            WHERE tenant_id = %s AND user_id = %s AND kind = %s AND NOT closed_to_unknown_devices""",
        (tenant_id, user_id, kind),
    )
    return written > 0


async def close_password(tx: Transaction, tenant_id: str, user_id: str) -> bool:
    """Has the user's password refused everywhere until it is replaced; False if there is none."""
    written = await tx.execute(
        """UPDATE credentials SET to_be_replaced = true, closed_to_unknown_devices = true, revision = revision + 1
            WHERE tenant_id = %s AND user_id = %s AND kind = 'password'""",
        (tenant_id, user_id),
    )
    return written > 0


async def delete(tx: Transaction, tenant_id: str, user_id: str, credential_id: str) -> bool:
    """Deletes a credential; False if the user has no such one."""
    deleted = await tx.execute(
        "DELETE FROM credentials WHERE tenant_id = %s AND user_id = %s AND credential_id = %s",
        (tenant_id, user_id, credential_id),
    )
    return deleted == 1


async def delete_of_user(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Deletes all credentials of a user, and who it was to authenticators."""
    await tx.execute("DELETE FROM credentials WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))
    await tx.execute("DELETE FROM password_history WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))
    await tx.execute("DELETE FROM passkey_users WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))
