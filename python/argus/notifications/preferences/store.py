"""What users want, in PostgreSQL."""

from collections.abc import Mapping, Sequence

from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction


async def of_user(db: Database | Transaction, tenant_id: str, user_id: str) -> Mapping[str, bool]:
    """What a user has said of notices by mail."""
    rows = await db.fetch_all(
        "SELECT notice, mail FROM notification_preferences WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id)
    )
    return {row["notice"]: row["mail"] for row in rows}


async def write(tx: Transaction, tenant_id: str, user_id: str, said: Mapping[str, bool]) -> None:
    """Writes what a user says."""
    await tx.execute(
        """INSERT INTO notification_preferences (tenant_id, user_id, notice, mail)
           SELECT %s, %s, notice, mail FROM unnest(%s::text[], %s::boolean[]) AS w (notice, mail)
           ON CONFLICT (tenant_id, user_id, notice) DO UPDATE SET mail = excluded.mail""",
        (tenant_id, user_id, *columns(list(said.items()))),
    )


async def delete_of_user(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Deletes what a user has said."""
    await tx.execute("DELETE FROM notification_preferences WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id))


async def said(tx: Transaction, asked: Sequence[tuple[str, str, str]]) -> Mapping[tuple[str, str, str], bool]:
    """Whether these (tenant, user, notice) are wanted by mail; without those of which nothing was said."""
    rows = await tx.fetch_all(
        """SELECT p.tenant_id, p.user_id, p.notice, p.mail FROM notification_preferences p
             JOIN unnest(%s::text[], %s::text[], %s::text[]) AS w (tenant_id, user_id, notice)
                  USING (tenant_id, user_id, notice)""",
        columns(asked),
    )
    return {(row["tenant_id"], row["user_id"], row["notice"]): row["mail"] for row in rows}
