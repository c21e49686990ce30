"""The keys and secrets in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from psycopg.types.json import Jsonb

from argus.storage.postgres import Database, Transaction
from argus.tokens.model import KeyUse, SigningKey

_COLUMNS: Final = (
    "tenant_id, kid, use, algorithm, bits, state, public_jwk, create_time, active_time, retire_time, end_time"
)


async def lock_tenant(tx: Transaction, tenant_id: str) -> int | None:
    """Keeps other changes of the tenant's keys away until the transaction ends; its RSA size, None: no such tenant."""
    row = await tx.fetch_one("SELECT rsa_bits FROM tenants WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant_id,))
    return None if row is None else row["rsa_bits"]


async def rsa_bits(db: Database, tenant_id: str) -> int | None:
    """Size of the tenant's new RSA keys; None: no such tenant."""
    row = await db.fetch_one("SELECT rsa_bits FROM tenants WHERE tenant_id = %s", (tenant_id,))
    return None if row is None else row["rsa_bits"]


async def find(reader: Database | Transaction, tenant_id: str, kid: str) -> SigningKey | None:
    """The key of this id."""
    row = await reader.fetch_one(
        f"SELECT {_COLUMNS} FROM signing_keys WHERE tenant_id = %s AND kid = %s", (tenant_id, kid)
    )
    return None if row is None else SigningKey(**row)


async def of_use(reader: Database | Transaction, tenant_id: str, use: KeyUse) -> list[SigningKey]:
    """All keys of a use, oldest first."""
    rows = await reader.fetch_all(
        f"SELECT {_COLUMNS} FROM signing_keys WHERE tenant_id = %s AND use = %s ORDER BY create_time, kid",
        (tenant_id, use),
    )
    return [SigningKey(**row) for row in rows]


async def active_of_use(reader: Database | Transaction, tenant_ids: Sequence[str], use: KeyUse) -> dict[str, str]:
    """Ids of the active keys of a use, by tenant."""
    rows = await reader.fetch_all(
        "SELECT tenant_id, kid FROM signing_keys WHERE tenant_id = ANY(%s) AND use = %s AND state = 'active'",
        (list(tenant_ids), use),
    )
    return {row["tenant_id"]: row["kid"] for row in rows}


async def page(
    db: Database, tenant_id: str, *, before: tuple[datetime, str, str] | None, limit: int
) -> list[SigningKey]:
    """Up to `limit` keys, newest first, that come after the position `before`."""
    following = "" if before is None else "AND (create_time, use, kid) < (%s, %s, %s)"
    rows = await db.fetch_all(
        f"""SELECT {_COLUMNS} FROM signing_keys WHERE tenant_id = %s {following}
             ORDER BY create_time DESC, use DESC, kid DESC LIMIT %s""",
        (tenant_id, *(before or ()), limit),
    )
    return [SigningKey(**row) for row in rows]


async def usable(db: Database, tenant_id: str) -> list[tuple[SigningKey, bytes, str]]:
    """Keys that sign, verify or must be refused by name: with ciphertext and the id of the key it is under.

    Both are empty where the name is all that is left.
    """
    rows = await db.fetch_all(
        f"""SELECT {_COLUMNS}, private_ciphertext, kek_id FROM signing_keys
             WHERE tenant_id = %s AND state <> 'retired' ORDER BY use, create_time, kid""",
        (tenant_id,),
    )
    found = []
    for row in rows:
        ciphertext, kek_id = bytes(row.pop("private_ciphertext")), row.pop("kek_id")
        found.append((SigningKey(**row), ciphertext, kek_id))
    return found


async def insert(tx: Transaction, key: SigningKey, *, ciphertext: bytes, kek_id: str) -> None:
    """Writes a new key."""
    await tx.execute(
        f"""INSERT INTO signing_keys ({_COLUMNS}, private_ciphertext, kek_id)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            key.tenant_id,
            key.kid,
            key.use,
            key.algorithm,
            key.bits,
            key.state,
            None if key.public_jwk is None else Jsonb(key.public_jwk),
            key.create_time,
            key.active_time,
            key.retire_time,
            key.end_time,
            ciphertext,
            kek_id,
        ),
    )


async def update(tx: Transaction, key: SigningKey) -> None:
    """Writes the stage of a key's life."""
    await tx.execute(
        """UPDATE signing_keys SET state = %s, active_time = %s, retire_time = %s, end_time = %s
            WHERE tenant_id = %s AND use = %s AND kid = %s""",
        (key.state, key.active_time, key.retire_time, key.end_time, key.tenant_id, key.use, key.kid),
    )


async def delete(tx: Transaction, key: SigningKey) -> None:
    """Forgets a key that is over."""
    await tx.execute(
        "DELETE FROM signing_keys WHERE tenant_id = %s AND use = %s AND kid = %s", (key.tenant_id, key.use, key.kid)
    )


async def due(db: Database, *, now: datetime, ended_before: dict[KeyUse, datetime]) -> list[tuple[str, KeyUse]]:
    """Rings (tenant and use) of the installation with a key whose next stage is due."""
    rows = await db.fetch_all(
        """SELECT DISTINCT tenant_id, use FROM signing_keys
            WHERE (state = 'pending' AND active_time <= %(now)s)
               OR (state = 'retiring' AND retire_time <= CASE use WHEN 'access' THEN %(access)s::timestamptz
                                                                 WHEN 'refresh' THEN %(refresh)s
                                                                 ELSE %(refresh_id)s END)
               OR (state = 'revoked' AND kek_id <> '' AND (use <> 'refresh' OR end_time <= %(refresh)s))
            ORDER BY tenant_id, use""",
        {
            "now": now,
            "access": ended_before["access"],
            "refresh": ended_before["refresh"],
            "refresh_id": ended_before["refresh_id"],
        },
    )
    return [(row["tenant_id"], row["use"]) for row in rows]


async def aged(db: Database, *, now: datetime, period: timedelta) -> list[tuple[str, KeyUse]]:
    """Rings of the installation whose active key is old and has no successor waiting.

    Args:
        db: Where they are.
        now: The time.
        period: How old a key may get, for tenants that have no period of their own; 0: as old as it likes.
    """
    rows = await db.fetch_all(
        """SELECT a.tenant_id, a.use
             FROM signing_keys a JOIN tenants t USING (tenant_id),
                  LATERAL (SELECT COALESCE(t.key_rotation_period, %(period)s) AS period) p
            WHERE a.state = 'active' AND p.period > '0' AND a.active_time + p.period <= %(now)s
              AND NOT EXISTS (SELECT 1 FROM signing_keys p
                               WHERE p.tenant_id = a.tenant_id AND p.use = a.use AND p.state = 'pending')
            ORDER BY a.tenant_id, a.use""",
        {"now": now, "period": period},
    )
    return [(row["tenant_id"], row["use"]) for row in rows]


async def erase_private(tx: Transaction, key: SigningKey) -> None:
    """Forgets the private half of a key that is over."""
    await tx.execute(
        """UPDATE signing_keys SET private_ciphertext = '', kek_id = ''
            WHERE tenant_id = %s AND use = %s AND kid = %s""",
        (key.tenant_id, key.use, key.kid),
    )


async def weak_rings(db: Database, *, bits: int) -> list[tuple[str, int, int]]:
    """Tenants that sign with an RSA key of fewer bits: tenant, size of the smallest one, size of the next ones."""
    rows = await db.fetch_all(
        """SELECT k.tenant_id, min(k.bits) AS bits, t.rsa_bits
             FROM signing_keys k JOIN tenants t USING (tenant_id)
            WHERE k.state = 'active' AND k.algorithm = 'RS256' AND k.bits < %s
            GROUP BY k.tenant_id, t.rsa_bits ORDER BY k.tenant_id""",
        (bits,),
    )
    return [(row["tenant_id"], row["bits"], row["rsa_bits"]) for row in rows]


async def find_secret(db: Database, name: str) -> tuple[bytes, str] | None:
    """Ciphertext of an installation secret, and the id of the key it is under."""
    row = await db.fetch_one("SELECT ciphertext, kek_id FROM installation_secrets WHERE name = %s", (name,))
    return None if row is None else (bytes(row["ciphertext"]), row["kek_id"])


async def insert_secret(tx: Transaction, name: str, *, ciphertext: bytes, kek_id: str, at: datetime) -> None:
    """Writes an installation secret, unless there is one of that name: the first stays."""
    await tx.execute(
        """INSERT INTO installation_secrets (name, ciphertext, kek_id, create_time) VALUES (%s, %s, %s, %s)
           ON CONFLICT DO NOTHING""",
        (name, ciphertext, kek_id, at),
    )
