"""What is encrypted at rest, as far as it matters when the key-encryption key changes."""

from dataclasses import dataclass, field
from typing import Final

from argus.storage.postgres import Database, Transaction

_OLD: Final = "kek_id NOT IN ('', (SELECT kek_id FROM current_key_encryption_key))"

_CHOICE: Final = 0x6B656B  # "kek"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encrypted:
    """One thing that is encrypted.

    Attributes:
        key: Tenant, use and kid of a signing key; the name of an installation secret; tenant and credential of the
            secret of an authenticator app; tenant, channel and secret of the secret of a channel.
    """

    key: tuple[str, ...]
    ciphertext: bytes = field(repr=False)
    kek_id: str


async def count_by_kek(db: Database) -> dict[str, int]:
    """How many things are under each key-encryption key."""
    rows = await db.fetch_all(
        """SELECT kek_id, count(*) AS n
             FROM (SELECT kek_id FROM signing_keys UNION ALL SELECT kek_id FROM installation_secrets
                    UNION ALL SELECT kek_id FROM totp_secrets UNION ALL SELECT kek_id FROM channel_secrets) all_tables
            WHERE kek_id <> '' GROUP BY kek_id ORDER BY kek_id"""
    )
    return {row["kek_id"]: row["n"] for row in rows}


async def try_hold_choice(tx: Transaction) -> bool:
    """Keeps other runs from choosing a key until the transaction ends; False: another one chooses now."""
    row = await tx.fetch_one("SELECT pg_try_advisory_xact_lock(%s) AS is_held", (_CHOICE,))
    return row is not None and bool(row["is_held"])


async def is_anything_left(db: Database) -> bool:
    """Whether something is under another key-encryption key than the one that encrypts now."""
    row = await db.fetch_one(
        f"""SELECT EXISTS (SELECT 1 FROM signing_keys WHERE {_OLD})
                OR EXISTS (SELECT 1 FROM installation_secrets WHERE {_OLD})
                OR EXISTS (SELECT 1 FROM totp_secrets WHERE {_OLD})
                OR EXISTS (SELECT 1 FROM channel_secrets WHERE {_OLD}) AS is_left"""
    )
    return row is not None and bool(row["is_left"])


async def system_tenants(db: Database) -> list[str]:
    """The tenants in whose audit it stands what happened to the installation."""
    rows = await db.fetch_all("SELECT tenant_id FROM tenants WHERE is_system ORDER BY tenant_id")
    return [row["tenant_id"] for row in rows]


async def old_keys(db: Database, *, after: tuple[str, ...], limit: int) -> list[Encrypted]:
    """Signing keys under another key-encryption key than the one that encrypts now, following a position."""
    rows = await db.fetch_all(
        f"""SELECT tenant_id, use, kid, private_ciphertext, kek_id FROM signing_keys
             WHERE {_OLD} AND (tenant_id, use, kid) > (%s, %s, %s) ORDER BY tenant_id, use, kid LIMIT %s""",
        (*after, limit),
    )
    return [
        Encrypted(
            key=(row["tenant_id"], row["use"], row["kid"]),
            ciphertext=bytes(row["private_ciphertext"]),
            kek_id=row["kek_id"],
        )
        for row in rows
    ]


async def old_secrets(db: Database) -> list[Encrypted]:
    """Installation secrets under another key-encryption key than the one that encrypts now."""
    rows = await db.fetch_all(f"SELECT name, ciphertext, kek_id FROM installation_secrets WHERE {_OLD} ORDER BY name")
    return [Encrypted(key=(row["name"],), ciphertext=bytes(row["ciphertext"]), kek_id=row["kek_id"]) for row in rows]


async def old_totp_secrets(db: Database, *, after: tuple[str, ...], limit: int) -> list[Encrypted]:
    """Secrets of authenticator apps under another key than the one that encrypts now, following a position."""
    rows = await db.fetch_all(
        f"""SELECT tenant_id, credential_id, ciphertext, kek_id FROM totp_secrets
             WHERE {_OLD} AND (tenant_id, credential_id) > (%s, %s) ORDER BY tenant_id, credential_id LIMIT %s""",
        (*after, limit),
    )
    return [
        Encrypted(
            key=(row["tenant_id"], row["credential_id"]), ciphertext=bytes(row["ciphertext"]), kek_id=row["kek_id"]
        )
        for row in rows
    ]


async def old_channel_secrets(db: Database, *, after: tuple[str, ...], limit: int) -> list[Encrypted]:
    """Secrets of channels under another key than the one that encrypts now, following a position."""
    rows = await db.fetch_all(
        f"""SELECT tenant_id, channel_id, secret_id, ciphertext, kek_id FROM channel_secrets
             WHERE {_OLD} AND (tenant_id, channel_id, secret_id) > (%s, %s, %s)
             ORDER BY tenant_id, channel_id, secret_id LIMIT %s""",
        (*after, limit),
    )
    return [
        Encrypted(
            key=(row["tenant_id"], row["channel_id"], row["secret_id"]),
            ciphertext=bytes(row["ciphertext"]),
            kek_id=row["kek_id"],
        )
        for row in rows
    ]


async def replace_key(tx: Transaction, old: Encrypted, *, ciphertext: bytes, kek_id: str) -> int:
    """Writes a signing key that was encrypted anew, unless somebody else did meanwhile; how many were written."""
    return await tx.execute(
        """UPDATE signing_keys SET private_ciphertext = %s, kek_id = %s
            WHERE tenant_id = %s AND use = %s AND kid = %s AND kek_id = %s""",
        (ciphertext, kek_id, *old.key, old.kek_id),
    )


async def replace_secret(tx: Transaction, old: Encrypted, *, ciphertext: bytes, kek_id: str) -> int:
    """Writes a secret that was encrypted anew, unless somebody else did meanwhile; how many were written."""
    return await tx.execute(
        "UPDATE installation_secrets SET ciphertext = %s, kek_id = %s WHERE name = %s AND kek_id = %s",
        (ciphertext, kek_id, *old.key, old.kek_id),
    )


async def replace_totp_secret(tx: Transaction, old: Encrypted, *, ciphertext: bytes, kek_id: str) -> int:
    """Writes the secret of an app that was encrypted anew, unless somebody else did; how many were written."""
    return await tx.execute(
        """UPDATE totp_secrets SET ciphertext = %s, kek_id = %s
            WHERE tenant_id = %s AND credential_id = %s AND kek_id = %s""",
        (ciphertext, kek_id, *old.key, old.kek_id),
    )


async def replace_channel_secret(tx: Transaction, old: Encrypted, *, ciphertext: bytes, kek_id: str) -> int:
    """Writes the secret of a channel that was encrypted anew, unless somebody else did; how many were written."""
    return await tx.execute(
        """UPDATE channel_secrets SET ciphertext = %s, kek_id = %s
            WHERE tenant_id = %s AND channel_id = %s AND secret_id = %s AND kek_id = %s""",
        (ciphertext, kek_id, *old.key, old.kek_id),
    )
