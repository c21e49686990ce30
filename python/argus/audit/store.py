"""The audit table in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from argus.audit.model import AuditEvent, EventFilter
from argus.storage.postgres import Database, Transaction

# host() leaves the network mask out that inet shows.
_EVENT: Final = """
    SELECT event_id, type, time, actor, user_id, session_id, client_id, outcome, reason, request_id,
           host(ip_address) AS ip_address, data
      FROM audit_events"""
_PARTITIONING: Final = 0x6172677573617564
"""Advisory lock: "argusaud"."""


async def of_session(
    db: Database,
    tenant_id: str,
    session_id: str,
    *,
    matching: EventFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[AuditEvent]:
    """Up to `limit` events of a session, newest first, that come after the position `after` of the list."""
    return await _page(db, "session_id = %s", (tenant_id, session_id), matching, after, limit)


async def of_user(
    db: Database,
    tenant_id: str,
    user_id: str,
    *,
    matching: EventFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[AuditEvent]:
    """Up to `limit` events that concerned a user, newest first, after the position `after` of the list."""
    return await _page(db, "user_id = %s", (tenant_id, user_id), matching, after, limit)


async def find(db: Database, tenant_id: str, event_id: str, *, time: datetime) -> AuditEvent | None:
    """The event of that id and instant, if there is one."""
    row = await db.fetch_one(
        f"{_EVENT} WHERE tenant_id = %s AND time = %s AND event_id = %s", (tenant_id, time, event_id)
    )
    return None if row is None else _event(row)


async def of_device(
    db: Database,
    tenant_id: str,
    user_id: str,
    device_id: str,
    session_ids: Sequence[str],
    *,
    matching: EventFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[AuditEvent]:
    """Up to `limit` events of a user's device and of sessions on it, newest first, after the position `after`."""
    concerns = "user_id = %s AND (data->>'device' = %s OR session_id = ANY(%s))"
    return await _page(db, concerns, (tenant_id, user_id, device_id, list(session_ids)), matching, after, limit)


async def of_request(db: Database, tenant_id: str, request_id: str, *, limit: int) -> list[AuditEvent]:
    """Up to `limit` events of one call, oldest first."""
    rows = await db.fetch_all(
        f"{_EVENT} WHERE tenant_id = %s AND request_id = %s ORDER BY time, event_id LIMIT %s",
        (tenant_id, request_id, limit),
    )
    return [_event(row) for row in rows]


async def delete_before(tx: Transaction, tenant_id: str, before: datetime, *, limit: int) -> int:
    """Deletes up to `limit` of the oldest events that are older; those that another process is at are left to it."""
    return await tx.execute(
        """DELETE FROM audit_events e USING (
                  SELECT tenant_id, time, event_id FROM audit_events WHERE tenant_id = %s AND time < %s
                   ORDER BY time, event_id LIMIT %s FOR UPDATE SKIP LOCKED) AS old
            WHERE e.tenant_id = old.tenant_id AND e.time = old.time AND e.event_id = old.event_id""",
        (tenant_id, before, limit),
    )


async def cut_addresses_before(tx: Transaction, tenant_id: str, before: datetime, *, limit: int) -> int:
    """Cuts the addresses of up to `limit` older events to /24 (IPv4) or /48 (IPv6), from where it was left.

    Waits for another process that is at the same: rows passed over would stay whole once it is noted how far this got.
    """
    return await tx.execute(
        """UPDATE audit_events e
              SET ip_address = network(set_masklen(e.ip_address, CASE family(e.ip_address) WHEN 4 THEN 24 ELSE 48 END))
             FROM (SELECT tenant_id, time, event_id FROM audit_events
                    WHERE tenant_id = %(tenant)s AND time < %(before)s
                      AND time >= COALESCE(
                              (SELECT cut_time FROM audit_upkeep WHERE tenant_id = %(tenant)s), '-infinity')
                      AND masklen(ip_address) = CASE family(ip_address) WHEN 4 THEN 32 ELSE 128 END
                    ORDER BY time, event_id LIMIT %(limit)s FOR UPDATE) AS old
            WHERE e.tenant_id = old.tenant_id AND e.time = old.time AND e.event_id = old.event_id""",
        {"tenant": tenant_id, "before": before, "limit": limit},
    )


