"""The tenants in PostgreSQL."""

from datetime import datetime
from typing import Any, Final

from argus.storage.postgres import Database, Transaction
from argus.tenants.model import Tenant

_COLUMNS: Final = (
    "tenant_id, display_name, is_system, disabled, not_before, rsa_bits, key_rotation_period, create_time, revision"
)


def _tenant(row: dict[str, Any]) -> Tenant:
    return Tenant(**row)


async def find(db: Database | Transaction, tenant_id: str) -> Tenant | None:
    """The tenant, if there is one of that id."""
    row = await db.fetch_one(f"SELECT {_COLUMNS} FROM tenants WHERE tenant_id = %s", (tenant_id,))
    return None if row is None else _tenant(row)


async def lock(tx: Transaction, tenant_id: str) -> Tenant | None:
    """The tenant, kept from other changes until the transaction ends."""
    row = await tx.fetch_one(f"SELECT {_COLUMNS} FROM tenants WHERE tenant_id = %s FOR NO KEY UPDATE", (tenant_id,))
    return None if row is None else _tenant(row)


async def page(db: Database, *, after: str, limit: int) -> list[Tenant]:
    """Up to `limit` tenants whose ids follow `after`."""
    rows = await db.fetch_all(
        f"SELECT {_COLUMNS} FROM tenants WHERE tenant_id > %s ORDER BY tenant_id LIMIT %s", (after, limit)
    )
    return [_tenant(row) for row in rows]


async def every(db: Database) -> list[Tenant]:
    """All tenants."""
    return [_tenant(row) for row in await db.fetch_all(f"SELECT {_COLUMNS} FROM tenants ORDER BY tenant_id")]


async def insert(tx: Transaction, tenant: Tenant) -> bool:
    """Writes a new tenant; False if its id is taken."""
    written = await tx.execute(
        f"INSERT INTO tenants ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (
            tenant.tenant_id,
            tenant.display_name,
            tenant.is_system,
            tenant.disabled,
            tenant.not_before,
            tenant.rsa_bits,
            tenant.key_rotation_period,
            tenant.create_time,
            tenant.revision,
        ),
    )
    return written == 1


async def update(tx: Transaction, tenant: Tenant) -> None:
    """Writes the fields that can change."""
    await tx.execute(
        """UPDATE tenants SET display_name = %s, rsa_bits = %s, key_rotation_period = %s, revision = %s
            WHERE tenant_id = %s""",
        (tenant.display_name, tenant.rsa_bits, tenant.key_rotation_period, tenant.revision, tenant.tenant_id),
    )


async def raise_not_before(tx: Transaction, tenant_id: str, at: datetime) -> datetime | None:
    """Moves the tenant's `not_before` forward, never back; None if there is no such tenant."""
    row = await tx.fetch_one(
        "UPDATE tenants SET not_before = GREATEST(not_before, %s) WHERE tenant_id = %s RETURNING not_before",
        (at, tenant_id),
    )
    return None if row is None else row["not_before"]
