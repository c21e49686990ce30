"""The plans of tenants in PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from argus.plans.model import Subscription
from argus.storage.postgres import Database, Transaction


async def find(db: Database, tenant_id: str) -> Subscription | None:
    """What a tenant has bought; None: nobody has said."""
    row = await db.fetch_one("SELECT plan, add_ons FROM plans WHERE tenant_id = %s", (tenant_id,))
    return None if row is None else _subscription(row)


async def every(db: Database) -> Mapping[str, Subscription]:
    """What was said of any tenant, by its id."""
    rows = await db.fetch_all("SELECT tenant_id, plan, add_ons FROM plans")
    return {row["tenant_id"]: _subscription(row) for row in rows}


async def write(tx: Transaction, tenant_id: str, subscription: Subscription) -> None:
    """Writes it in the place of what was there."""
    await tx.execute(
        """INSERT INTO plans (tenant_id, plan, add_ons) VALUES (%s, %s, %s)
           ON CONFLICT (tenant_id) DO UPDATE SET plan = excluded.plan, add_ons = excluded.add_ons""",
        (tenant_id, subscription.plan, sorted(subscription.add_ons)),
    )


def _subscription(row: dict[str, Any]) -> Subscription:
    return Subscription(plan=row["plan"], add_ons=frozenset(row["add_ons"]))
