"""The secrets in PostgreSQL."""

from dataclasses import dataclass, field

from argus.storage.postgres import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A secret, encrypted, with the newest step of which a code was taken."""

    credential_id: str
    ciphertext: bytes = field(repr=False)
    kek_id: str
    last_step: int
    closed_to_unknown_devices: bool


async def of_user(db: Database, tenant_id: str, user_id: str) -> list[Sealed]:
    """The secrets of a user, oldest first."""
    rows = await db.fetch_all(
        """SELECT c.credential_id, t.ciphertext, t.kek_id, t.last_step, c.closed_to_unknown_devices
             FROM credentials c JOIN totp_secrets t USING (tenant_id, credential_id)
            WHERE c.tenant_id = %s AND c.user_id = %s AND c.kind = 'totp' ORDER BY c.create_time, c.credential_id""",
        (tenant_id, user_id),
    )
    return [Sealed(**{**row, "ciphertext": bytes(row["ciphertext"])}) for row in rows]


async def insert(
    tx: Transaction, tenant_id: str, credential_id: str, *, ciphertext: bytes, kek_id: str, last_step: int
) -> None:
    """Writes the secret of a credential."""
    await tx.execute(
        """INSERT INTO totp_secrets (tenant_id, credential_id, ciphertext, kek_id, last_step)
           VALUES (%s, %s, %s, %s, %s)""",
        (tenant_id, credential_id, ciphertext, kek_id, last_step),
    )


async def take_step(tx: Transaction, tenant_id: str, credential_id: str, step: int) -> bool:
    """Notes that a code of this step was taken; False if it, or one of a later step, was before."""
    taken = await tx.execute(
        "UPDATE totp_secrets SET last_step = %s WHERE tenant_id = %s AND credential_id = %s AND last_step < %s",
        (step, tenant_id, credential_id, step),
    )
    return taken == 1