async def note_cut(tx: Transaction, tenant_id: str, until: datetime) -> None:
    """Notes how far addresses have been cut; never back."""
    await tx.execute(
        """INSERT INTO audit_upkeep (tenant_id, cut_time) VALUES (%s, %s)
           ON CONFLICT (tenant_id) DO UPDATE SET cut_time = GREATEST(audit_upkeep.cut_time, excluded.cut_time)""",
        (tenant_id, until),
    )


async def between(
    db: Database,
    tenant_id: str,
    *,
    types: Sequence[str],
    after: tuple[datetime, str],
    until: datetime,
    user_id: str,
    limit: int,
) -> list[AuditEvent]:
    """Up to `limit` events of some types after a position and before a time, oldest first; of a user if named."""
    of_user = " AND user_id = %s" if user_id else ""
    rows = await db.fetch_page(
        f"""{_EVENT} WHERE tenant_id = %s{of_user} AND type = ANY(%s) AND (time, event_id) > (%s, %s) AND time < %s
             ORDER BY time, event_id LIMIT %s""",
        (tenant_id, *([user_id] if user_id else []), list(types), *after, until, limit),
    )
    return [_event(row) for row in rows]


async def count(db: Database, tenant_id: str, *, types: Sequence[str], since: datetime, until: datetime) -> int:
    """How many events of some types there are in a time."""
    row = await db.fetch_one(
        "SELECT count(*) AS n FROM audit_events WHERE tenant_id = %s AND type = ANY(%s) AND time >= %s AND time < %s",
        (tenant_id, list(types), since, until),
    )
    return 0 if row is None else int(row["n"])


async def create_partition(tx: Transaction, *, begin: datetime, end: datetime) -> bool:
    """Makes the partition of a month; False if there is one. Rows that are there already move into it."""
    name = f"audit_events_{begin:%Y_%m}"
    await tx.execute("SELECT pg_advisory_xact_lock(%s)", (_PARTITIONING,))
    if await tx.fetch_one("SELECT 1 AS found WHERE to_regclass(%s) IS NOT NULL", (name,)):
        return False
    # Rows on their way wait here, before they choose a partition: the default would refuse one that had chosen it.
    await tx.execute("LOCK TABLE audit_events IN SHARE ROW EXCLUSIVE MODE")
    # Attached last: rows of the month may stand in the default partition, which then must hold none of them.
    await tx.execute(f'CREATE TABLE "{name}" (LIKE audit_events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)')
    await tx.execute(
        f"""WITH moved AS (DELETE FROM audit_events_default WHERE time >= %s AND time < %s RETURNING *)
            INSERT INTO "{name}" SELECT * FROM moved""",
        (begin, end),
    )
    # A partition's bounds can't be parameters; these are dates that we made.
    bounds = f"FROM ('{begin.isoformat()}') TO ('{end.isoformat()}')"
    await tx.execute(f'ALTER TABLE audit_events ATTACH PARTITION "{name}" FOR VALUES {bounds}')
    return True


def _event(row: dict[str, Any]) -> AuditEvent:
    return AuditEvent(**row)


async def _page(
    db: Database,
    concerns: LiteralString,
    key: Sequence[Any],
    matching: EventFilter,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[AuditEvent]:
    sql: LiteralString = f"{_EVENT} WHERE tenant_id = %s AND {concerns}"
    values: list[Any] = [*key]
    wanted: list[tuple[LiteralString, Any]] = [
        (" AND type = ANY(%s)", None if matching.types is None else list(matching.types)),
        (" AND outcome = %s", matching.outcome),
        (" AND client_id = %s", matching.client_id),
        (" AND time >= %s", matching.since),
        (" AND time < %s", matching.before),
        (" AND time <= %s", matching.until),
    ]
    for condition, value in wanted:
        if value is not None:
            sql += condition
            values.append(value)
    if after is not None:
        sql += " AND (time, event_id) < (%s, %s)"
        values += after
    rows = await db.fetch_page(sql + " ORDER BY time DESC, event_id DESC LIMIT %s", (*values, limit))
    return [_event(row) for row in rows]
