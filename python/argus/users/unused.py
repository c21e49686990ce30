"""Users whom nobody uses: those that may still sign in, and those that were disabled for it."""

from collections.abc import Sequence
from datetime import datetime

from argus.storage.postgres import Database, Transaction
from argus.users import store
from argus.users.model import User


class UnusedUsers:
    """Looks for them, in the order of their ids, a batch at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def open_since(
        self, tenant_id: str, *, before: datetime, after: str, limit: int
    ) -> Sequence[tuple[User, datetime]]:
        """Users that may sign in and were made or enabled up to `before`, with when that was.

        Args:
            tenant_id: Tenant.
            before: The newest that counts.
            after: Id of the last one of the batch before; "": this is the first.
            limit: Most users.
        """
        rows = await self._db.fetch_all(
            """SELECT user_id, GREATEST(create_time, enable_time) AS since FROM users
                WHERE tenant_id = %s AND NOT disabled AND delete_time IS NULL AND user_id > %s
                  AND GREATEST(create_time, enable_time) <= %s
                ORDER BY user_id LIMIT %s""",
            (tenant_id, after, before, limit),
        )
        return await self._with_times(tenant_id, {row["user_id"]: row["since"] for row in rows})

    async def disabled_since(
        self, tenant_id: str, *, before: datetime, after: str, limit: int
    ) -> Sequence[tuple[User, datetime]]:
        """Users that were disabled as unused up to `before`, with when that was.

        Args:
            tenant_id: Tenant.
            before: The newest that counts.
            after: Id of the last one of the batch before; "": this is the first.
            limit: Most users.
        """
        rows = await self._db.fetch_all(
            """SELECT user_id, unused_time AS since FROM users
                WHERE tenant_id = %s AND unused_time <= %s AND delete_time IS NULL AND user_id > %s
                ORDER BY user_id LIMIT %s""",
            (tenant_id, before, after, limit),
        )
        return await self._with_times(tenant_id, {row["user_id"]: row["since"] for row in rows})

    async def disabled_time(self, tx: Transaction, tenant_id: str, user_id: str) -> datetime | None:
        """When a user was disabled as unused; None: it is not, or somebody has looked at it since."""
        row = await tx.fetch_one(
            "SELECT unused_time FROM users WHERE tenant_id = %s AND user_id = %s", (tenant_id, user_id)
        )
        return None if row is None else row["unused_time"]

    async def _with_times(self, tenant_id: str, since: dict[str, datetime]) -> Sequence[tuple[User, datetime]]:
        found = await store.find_all(self._db, [(tenant_id, user_id) for user_id in since]) if since else {}
        return [(found[tenant_id, one], at) for one, at in since.items() if (tenant_id, one) in found]
