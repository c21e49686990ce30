"""The words of tenants in PostgreSQL."""

from collections.abc import Sequence
from typing import Final

from argus.notifications.wordings.model import Medium, Wording
from argus.storage.postgres import Database, Transaction

_COLUMNS: Final = "notice, medium, locale, subject, text, html"
_KEY: Final = "tenant_id = %s AND medium = %s AND notice = %s AND locale = %s"


async def find(db: Database, tenant_id: str, medium: Medium, notice: str, locale: str) -> Wording | None:
    """The tenant's own words, if it has any."""
    row = await db.fetch_one(
        f"SELECT {_COLUMNS} FROM notification_templates WHERE {_KEY}", (tenant_id, medium, notice, locale)
    )
    return None if row is None else Wording(**row)


async def page(db: Database, tenant_id: str, *, after: tuple[str, str, str], limit: int) -> Sequence[Wording]:
    """Templates of a tenant by medium, notice and language, following a position."""
    rows = await db.fetch_all(
        f"""SELECT {_COLUMNS} FROM notification_templates
             WHERE tenant_id = %s AND (medium, notice, locale) > (%s, %s, %s)
             ORDER BY medium, notice, locale LIMIT %s""",
        (tenant_id, *after, limit),
    )
    return [Wording(**row) for row in rows]


async def write(tx: Transaction, tenant_id: str, wording: Wording) -> None:
    """Writes words in the place of those that were there."""
    await tx.execute(
        """INSERT INTO notification_templates (tenant_id, medium, notice, locale, subject, text, html)
           VALUES (%s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (tenant_id, medium, notice, locale) DO UPDATE
               SET subject = excluded.subject, text = excluded.text, html = excluded.html""",
        (tenant_id, wording.medium, wording.notice, wording.locale, wording.subject, wording.text, wording.html),
    )


async def delete(tx: Transaction, tenant_id: str, wording: Wording) -> bool:
    """Deletes words; False: there were none."""
    key = (tenant_id, wording.medium, wording.notice, wording.locale)
    return await tx.execute(f"DELETE FROM notification_templates WHERE {_KEY}", key) == 1
