"""The contexts of sessions in PostgreSQL."""

from dataclasses import dataclass
from datetime import datetime

from argus.contexts.model import Context
from argus.storage.postgres import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContext:
    """The context that a session is known to be used in, and the last one that was not good."""

    context: Context
    refused_digest: bytes | None = None
    refused_time: datetime | None = None


class ContextStore:
    """Rows of the table `session_contexts`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, tenant_id: str, session_id: str, *, reader: Transaction | None = None) -> KnownContext | None:
        """The context of a session, or None, as `reader` sees it.

        Where its addresses are is for the databases of now to say.
        """
        row = await (reader or self._db).fetch_one(
            "SELECT * FROM session_contexts WHERE tenant_id = %s AND session_id = %s", (tenant_id, session_id)
        )
        if row is None:
            return None
        prints = (row["device_strong"], row["device_weak"])
        strong, weak = (bytes(one) if one is not None else None for one in prints)
        context = Context(
            device_strong=strong,
            device_weak=weak,
            country_address=row["country_address"],
            network_address=row["network_address"],
            is_listed=row["is_listed"],
        )
        refused = bytes(row["refused_digest"]) if row["refused_digest"] is not None else None
        return KnownContext(context=context, refused_digest=refused, refused_time=row["refused_time"])

    async def put(self, tx: Transaction, tenant_id: str, session_id: str, context: Context, *, now: datetime) -> None:
        """Keeps a context that is good; of a session that has ended meanwhile, nothing: its user may be deleted."""
        await self._write(tx, tenant_id, session_id, context, now, None, None)

    async def refuse(
        self, tx: Transaction, tenant_id: str, session_id: str, context: Context, *, digest: bytes, now: datetime
    ) -> None:
        """Keeps the context that a session is known by, and notes one that was refused."""
        await self._write(tx, tenant_id, session_id, context, now, digest, now)

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Forgets in which contexts the sessions of a user were used, within `tx`, which has locked them."""
        await tx.execute(
            """DELETE FROM session_contexts c USING sessions s
                WHERE s.tenant_id = %s AND s.user_id = %s
                  AND c.tenant_id = s.tenant_id AND c.session_id = s.session_id""",
            (tenant_id, user_id),
        )

    @staticmethod
    async def _write(
        tx: Transaction,
        tenant_id: str,
        session_id: str,
        context: Context,
        now: datetime,
        digest: bytes | None,
        refused: datetime | None,
    ) -> None:
        await tx.execute(
            """INSERT INTO session_contexts (tenant_id, session_id, device_strong, device_weak, country_address,
                      network_address, is_listed, judge_time, refused_digest, refused_time)
               SELECT tenant_id, session_id, %s, %s, %s, %s, %s, %s, %s, %s FROM sessions
                WHERE tenant_id = %s AND session_id = %s AND state <> 'ended' FOR KEY SHARE
                   ON CONFLICT (tenant_id, session_id) DO UPDATE
                  SET device_strong = EXCLUDED.device_strong, device_weak = EXCLUDED.device_weak,
                      country_address = EXCLUDED.country_address, network_address = EXCLUDED.network_address,
                      is_listed = EXCLUDED.is_listed, judge_time = EXCLUDED.judge_time,
                      refused_digest = EXCLUDED.refused_digest, refused_time = EXCLUDED.refused_time""",
            (
                context.device_strong,
                context.device_weak,
                context.country_address,
                context.network_address,
                context.is_listed,
                now,
                digest,
                refused,
                tenant_id,
                session_id,
            ),
        )
