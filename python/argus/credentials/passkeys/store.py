"""The passkeys in PostgreSQL; what all credentials have is in the table `credentials`."""

from datetime import datetime
from typing import Any, Final

from argus.credentials.passkeys.model import Passkey
from argus.credentials.webauthn.model import Registered
from argus.storage.postgres import Database, Transaction

_COLUMNS: Final = (
    "p.tenant_id, p.credential_id, p.user_id, c.display_name, p.rp_id, p.webauthn_id, p.public_key, p.sign_count, "
    "p.uv_initialized, p.doubted, p.backup_eligible, p.backed_up, p.attested, p.attestation_format, p.aaguid, "
    "p.transports, p.discoverable, c.create_time, c.last_use_time"
)
_FROM: Final = "FROM passkeys p JOIN credentials c USING (tenant_id, credential_id)"


def _passkey(row: dict[str, Any]) -> Passkey:
    return Passkey(**row)


async def user_handle(db: Database | Transaction, tenant_id: str, user_id: str) -> bytes | None:
    """Who the user is to authenticators, if it was ever said to one."""
    row = await db.fetch_one(
        "SELECT user_handle FROM passkey_users WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id)
    )
    return None if row is None else row["user_handle"]


async def keep_user_handle(tx: Transaction, tenant_id: str, user_id: str, proposed: bytes) -> bytes:
    """The user's handle: the one that there is, else the proposed one."""
    await tx.execute(
        "INSERT INTO passkey_users (tenant_id, user_id, user_handle) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        (tenant_id, user_id, proposed),
    )
    return await user_handle(tx, tenant_id, user_id) or proposed


async def of_user(db: Database | Transaction, tenant_id: str, user_id: str, *, rp_id: str = "") -> list[Passkey]:
    """All passkeys of a user, oldest first; with `rp_id` those of that relying party."""
    rows = await db.fetch_all(
        f"""SELECT {_COLUMNS} {_FROM} WHERE p.tenant_id = %s AND p.user_id = %s AND (%s = '' OR p.rp_id = %s)
             ORDER BY c.create_time, p.credential_id""",
        (tenant_id, user_id, rp_id, rp_id),
    )
    return [_passkey(row) for row in rows]


async def find(db: Database | Transaction, tenant_id: str, user_id: str, credential_id: str) -> Passkey | None:
    """A passkey of a user."""
    row = await db.fetch_one(
        f"SELECT {_COLUMNS} {_FROM} WHERE p.tenant_id = %s AND p.user_id = %s AND p.credential_id = %s",
        (tenant_id, user_id, credential_id),
    )
    return None if row is None else _passkey(row)


async def find_by_webauthn_id(
    db: Database, tenant_id: str, *, rp_id: str, webauthn_id: bytes
) -> tuple[Passkey, bytes] | None:
    """The passkey of that id, and its user's handle."""
    row = await db.fetch_one(
        f"""SELECT {_COLUMNS}, u.user_handle {_FROM} JOIN passkey_users u ON (u.tenant_id, u.user_id) =
            (p.tenant_id, p.user_id) WHERE p.tenant_id = %s AND p.rp_id = %s AND p.webauthn_id = %s""",
        (tenant_id, rp_id, webauthn_id),
    )
    if row is None:
        return None
    handle = row.pop("user_handle")
    return _passkey(row), handle


async def insert(
    tx: Transaction,
    tenant_id: str,
    user_id: str,
    registered: Registered,
    *,
    credential_id: str,
    rp_id: str,
    display_name: str,
    at: datetime,
) -> bool:
    """Writes a new passkey; False if its id is registered already, for whomever."""
    await tx.execute(
        """INSERT INTO credentials (tenant_id, credential_id, user_id, kind, display_name, create_time)
            VALUES (%s, %s, %s, 'webauthn', %s, %s)""",
        (tenant_id, credential_id, user_id, display_name, at),
    )
    written = await tx.execute(
        """INSERT INTO passkeys (tenant_id, credential_id, user_id, rp_id, webauthn_id, public_key, sign_count,
                                 uv_initialized, backup_eligible, backed_up, attested, attestation_format, aaguid,
                                 transports, discoverable)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (rp_id, webauthn_id) DO NOTHING""",
        (
            *(tenant_id, credential_id, user_id, rp_id, registered.webauthn_id, registered.public_key),
            *(registered.sign_count, registered.user_verified, registered.backup_eligible, registered.backed_up),
            registered.attested,
            *(registered.attestation_format, registered.aaguid, list(registered.transports), registered.discoverable),
        ),
    )
    return written == 1


async def lock(tx: Transaction, tenant_id: str, credential_id: str) -> Passkey | None:
    """The passkey, kept from being used or deleted elsewhere until the transaction ends."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} {_FROM} WHERE p.tenant_id = %s AND p.credential_id = %s FOR NO KEY UPDATE",
        (tenant_id, credential_id),
    )
    return None if row is None else _passkey(row)


async def write_use(
    tx: Transaction,
    passkey: Passkey,
    *,
    sign_count: int,
    backed_up: bool,
    initializes_uv: bool,
    ends_doubt: bool,
    at: datetime,
) -> None:
    """Notes a use with success; counters only grow."""
    await tx.execute(
        """UPDATE passkeys SET sign_count = GREATEST(sign_count, %s), backed_up = %s,
                              uv_initialized = uv_initialized OR %s, doubted = doubted AND NOT %s
            WHERE tenant_id = %s AND credential_id = %s""",
        (sign_count, backed_up, initializes_uv, ends_doubt, passkey.tenant_id, passkey.credential_id),
    )
    await tx.execute(
        """UPDATE credentials SET last_use_time = GREATEST(last_use_time, %s)
            WHERE tenant_id = %s AND credential_id = %s""",
        (at, passkey.tenant_id, passkey.credential_id),
    )


async def doubt(tx: Transaction, passkey: Passkey) -> None:
    """Lets a passkey count as one factor, and alone let nobody in, until it is seen beside another one."""
    await tx.execute(
        "UPDATE passkeys SET uv_initialized = false, doubted = true WHERE tenant_id = %s AND credential_id = %s",
        (passkey.tenant_id, passkey.credential_id),
    )


async def rename(tx: Transaction, tenant_id: str, user_id: str, credential_id: str, display_name: str) -> bool:
    """Gives a credential another name; False if the user has no such one."""
    written = await tx.execute(
        """UPDATE credentials SET display_name = %s, revision = revision + 1
            WHERE tenant_id = %s AND user_id = %s AND credential_id = %s AND kind = 'webauthn'""",
        (display_name, tenant_id, user_id, credential_id),
    )
    return written == 1
