"""How sessions end in PostgreSQL: one, many, or all that a `not_before` covers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from argus.sessions.limits import LimitEnd
from argus.sessions.model import EndReason, Session
from argus.sessions.store import from_row
from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class UserState:
    """What decides about all sessions of a user.

    Attributes:
        is_disabled: The user is disabled or deleted.
        not_before: Sessions begun up to then are over.
    """

    is_disabled: bool
    not_before: datetime | None


_LIVING: Final = """
    SELECT s.session_id FROM sessions s JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, session_id)
        ON s.tenant_id = w.tenant_id AND s.session_id = w.session_id
     WHERE s.state <> 'ended'"""
_LOCKED: Final = " ORDER BY s.tenant_id, s.session_id FOR UPDATE OF s"


class EndingStore:
    """Ends in the tables `sessions`, `users`, `clients` and `tenants`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def end(
        self, tx: Transaction, tenant_id: str, session_ids: Sequence[str], *, at: datetime, reason: EndReason
    ) -> list[Session]:
        """Ends those that have not ended; returns them. Rows are locked in the order of their ids."""
        rows = await tx.fetch_all(
            """WITH locked AS (
                   SELECT tenant_id, session_id FROM sessions
                    WHERE tenant_id = %(tenant)s AND session_id = ANY(%(ids)s) AND state <> 'ended'
                    ORDER BY session_id FOR UPDATE)
               UPDATE sessions s SET state = 'ended', end_time = %(at)s, end_reason = %(reason)s
                 FROM locked l WHERE s.tenant_id = l.tenant_id AND s.session_id = l.session_id
               RETURNING s.*""",
            {"tenant": tenant_id, "ids": list(session_ids), "at": at, "reason": reason.name},
        )
        return [from_row(row) for row in rows]

    async def displace(
        self, tx: Transaction, tenant_id: str, victims: Mapping[str, LimitEnd], *, at: datetime
    ) -> list[Session]:
        """Ends those that have not ended, to make room under a limit; returns them. Rows are locked as in `end`."""
        rows = await tx.fetch_all(
            """WITH locked AS (
                   SELECT s.tenant_id, s.session_id, w.detail FROM sessions s
                     JOIN unnest(%(ids)s::text[], %(details)s::text[]) AS w (session_id, detail)
                       ON s.session_id = w.session_id
                    WHERE s.tenant_id = %(tenant)s AND s.state <> 'ended'
                    ORDER BY s.session_id FOR UPDATE OF s)
               UPDATE sessions s
                  SET state = 'ended', end_time = %(at)s, end_reason = %(reason)s, end_detail = l.detail::jsonb
                 FROM locked l WHERE s.tenant_id = l.tenant_id AND s.session_id = l.session_id
               RETURNING s.*""",
            {
                "tenant": tenant_id,
                "ids": list(victims),
                "details": [json.dumps(one.facts) for one in victims.values()],
                "at": at,
                "reason": EndReason.LIMIT.name,
            },
        )
        return [from_row(row) for row in rows]

    async def end_of_user(
        self,
        tx: Transaction,
        tenant_id: str,
        user_id: str,
        *,
        at: datetime,
        reason: EndReason,
        keep: str | None = None,
        client_id: str | None = None,
        device_id: str | None = None,
        begun_until: datetime | None = None,
    ) -> list[Session]:
        """Ends the sessions of a user, all but `keep`, those of a client or device, or the older ones; returns them."""
        rows = await tx.fetch_all(
            """WITH locked AS (
                   SELECT tenant_id, session_id FROM sessions
                    WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND state <> 'ended'
                      AND (%(keep)s::text IS NULL OR session_id <> %(keep)s)
                      AND (%(client)s::text IS NULL OR client_id = %(client)s)
                      AND (%(device)s::text IS NULL OR device_id = %(device)s)
                      AND (%(until)s::timestamptz IS NULL OR date_trunc('second', create_time) <= %(until)s)
                    ORDER BY session_id FOR UPDATE)
               UPDATE sessions s SET state = 'ended', end_time = %(at)s, end_reason = %(reason)s
                 FROM locked l WHERE s.tenant_id = l.tenant_id AND s.session_id = l.session_id
               RETURNING s.*""",
            {
                "tenant": tenant_id,
                "user": user_id,
                "keep": keep,
                "client": client_id,
                "device": device_id,
                "until": begun_until,
                "at": at,
                "reason": reason.name,
            },
        )
        return [from_row(row) for row in rows]

    async def end_covered(
        self,
        tx: Transaction,
        tenant_id: str,
        client_id: str | None,
        *,
        until: datetime,
        at: datetime,
        reason: EndReason,
        size: int,
    ) -> list[Session]:
        """Ends up to `size` sessions of a tenant or one client that began up to `until` (a whole second)."""
        rows = await tx.fetch_all(
            """WITH locked AS (
                   SELECT tenant_id, session_id FROM sessions
                    WHERE tenant_id = %(tenant)s AND (%(client)s::text IS NULL OR client_id = %(client)s)
                      AND state <> 'ended' AND date_trunc('second', create_time) <= %(until)s
                    ORDER BY session_id LIMIT %(size)s FOR UPDATE)
               UPDATE sessions s SET state = 'ended', end_time = %(at)s, end_reason = %(reason)s
                 FROM locked l WHERE s.tenant_id = l.tenant_id AND s.session_id = l.session_id
               RETURNING s.*""",
            {
                "tenant": tenant_id,
                "client": client_id,
                "until": until,
                "at": at,
                "reason": reason.name,
                "size": size,
            },
        )
        return [from_row(row) for row in rows]

    async def hold_user(self, tx: Transaction, tenant_id: str, user_id: str) -> UserState | None:
        """The user's state, which nobody can change until the transaction ends; None if there was never such a user."""
        return (await self.hold_users(tx, [(tenant_id, user_id)])).get((tenant_id, user_id))

    async def hold_users(
        self, tx: Transaction, keys: Sequence[tuple[str, str]], *, waits: bool = True
    ) -> dict[tuple[str, str], UserState]:
        """The state of users, which nobody can change until the transaction ends.

        Args:
            tx: The transaction.
            keys: Tenant and user, none twice.
            waits: For whoever is changing one of them; else that one is missing in the answer.
        """
        skip = "" if waits else "SKIP LOCKED"
        rows = await tx.fetch_all(
            f"""SELECT u.tenant_id, u.user_id, u.disabled OR u.delete_time IS NOT NULL AS is_disabled, u.not_before
                  FROM users u JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, user_id)
                    ON u.tenant_id = w.tenant_id AND u.user_id = w.user_id
                 ORDER BY u.tenant_id, u.user_id FOR SHARE OF u {skip}""",
            columns(keys),
        )
        return {
            (row["tenant_id"], row["user_id"]): UserState(is_disabled=row["is_disabled"], not_before=row["not_before"])
            for row in rows
        }

    async def hold(self, tx: Transaction, keys: Sequence[tuple[str, str]], *, waits: bool) -> set[str]:
        """Locks the living sessions among `keys` (tenant and session) in the order of their ids.

        Args:
            tx: The transaction.
            keys: Of the sessions.
            waits: For whoever is changing one of them; else those are the answer.
        """
        if waits:
            await tx.execute(_LIVING + _LOCKED, columns(keys))
            return set()
        locked = await tx.fetch_all(_LIVING + _LOCKED + " SKIP LOCKED", columns(keys))
        living = await tx.fetch_all(_LIVING, columns(keys))
        return {row["session_id"] for row in living} - {row["session_id"] for row in locked}

    async def all_not_befores(
        self, tx: Transaction, pairs: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], datetime | None]:
        """The later one of the tenant's `not_before` and the client's, for tenants and their clients."""
        rows = await tx.fetch_all(
            """SELECT w.tenant_id, w.client_id, GREATEST(t.not_before, c.not_before) AS until
                 FROM unnest(%s::text[], %s::text[]) AS w (tenant_id, client_id)
                 JOIN tenants t ON t.tenant_id = w.tenant_id
                 LEFT JOIN clients c ON c.tenant_id = w.tenant_id AND c.client_id = w.client_id""",
            columns(pairs),
        )
        return {(row["tenant_id"], row["client_id"]): row["until"] for row in rows}

    async def not_befores_of_user(self, tenant_id: str, user_id: str) -> dict[str, datetime]:
        """The same of each client with which a user has sessions that have not ended, where there is one."""
        rows = await self._db.fetch_all(
            """SELECT DISTINCT s.client_id, GREATEST(t.not_before, c.not_before) AS until
                 FROM sessions s JOIN tenants t USING (tenant_id) LEFT JOIN clients c USING (tenant_id, client_id)
                WHERE s.tenant_id = %s AND s.user_id = %s AND s.state <> 'ended'
                  AND (t.not_before IS NOT NULL OR c.not_before IS NOT NULL)""",
            (tenant_id, user_id),
        )
        return {row["client_id"]: row["until"] for row in rows}

    async def not_befores(
        self, tenant_id: str, client_id: str, tx: Transaction | None = None
    ) -> tuple[datetime | None, datetime | None]:
        """The tenant's `not_before` and the client's."""
        row = await (tx or self._db).fetch_one(
            """SELECT t.not_before AS tenant, c.not_before AS client FROM tenants t
                 LEFT JOIN clients c ON c.tenant_id = t.tenant_id AND c.client_id = %s
                WHERE t.tenant_id = %s""",
            (client_id, tenant_id),
        )
        return (row["tenant"], row["client"]) if row else (None, None)

    async def overdue(
        self, tx: Transaction, *, now: datetime, after: tuple[datetime, str, str] | None, size: int
    ) -> list[Session]:
        """Sessions of all tenants whose deadline has passed, locked; those that others have locked are left to them.

        Args:
            tx: The transaction that keeps the locks.
            now: The time.
            after: Deadline, tenant and id of the last row of the batch before.
            size: Most rows.
        """
        rows = await tx.fetch_all(
            """SELECT * FROM sessions
                WHERE state <> 'ended' AND LEAST(idle_deadline, absolute_deadline) <= %(now)s
                  AND (%(time)s::timestamptz IS NULL
                       OR (LEAST(idle_deadline, absolute_deadline), tenant_id, session_id)
                          > (%(time)s, %(tenant)s, %(id)s))
                ORDER BY LEAST(idle_deadline, absolute_deadline), tenant_id, session_id
                LIMIT %(size)s FOR UPDATE SKIP LOCKED""",
            {
                "now": now,
                "time": after[0] if after else None,
                "tenant": after[1] if after else None,
                "id": after[2] if after else None,
                "size": size,
            },
        )
        return [from_row(row) for row in rows]

    async def still_living(self, tx: Transaction, sessions: Sequence[Session]) -> list[Session]:
        """Those of `sessions` that have not ended, read anew and locked; those that others have locked are left out."""
        rows = await tx.fetch_all(
            """SELECT s.* FROM sessions s
                 JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, session_id)
                   ON s.tenant_id = w.tenant_id AND s.session_id = w.session_id
                WHERE s.state <> 'ended' ORDER BY s.tenant_id, s.session_id FOR UPDATE OF s SKIP LOCKED""",
            ([one.tenant_id for one in sessions], [one.session_id for one in sessions]),
        )
        return [from_row(row) for row in rows]

    async def end_each(self, tx: Transaction, sessions: Sequence[Session]) -> None:
        """Writes the ends that `sessions` (locked by this transaction) carry."""
        await tx.execute(
            """UPDATE sessions s SET state = 'ended', end_time = w.end_time, end_reason = w.end_reason
                 FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[])
                      AS w (tenant_id, session_id, end_time, end_reason)
                WHERE s.tenant_id = w.tenant_id AND s.session_id = w.session_id AND s.state <> 'ended'""",
            (
                [one.tenant_id for one in sessions],
                [one.session_id for one in sessions],
                [one.end_time for one in sessions],
                [one.end_reason.name if one.end_reason else None for one in sessions],
            ),
        )

    async def prolong(self, tx: Transaction, session: Session) -> None:
        """Moves the idle deadline on to that of `session`, never back."""
        await tx.execute(
            """UPDATE sessions SET idle_deadline = LEAST(GREATEST(idle_deadline, %s), absolute_deadline)
                WHERE tenant_id = %s AND session_id = %s""",
            (session.idle_deadline, session.tenant_id, session.session_id),
        )

    async def contest(self, tx: Transaction, tenant_id: str, session_id: str, family: int) -> bool:
        """Marks the session as contested, unless it has ended or a newer family stands; says whether it changed."""
        sql = """UPDATE sessions SET state = 'contested'
                  WHERE tenant_id = %s AND session_id = %s AND state = 'active' AND (%s = 0 OR family = %s)"""
        return await tx.execute(sql, (tenant_id, session_id, family, family)) == 1
