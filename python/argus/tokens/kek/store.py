"""The key-encryption keys in PostgreSQL: wrapped ones, and which one encrypts."""

from datetime import datetime

from argus.storage.postgres import Database, Transaction


async def current(db: Database) -> str | None:
    """Id of the key that encrypts; None: nobody has chosen one yet."""
    row = await db.fetch_one("SELECT kek_id FROM current_key_encryption_key")
    return None if row is None else str(row["kek_id"])


async def hold_current(tx: Transaction) -> str | None:
    """The same; it stays the one that encrypts until the transaction ends."""
    row = await tx.fetch_one("SELECT kek_id FROM current_key_encryption_key FOR SHARE")
    return None if row is None else str(row["kek_id"])


async def choose_first(tx: Transaction, kek_id: str, *, at: datetime) -> bool:
    """Makes it the one that encrypts; False if there is one already."""
    written = await tx.execute(
        "INSERT INTO current_key_encryption_key (kek_id, change_time) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (kek_id, at),
    )
    return written == 1


async def choose(tx: Transaction, kek_id: str, *, at: datetime) -> None:
    """Makes it the one that encrypts; waits for the transactions that encrypt with the one before."""
    await tx.execute("UPDATE current_key_encryption_key SET kek_id = %s, change_time = %s", (kek_id, at))


async def wrapped(db: Database) -> dict[str, str]:
    """All wrapped keys, by their ids."""
    rows = await db.fetch_all("SELECT kek_id, wrapped FROM key_encryption_keys ORDER BY create_time, kek_id")
    return {row["kek_id"]: row["wrapped"] for row in rows}


async def insert_wrapped(tx: Transaction, kek_id: str, wrapped: str, *, at: datetime) -> None:
    """Writes a wrapped key."""
    await tx.execute(
        "INSERT INTO key_encryption_keys (kek_id, wrapped, create_time) VALUES (%s, %s, %s)", (kek_id, wrapped, at)
    )


async def delete_unused(tx: Transaction) -> int:
    """Deletes the wrapped keys that nothing is encrypted with any more; says how many."""
    # Whoever encrypts holds this row: none of them is under way now.
    await tx.execute("SELECT kek_id FROM current_key_encryption_key FOR UPDATE")
    return await tx.execute(
        """DELETE FROM key_encryption_keys k
            WHERE NOT EXISTS (SELECT 1 FROM current_key_encryption_key c WHERE c.kek_id = k.kek_id)
              AND NOT EXISTS (SELECT 1 FROM signing_keys s WHERE s.kek_id = k.kek_id)
              AND NOT EXISTS (SELECT 1 FROM installation_secrets i WHERE i.kek_id = k.kek_id)
              AND NOT EXISTS (SELECT 1 FROM totp_secrets t WHERE t.kek_id = k.kek_id)
              AND NOT EXISTS (SELECT 1 FROM channel_secrets h WHERE h.kek_id = k.kek_id)"""
    )
