"""The themes in PostgreSQL."""

from argus.storage.postgres import Database, Transaction
from argus.themes.model import Theme


async def find(db: Database, tenant_id: str) -> Theme | None:
    """The tenant's theme, if it has one."""
    row = await db.fetch_one(
        "SELECT title, accent_light, accent_dark, logo, logo_type FROM themes WHERE tenant_id = %s", (tenant_id,)
    )
    return None if row is None else Theme(**row)


async def lock(tx: Transaction, tenant_id: str) -> Theme | None:
    """The tenant's theme, which nobody else changes meanwhile."""
    row = await tx.fetch_one(
        "SELECT title, accent_light, accent_dark, logo, logo_type FROM themes WHERE tenant_id = %s FOR UPDATE",
        (tenant_id,),
    )
    return None if row is None else Theme(**row)


async def put(tx: Transaction, tenant_id: str, theme: Theme) -> None:
    """Writes the tenant's theme, in the place of the one it had."""
    await tx.execute(
        """INSERT INTO themes (tenant_id, title, accent_light, accent_dark, logo, logo_type)
           VALUES (%s, %s, %s, %s, %s, %s)
           ON CONFLICT (tenant_id) DO UPDATE SET title = excluded.title, accent_light = excluded.accent_light,
               accent_dark = excluded.accent_dark, logo = excluded.logo, logo_type = excluded.logo_type""",
        (tenant_id, theme.title, theme.accent_light, theme.accent_dark, theme.logo, theme.logo_type),
    )
