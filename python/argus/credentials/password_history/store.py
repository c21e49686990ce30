"""Hashes of earlier passwords in PostgreSQL."""

from argus.storage.postgres import Database, Transaction


async def newest(db: Database, tenant_id: str, user_id: str, *, limit: int) -> list[str]:
    """The user's password and those before it, newest first, as their hashes."""
    rows = await db.fetch_all(
        """SELECT secret_hash FROM (
                  SELECT secret_hash, 1 AS turn, 0::bigint AS history_id FROM credentials
                   WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND kind = 'password'
                  UNION ALL
                  SELECT secret_hash, 2 AS turn, history_id FROM password_history
                   WHERE tenant_id = %(tenant)s AND user_id = %(user)s) AS known
            ORDER BY turn, history_id DESC LIMIT %(limit)s""",
        {"tenant": tenant_id, "user": user_id, "limit": limit},
    )
    return [row["secret_hash"] for row in rows]


async def keep_present(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Adds the hash of the password that is about to be replaced."""
    await tx.execute(
        """INSERT INTO password_history (tenant_id, user_id, secret_hash, create_time)
           SELECT tenant_id, user_id, secret_hash, create_time FROM credentials
            WHERE tenant_id = %s AND user_id = %s AND kind = 'password'""",
        (tenant_id, user_id),
    )


async def trim(tx: Transaction, tenant_id: str, user_id: str, *, kept: int) -> None:
    """Deletes all but the newest."""
    await tx.execute(
        """DELETE FROM password_history WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND history_id NOT IN (
                  SELECT history_id FROM password_history WHERE tenant_id = %(tenant)s AND user_id = %(user)s
                   ORDER BY history_id DESC LIMIT %(kept)s)""",
        {"tenant": tenant_id, "user": user_id, "kept": kept},
    )
