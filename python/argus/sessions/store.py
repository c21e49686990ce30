"""Sessions in PostgreSQL: what is true."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from argus.base.lives import LongestLives
from argus.sessions.limits import LimitEnd
from argus.sessions.model import EndReason, Session, SessionState
from argus.sessions.new_rows import INSERT, new_row
from argus.storage.columns import columns
from argus.storage.postgres import Database, Row, Transaction

# What is over by a client's or tenant's `not_before` shows as over before the rows are brought up to it. No row may be
# left out for its policy: whoever has waited for a row finds it with a number that was not there before.
_SELECT: Final = """
    SELECT s.*, t.not_before AS tenant_not_before, c.not_before AS client_not_before,
           'absolute_seconds' = ANY (p.narrower) AS has_narrower_life
      FROM sessions s
      JOIN tenants t ON t.tenant_id = s.tenant_id
      LEFT JOIN policy_revisions p ON p.tenant_id = s.tenant_id AND p.revision = s.policy_revision
      LEFT JOIN clients c ON c.tenant_id = s.tenant_id AND c.client_id = s.client_id"""
# How long sessions may live by what is in force now, of clients that have something of their own to say.
_LIVES: Final = """
      LEFT JOIN unnest(%(clients)s::text[], %(lives)s::integer[], %(narrower)s::integer[])
             AS l (client_id, life, narrower) ON l.client_id = s.client_id"""
_IS_LIVING: Final = """
    s.state <> 'ended' AND s.idle_deadline > %(now)s AND s.absolute_deadline > %(now)s
    AND date_trunc('second', s.create_time) + make_interval(secs => CASE WHEN 'absolute_seconds' = ANY (p.narrower)
            THEN COALESCE(l.narrower, %(narrower_life)s) ELSE COALESCE(l.life, %(life)s) END) > %(now)s
    AND (t.not_before IS NULL OR date_trunc('second', s.create_time) > t.not_before)
    AND (c.not_before IS NULL OR date_trunc('second', s.create_time) > c.not_before)"""
_COLUMNS: Final = tuple(
    field.name
    for field in fields(Session)
    if field.name not in ("covered_until", "covered_reason", "trust_now", "has_narrower_life")
)


class SessionStore:
    """Rows of the table `sessions`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def last_uses(
        self, tenant_id: str, user_ids: Sequence[str], *, reader: Transaction | None = None
    ) -> dict[str, datetime]:
        """When some session of each of these users was used last, as `reader` sees it; without those who had none."""
        rows = await (reader or self._db).fetch_all(
            """SELECT user_id, max(last_active_time) AS used FROM sessions
                WHERE tenant_id = %s AND user_id = ANY(%s) GROUP BY user_id""",
            (tenant_id, list(user_ids)),
        )
        return {row["user_id"]: row["used"] for row in rows}

    async def users_with_others(
        self, tx: Transaction, users: Sequence[tuple[str, str]], *, but: Sequence[str]
    ) -> set[tuple[str, str]]:
        """Which of these users (tenant, user) have or had a session, as `tx` sees it, but for some session ids."""
        rows = await tx.fetch_all(
            """SELECT w.tenant_id, w.user_id FROM unnest(%s::text[], %s::text[]) AS w (tenant_id, user_id)
                WHERE EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = w.tenant_id AND s.user_id = w.user_id
                                 AND s.session_id <> ALL (%s))""",
            (*columns(users), list(but)),
        )
        return {(row["tenant_id"], row["user_id"]) for row in rows}

    async def get(self, tenant_id: str, user_id: str, session_id: str, tx: Transaction | None = None) -> Session | None:
        """The session, or None if there is none of that user."""
        sql = _SELECT + " WHERE s.tenant_id = %s AND s.user_id = %s AND s.session_id = %s"
        row = await (tx or self._db).fetch_one(sql, (tenant_id, user_id, session_id))
        return from_row(row) if row else None

    async def find_all(self, tenant_id: str, user_id: str, session_ids: Sequence[str]) -> list[Session]:
        """Those of some sessions that there are of that user."""
        sql = _SELECT + " WHERE s.tenant_id = %s AND s.user_id = %s AND s.session_id = ANY(%s)"
        rows = await self._db.fetch_all(sql, (tenant_id, user_id, list(session_ids)))
        return [from_row(row) for row in rows]

    async def living_at(self, tenant_id: str, user_id: str, time: datetime) -> list[Session]:
        """Sessions of a user that began before a time and had not been ended by then.

        A policy that was shortened later may say of one that it was over before: that came to pass when it was said.
        """
        sql = (
            _SELECT
            + """ WHERE s.tenant_id = %s AND s.user_id = %s AND s.create_time < %s
                    AND (COALESCE(s.end_time, s.absolute_deadline) >= %s OR EXISTS (
                        SELECT 1 FROM audit_events e WHERE e.tenant_id = s.tenant_id AND e.session_id = s.session_id
                           AND e.type = 'session.ended' AND e.time >= %s))"""
        )
        rows = await self._db.fetch_all(sql, (tenant_id, user_id, time, time, time))
        return [from_row(row) for row in rows]

    async def lock(self, tx: Transaction, tenant_id: str, user_id: str, session_id: str) -> Session | None:
        """The session, which nobody else can change until the transaction ends."""
        sql = _SELECT + " WHERE s.tenant_id = %s AND s.user_id = %s AND s.session_id = %s FOR UPDATE OF s"
        row = await tx.fetch_one(sql, (tenant_id, user_id, session_id))
        return from_row(row) if row else None

    async def insert_all(self, tx: Transaction, sessions: Sequence[Session]) -> None:
        """Adds sessions."""
        await tx.execute(INSERT, columns([new_row(session) for session in sessions]))

    async def page(
        self,
        tenant_id: str,
        user_id: str,
        *,
        now: datetime,
        lives: LongestLives,
        size: int,
        with_ended: bool,
        before: tuple[datetime, str] | None,
    ) -> list[Session]:
        """Sessions of a user, newest first.

        Args:
            tenant_id: Tenant.
            user_id: User.
            now: What is over then counts as ended.
            lives: How long sessions may live by what is in force now.
            size: Most rows.
            with_ended: Ended ones too.
            before: Creation and id of the last row of the page before.
        """
        values = {"tenant_id": tenant_id, "user_id": user_id, "now": now, "size": size, "ended": with_ended}
        values |= {"time": before[0] if before else None, "id": before[1] if before else None, **_spans(lives)}
        # With an OR around it the index would be read from the beginning, at a late page all of it.
        after = " AND (s.create_time, s.session_id) < (%(time)s, %(id)s)" if before else ""
        rows = await self._db.fetch_page(
            _SELECT
            + _LIVES
            + " WHERE s.tenant_id = %(tenant_id)s AND s.user_id = %(user_id)s AND (%(ended)s OR ("
            + _IS_LIVING
            + "))"
            + after
            + " ORDER BY s.create_time DESC, s.session_id DESC LIMIT %(size)s",
            values,
        )
        return [from_row(row) for row in rows]

    async def count_living(self, tenant_id: str, user_id: str | None, *, now: datetime, lives: LongestLives) -> int:
        """How many sessions of the user (None: of the tenant) are not over at `now`."""
        row = await self._db.fetch_one(
            """SELECT count(*) AS n FROM sessions s JOIN tenants t ON t.tenant_id = s.tenant_id
                 JOIN policy_revisions p ON p.tenant_id = s.tenant_id AND p.revision = s.policy_revision
                 LEFT JOIN clients c ON c.tenant_id = s.tenant_id AND c.client_id = s.client_id"""
            + _LIVES
            + """
                WHERE s.tenant_id = %(tenant_id)s AND (%(user_id)s::text IS NULL OR s.user_id = %(user_id)s) AND """
            + _IS_LIVING,
            {"tenant_id": tenant_id, "user_id": user_id, "now": now, **_spans(lives)},
        )
        return int(row["n"]) if row else 0

    async def owners(self, tenant_id: str, session_ids: list[str]) -> dict[str, Session]:
        """The sessions of the tenant among `session_ids`, by id."""
        rows = await self._db.fetch_all(
            _SELECT + " WHERE s.tenant_id = %s AND s.session_id = ANY(%s)", (tenant_id, session_ids)
        )
        return {row["session_id"]: from_row(row) for row in rows}

    async def describe(
        self, tx: Transaction, session: Session, *, display_name: str | None, category: str | None
    ) -> None:
        """Changes what the user calls the session's device; None leaves a field as it is."""
        await tx.execute(
            """UPDATE sessions SET display_name = COALESCE(%s, display_name), category = COALESCE(%s, category),
                   revision = revision + 1
                WHERE tenant_id = %s AND session_id = %s""",
            (display_name, category, session.tenant_id, session.session_id),
        )

    async def on_device(self, tenant_id: str, user_id: str, device_id: str, *, limit: int) -> list[str]:
        """Ids of the newest sessions of a user on a device, living or not."""
        rows = await self._db.fetch_all(
            """SELECT session_id FROM sessions WHERE tenant_id = %s AND user_id = %s AND device_id = %s
                ORDER BY create_time DESC LIMIT %s""",
            (tenant_id, user_id, device_id, limit),
        )
        return [row["session_id"] for row in rows]

    async def describe_device(
        self, tx: Transaction, tenant_id: str, user_id: str, device_id: str, *, display_name: str, category: str
    ) -> None:
        """Changes what the device of all of a user's sessions on it is called, and its group."""
        await tx.execute(
            """UPDATE sessions SET display_name = %s, category = %s, revision = revision + 1
                WHERE (tenant_id, session_id) IN (
                      SELECT tenant_id, session_id FROM sessions
                       WHERE tenant_id = %s AND user_id = %s AND device_id = %s AND state <> 'ended'
                       ORDER BY tenant_id, session_id FOR UPDATE)""",
            (display_name, category, tenant_id, user_id, device_id),
        )

    async def begin_family(self, tx: Transaction, session: Session) -> None:
        """Writes the new family of a locked session, and what its user has proved for it."""
        await tx.execute(
            """UPDATE sessions SET state = %(state)s, family = %(family)s, refresh_id_key = %(refresh_id_key)s,
                   generation_bound = %(generation_bound)s, generation_bound_time = %(generation_bound_time)s,
                   generation_bound_rotated = %(generation_bound_rotated)s, binding = %(binding)s, acr = %(acr)s,
                   amr = %(amr)s, auth_time = %(auth_time)s, last_active_time = %(last_active_time)s,
                   idle_deadline = %(idle_deadline)s, trust = %(trust)s, risk = %(risk)s
                WHERE tenant_id = %(tenant_id)s AND session_id = %(session_id)s""",
            _to_row(session),
        )

    async def living_on(self, db: Database | Transaction, tenant_id: str, device_id: str) -> list[Session]:
        """Sessions on a device that have not been ended."""
        rows = await db.fetch_all(
            "SELECT * FROM sessions WHERE tenant_id = %s AND device_id = %s AND state <> 'ended' ORDER BY session_id",
            (tenant_id, device_id),
        )
        return [from_row(row) for row in rows]

    async def rate_on(self, tx: Transaction, tenant_id: str, device_id: str, *, trust: float) -> int:
        """Rates the sessions on a device that have not been ended by what it is trusted now; says how many."""
        return await tx.execute(
            """UPDATE sessions SET trust = LEAST(%s, 100 * (1 - risk))
                WHERE (tenant_id, session_id) IN (
                      SELECT tenant_id, session_id FROM sessions
                       WHERE tenant_id = %s AND device_id = %s AND state <> 'ended'
                       ORDER BY tenant_id, session_id FOR UPDATE)""",
            (trust, tenant_id, device_id),
        )

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Leaves of a user's sessions that and when they were, and forgets on what and from where, within `tx`."""
        await tx.execute(
            """UPDATE sessions SET device_type = '', device_os = '', device_browser = '', device_os_version = '',
                   device_browser_version = '', device_app = '', display_name = '', category = '', user_agent = '',
                   ip_address = NULL, seen_ip_address = NULL, country = NULL, city = NULL, radius_km = NULL,
                   asn = NULL, asn_name = NULL, network_class = NULL
                WHERE (tenant_id, session_id) IN (
                      SELECT tenant_id, session_id FROM sessions WHERE tenant_id = %s AND user_id = %s
                       ORDER BY tenant_id, session_id FOR UPDATE)""",
            (tenant_id, user_id),
        )

    async def delete_unused(self, tx: Transaction, tenant_id: str, session_id: str) -> bool:
        """Removes a session whose tokens were never made; says whether it was there."""
        sql = """DELETE FROM sessions WHERE tenant_id = %s AND session_id = %s AND state = 'active'
                    AND family = 1 AND generation_bound = 1 AND last_active_time = create_time"""
        return await tx.execute(sql, (tenant_id, session_id)) == 1


