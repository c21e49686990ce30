"""The credentials in PostgreSQL."""

from datetime import datetime
from typing import Any, Final

from argus.credentials.model import Credential
from argus.storage.postgres import Database, Transaction

_COLUMNS: Final = "tenant_id, credential_id, user_id, kind, create_time, last_use_time, closed_to_unknown_devices"


async def find_password(db: Database, tenant_id: str, user_id: str) -> dict[str, Any] | None:
    """The user's password: credential_id, secret_hash, closed_to_unknown_devices."""
    return await db.fetch_one(
        """SELECT c.credential_id, c.secret_hash, c.closed_to_unknown_devices
             FROM credentials c WHERE c.tenant_id = %s AND c.user_id = %s AND c.kind = 'password'""",
        (tenant_id, user_id),
    )


async def page(db: Database, tenant_id: str, user_id: str, *, after: str, limit: int) -> list[Credential]:
    """Up to `limit` credentials of a user whose ids follow `after`."""
    rows = await db.fetch_all(
        f"""SELECT {_COLUMNS} FROM credentials WHERE tenant_id = %s AND user_id = %s AND credential_id > %s
             ORDER BY credential_id LIMIT %s""",
        (tenant_id, user_id, after, limit),
    )
    return [Credential(**row) for row in rows]


async def lock_user(tx: Transaction, tenant_id: str, user_id: str) -> bool:
    """Keeps the user from being deleted until the transaction ends; False if there is none."""
    row = await tx.fetch_one(
        "SELECT user_id FROM users WHERE tenant_id = %s AND user_id = %s AND delete_time IS NULL FOR SHARE",
        (tenant_id, user_id),
    )
    return row is not None


async def replace_password(
    tx: Transaction, tenant_id: str, user_id: str, *, credential_id: str, secret_hash: str, at: datetime
) -> Credential:
    """Writes a user's password; one that is there keeps its id and is open to unknown devices again."""
    row = await tx.fetch_one(
        f"""INSERT INTO credentials (tenant_id, credential_id, user_id, kind, secret_hash, create_time)
            VALUES (%s, %s, %s, 'password', %s, %s)
            ON CONFLICT (tenant_id, user_id) WHERE kind = 'password'
            DO UPDATE SET secret_hash = excluded.secret_hash, create_time = excluded.create_time,
                          last_use_time = NULL, closed_to_unknown_devices = false,
                          revision = credentials.revision + 1
            RETURNING {_COLUMNS}""",
        (tenant_id, credential_id, user_id, secret_hash, at),
    )
    if row is None:
        raise LookupError("an upsert returns its row")
    return Credential(**row)


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


async def close_to_unknown_devices(tx: Transaction, tenant_id: str, user_id: str) -> bool:
    """Closes the user's password to unknown devices; False if it was or there is none."""
    written = await tx.execute(
        """UPDATE credentials SET closed_to_unknown_devices = true, revision = revision + 1
            WHERE tenant_id = %s AND user_id = %s AND kind = 'password' AND NOT closed_to_unknown_devices""",
        (tenant_id, user_id),
    )
    return written == 1


async def delete(tx: Transaction, tenant_id: str, user_id: str, credential_id: str) -> bool:
    """Deletes a credential; False if the user has no such one."""
    deleted = await tx.execute(
        "DELETE FROM credentials WHERE tenant_id = %s AND user_id = %s AND credential_id = %s",
        (tenant_id, user_id, credential_id),
    )
    return deleted == 1


async def delete_of_user(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Deletes all credentials of a user."""
    await tx.execute("DELETE FROM credentials WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))
