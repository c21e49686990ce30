"""The codes in PostgreSQL, as HMACs; one that was used is gone."""

from collections.abc import Sequence
from typing import Any

from argus.storage.postgres import Database, Transaction


async def insert(tx: Transaction, tenant_id: str, credential_id: str, hmacs: Sequence[bytes]) -> None:
    """Writes the codes of a set."""
    await tx.execute(
        "INSERT INTO recovery_codes (tenant_id, credential_id, code_hmac) SELECT %s, %s, unnest(%s::bytea[])",
        (tenant_id, credential_id, list(hmacs)),
    )


async def find(db: Database, tenant_id: str, user_id: str, code_hmac: bytes) -> dict[str, Any] | None:
    """The user's set that has this code: credential_id, closed_to_unknown_devices."""
    return await db.fetch_one(
        """SELECT c.credential_id, c.closed_to_unknown_devices
             FROM credentials c JOIN recovery_codes r USING (tenant_id, credential_id)
            WHERE c.tenant_id = %s AND c.user_id = %s AND c.kind = 'recovery_codes' AND r.code_hmac = %s""",
        (tenant_id, user_id, code_hmac),
    )


async def take(tx: Transaction, tenant_id: str, credential_id: str, code_hmac: bytes) -> bool:
    """Takes a code; False if it was taken before."""
    taken = await tx.execute(
        "DELETE FROM recovery_codes WHERE tenant_id = %s AND credential_id = %s AND code_hmac = %s",
        (tenant_id, credential_id, code_hmac),
    )
    return taken == 1


async def left(reader: Database | Transaction, tenant_id: str, user_id: str) -> int:
    """How many codes the user has."""
    row = await reader.fetch_one(
        """SELECT count(*) AS n FROM credentials c JOIN recovery_codes r USING (tenant_id, credential_id)
            WHERE c.tenant_id = %s AND c.user_id = %s AND c.kind = 'recovery_codes'""",
        (tenant_id, user_id),
    )
    return 0 if row is None else int(row["n"])
