"""Revocations in PostgreSQL: written by its triggers, read by snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from argus.revocations.model import Cursor, Revocation
from argus.storage.postgres import Database

_HERE: Final = """
    SELECT pg_current_snapshot()::text AS snapshot, extract(epoch FROM pg_postmaster_start_time())::text AS server"""

START: Final = ("0", "", "")
"""The place before all rows."""

_PATIENCE: Final = timedelta(seconds=15)
"""For so long the entry of an end that is still on its way needs no care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a look at PostgreSQL has shown.

    Attributes:
        cursor: How far it reached.
        changes: By tenant.
    """

    cursor: Cursor
    changes: Mapping[str, Sequence[Revocation]]


Place = tuple[str, str, str]
"""Where a page ends: transaction, kind and subject of its last row."""


class RevocationStore:
    """The table `revocations`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def cursor(self) -> Cursor:
        """How far somebody has read who reads now."""
        return _cursor(await self._db.fetch_one(_HERE))

    async def changes(self, tenant_ids: Sequence[str], since: Cursor, *, now: datetime) -> Reading:
        """What became visible after `since`, in one statement: nothing is missed, nothing comes twice.

        Of another server than that of `since` nothing can be said: no change is returned then, and its cursor is.
        """
        rows = await self._db.fetch_all(
            f"""SELECT here.snapshot, here.server, r.tenant_id, r.kind, r.subject, r.time, r.reason, r.expire_time
                  FROM ({_HERE}) here
                  LEFT JOIN revocations r
                    ON here.server = %(server)s AND r.tenant_id = ANY(%(tenants)s)
                   AND r.transaction >= pg_snapshot_xmin(%(since)s::pg_snapshot)
                   AND NOT pg_visible_in_snapshot(r.transaction, %(since)s::pg_snapshot) AND r.expire_time > %(now)s""",
            {"server": since.server, "tenants": list(tenant_ids), "since": since.snapshot, "now": now},
        )
        found: dict[str, list[Revocation]] = {}
        for row in rows:
            if row["tenant_id"] is not None:
                found.setdefault(row["tenant_id"], []).append(_revocation(row))
        return Reading(cursor=_cursor(rows[0]), changes=found)

    async def page(
        self, tenant_id: str, since: Cursor, *, after: Place, size: int, now: datetime
    ) -> tuple[Sequence[Revocation], Place | None]:
        """Some of what `since` does not show, and where to go on; None: there was no more.

        A row that is raised meanwhile moves on in the order, never back, so that all of what is there now is found.
        """
        rows = await self._db.fetch_all(
            """SELECT kind, subject, time, reason, expire_time, transaction::text AS transaction FROM revocations
                WHERE tenant_id = %(tenant)s AND (transaction, kind, subject) > (%(xid)s::xid8, %(kind)s, %(subject)s)
                  AND NOT pg_visible_in_snapshot(transaction, %(since)s::pg_snapshot) AND expire_time > %(now)s
                ORDER BY revocations.transaction, kind, subject LIMIT %(size)s""",
            {
                "tenant": tenant_id,
                "xid": after[0],
                "kind": after[1],
                "subject": after[2],
                "since": since.snapshot,
                "now": now,
                "size": size,
            },
        )
        last = (rows[-1]["transaction"], rows[-1]["kind"], rows[-1]["subject"]) if len(rows) == size else None
        return [_revocation(row) for row in rows], last

    async def prolong(self, *, now: datetime) -> int:
        """Keeps entries of sessions whose end Redis may not know: tokens of them may be issued still; says how many."""
        async with self._db.transaction() as tx:
            return await tx.execute(
                """INSERT INTO revocations AS r (tenant_id, kind, subject, time, reason, expire_time, transaction)
                   SELECT DISTINCT s.tenant_id, 'session', s.session_id, s.end_time, s.end_reason,
                          GREATEST(last_access_expiry(s.tenant_id, s.policy_revision, s.absolute_deadline, %(now)s),
                                   s.tokens_until),
                          pg_current_xact_id()
                     FROM outbox o
                    CROSS JOIN LATERAL jsonb_array_elements(
                          CASE jsonb_typeof(o.payload->'sessions') WHEN 'array' THEN o.payload->'sessions' END) e
                     JOIN sessions s ON s.tenant_id = o.tenant_id AND s.session_id = e->>'id' AND s.state = 'ended'
                    WHERE o.create_time <= %(late)s AND s.absolute_deadline > %(late)s
                    ORDER BY 1, 3
                   ON CONFLICT (tenant_id, kind, subject) DO UPDATE
                      SET expire_time = EXCLUDED.expire_time, transaction = EXCLUDED.transaction
                    WHERE r.expire_time < EXCLUDED.expire_time - %(patience)s""",
                {"now": now, "late": now - _PATIENCE, "patience": _PATIENCE},
            )

    async def purge(self, *, now: datetime) -> int:
        """Deletes what has expired; says how many."""
        async with self._db.transaction() as tx:
            return await tx.execute("DELETE FROM revocations WHERE expire_time <= %s", (now,))


def _cursor(row: Mapping[str, Any] | None) -> Cursor:
    if row is None:
        raise AssertionError("a select without a table returns a row")
    return Cursor(server=row["server"], snapshot=row["snapshot"])


def _revocation(row: Mapping[str, Any]) -> Revocation:
    return Revocation(
        kind=row["kind"],
        subject=row["subject"],
        time=row["time"],
        expire_time=row["expire_time"],
        reason=row["reason"] or "",
    )