def from_row(row: Row) -> Session:
    """The session in a row of `sessions` (with what `_SELECT` adds, where that was read)."""
    values = {name: row[name] for name in _COLUMNS}
    values["state"] = SessionState(row["state"])
    values["end_reason"] = EndReason[row["end_reason"]] if row["end_reason"] else None
    values["end_detail"] = LimitEnd.from_facts(row["end_detail"]) if row["end_detail"] else None
    for name in ("ip_address", "seen_ip_address"):
        values[name] = str(row[name]) if row[name] is not None else None
    values["has_narrower_life"] = bool(row.get("has_narrower_life"))
    values["binding"] = bytes(row["binding"]) if row["binding"] is not None else None
    covers = [
        (row[column], reason)
        for column, reason in (
            ("tenant_not_before", EndReason.TENANT_WIDE),
            ("client_not_before", EndReason.CLIENT_WIDE),
        )
        if row.get(column) is not None
    ]
    if covers:
        values["covered_until"], values["covered_reason"] = max(covers)
    return Session(**values)


def _spans(lives: LongestLives) -> dict[str, Any]:
    of_clients = lives.of_clients.values()
    return {
        "life": int(lives.of_most.of_most.total_seconds()),
        "narrower_life": int(lives.of_most.of_narrower.total_seconds()),
        "clients": list(lives.of_clients),
        "lives": [int(life.of_most.total_seconds()) for life in of_clients],
        "narrower": [int(life.of_narrower.total_seconds()) for life in of_clients],
    }


def _to_row(session: Session) -> Row:
    row: Row = {name: getattr(session, name) for name in _COLUMNS}
    return row | {"state": str(session.state), "amr": list(session.amr), "resources": list(session.resources)}
