"""The tenants' rules for passkeys in PostgreSQL."""

from typing import Final

from argus.credentials.passkey_rules.model import PasskeyRules
from argus.storage.postgres import Database, Transaction

_COLUMNS: Final = (
    "tenant_id, rp_id, rp_name, origins, allows_cross_origin, top_origins, counter_policy, attestation, "
    "attestation_roots, aaguids, revision"
)


async def find(db: Database | Transaction, tenant_id: str) -> PasskeyRules | None:
    """What the tenant said, if it ever did."""
    row = await db.fetch_one(f"SELECT {_COLUMNS} FROM passkey_rules WHERE tenant_id = %s", (tenant_id,))
    return None if row is None else PasskeyRules(**row)


async def lock_tenant(tx: Transaction, tenant_id: str) -> bool:
    """Keeps others from changing the tenant's rules until the transaction ends; False if there is no such tenant."""
    row = await tx.fetch_one("SELECT tenant_id FROM tenants WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant_id,))
    return row is not None


async def write(tx: Transaction, rules: PasskeyRules) -> None:
    """Writes a tenant's rules."""
    await tx.execute(
        f"""INSERT INTO passkey_rules ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (tenant_id) DO UPDATE SET
                rp_id = excluded.rp_id, rp_name = excluded.rp_name, origins = excluded.origins,
                allows_cross_origin = excluded.allows_cross_origin, top_origins = excluded.top_origins,
                counter_policy = excluded.counter_policy, attestation = excluded.attestation,
                attestation_roots = excluded.attestation_roots, aaguids = excluded.aaguids,
                revision = excluded.revision""",
        (
            *(rules.tenant_id, rules.rp_id, rules.rp_name, list(rules.origins), rules.allows_cross_origin),
            *(list(rules.top_origins), rules.counter_policy, rules.attestation, list(rules.attestation_roots)),
            *(list(rules.aaguids), rules.revision),
        ),
    )
