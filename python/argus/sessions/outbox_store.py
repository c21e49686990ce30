"""What must still reach Redis: rows of the outbox, and what was ended while PostgreSQL was away."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.types.json import Jsonb

from argus.base.ids import new_id
from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction
from argus.storage.redis import Redis
from argus.storage.together import Together

PATIENCE: Final = timedelta(seconds=5)
"""How long a worker leaves a fresh row to the request that made it."""

_LONGEST_WAIT: Final = timedelta(minutes=1)
_PENDING_KEY: Final = "a1:pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Something that must still be carried out.

    Attributes:
        kind: What is to be done.
        subject: What it is about.
        payload: All that is needed to do it.
    """

    tenant_id: str
    outbox_id: int
    kind: str
    subject: str
    payload: Mapping[str, Any]
    attempts: int = 0

    @property
    def operation(self) -> str:
        """Id of the operation, as callers see it."""
        return f"o{self.outbox_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is to be posted; as a `Delivery` it has an id."""

    tenant_id: str
    kind: str
    subject: str
    payload: Mapping[str, Any]
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingEnd:
    """An end that Redis knows and PostgreSQL does not know yet.

    Attributes:
        operation: Id of the operation, as callers see it.
        session_id: The session; empty: all of the user's that began up to `at`.
        reason: Name of the reason.
        at: Seconds since 1970.
    """

    operation: str
    tenant_id: str
    user_id: str
    session_id: str
    reason: str
    at: int
    actor: str
    request_id: str
    comment: str = ""

    @property
    def field(self) -> str:
        """Where it stands in the hash of pending ends: one place a session, one a user."""
        return f"{self.tenant_id}/{self.user_id}/{self.session_id}"


class OutboxStore:
    """Rows of the table `outbox`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._done: Together[tuple[str, int], None] = db.together("outbox_done", self._remove)

    async def post_all(
        self, tx: Transaction, notices: Sequence[Notice], *, wait: timedelta = PATIENCE
    ) -> dict[str, Delivery]:
        """Adds rows, each about something else, that a worker takes up after `wait`; by what they are about."""
        rows = [
            (one.tenant_id, one.kind, one.subject, json.dumps(one.payload), one.time, one.time + wait)
            for one in notices
        ]
        written = await tx.fetch_all(
            """INSERT INTO outbox (tenant_id, kind, subject, payload, create_time, attempt_time)
               SELECT tenant_id, kind, subject, payload::jsonb, create_time, attempt_time
                 FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
                      AS w (tenant_id, kind, subject, payload, create_time, attempt_time)
               RETURNING outbox_id, subject""",
            columns(rows),
        )
        ids = {row["subject"]: row["outbox_id"] for row in written}
        return {
            one.subject: Delivery(
                tenant_id=one.tenant_id,
                outbox_id=ids[one.subject],
                kind=one.kind,
                subject=one.subject,
                payload=one.payload,
            )
            for one in notices
        }

    async def post(
        self,
        tx: Transaction,
        tenant_id: str,
        kind: str,
        subject: str,
        payload: Mapping[str, Any],
        *,
        now: datetime,
        wait: timedelta = PATIENCE,
    ) -> Delivery:
        """Adds a row that a worker takes up after `wait`, unless the poster has been faster."""
        row = await tx.fetch_one(
            """INSERT INTO outbox (tenant_id, kind, subject, payload, create_time, attempt_time)
               VALUES (%s, %s, %s, %s, %s, %s) RETURNING outbox_id""",
            (tenant_id, kind, subject, Jsonb(dict(payload)), now, now + wait),
        )
        if row is None:
            raise AssertionError("an insert returns its row")
        return Delivery(tenant_id=tenant_id, outbox_id=row["outbox_id"], kind=kind, subject=subject, payload=payload)

    async def find_end(self, tenant_id: str, user_id: str, session_id: str, tx: Transaction) -> Delivery | None:
        """The row by which the end of a session is still on its way, if there is one."""
        row = await tx.fetch_one(
            """SELECT * FROM outbox
                WHERE tenant_id = %s AND kind IN ('sessions.ended', 'user.changed') AND subject = %s
                  AND payload->'sessions' @> %s
                ORDER BY outbox_id LIMIT 1""",
            (tenant_id, user_id, Jsonb([{"id": session_id}])),
        )
        return _delivery(row) if row else None

    async def undelivered(self, tx: Transaction, tenant_id: str, user_id: str) -> list[dict[str, Any]]:
        """Tombstones of a user's sessions that may not have come to Redis, whatever ended them."""
        rows = await tx.fetch_all(
            """SELECT payload->'sessions' AS sessions FROM outbox
                WHERE tenant_id = %s AND kind IN ('sessions.ended', 'user.changed', 'session.begun')
                  AND payload->>'user_id' = %s ORDER BY outbox_id""",
            (tenant_id, user_id),
        )
        return list({one["id"]: one for row in rows for one in row["sessions"]}.values())

    async def brought_by(self, tx: Transaction, sessions: Sequence[tuple[str, str]]) -> dict[str, list[dict[str, Any]]]:
        """Tombstones of those that made room for sessions (tenant, id) which may not have come to Redis, by these."""
        rows = await tx.fetch_all(
            """SELECT o.subject, o.payload->'sessions' AS sessions
                 FROM outbox o JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, subject) USING (tenant_id, subject)
                WHERE o.kind = 'session.begun' ORDER BY o.outbox_id""",
            columns(sessions),
        )
        return {row["subject"]: row["sessions"] for row in rows}

    async def due(self, tx: Transaction, *, now: datetime, size: int) -> list[Delivery]:
        """Rows whose time has come, locked; those that others have locked are left to them."""
        rows = await tx.fetch_all(
            """SELECT * FROM outbox WHERE attempt_time <= %s
                ORDER BY attempt_time LIMIT %s FOR UPDATE SKIP LOCKED""",
            (now, size),
        )
        return [_delivery(row) for row in rows]

    async def done(self, delivery: Delivery, tx: Transaction | None = None) -> None:
        """Removes a row that was carried out."""
        key = (delivery.tenant_id, delivery.outbox_id)
        if tx is None:
            await self._done.do(key)
        else:
            await tx.execute("DELETE FROM outbox WHERE tenant_id = %s AND outbox_id = %s", key)

    async def postpone(self, tx: Transaction, delivery: Delivery, *, now: datetime) -> None:
        """Puts a row off, longer after every try."""
        wait = min(timedelta(seconds=2 ** min(delivery.attempts, 10)), _LONGEST_WAIT)
        await tx.execute(
            "UPDATE outbox SET attempts = attempts + 1, attempt_time = %s WHERE tenant_id = %s AND outbox_id = %s",
            (now + wait, delivery.tenant_id, delivery.outbox_id),
        )

    async def _remove(self, keys: Sequence[tuple[str, int]]) -> Sequence[None]:
        # One that comes back after a crash is carried out once more, which does no harm.
        await self._db.execute_relaxed(
            """DELETE FROM outbox o USING unnest(%s::text[], %s::bigint[]) AS w (tenant_id, outbox_id)
                WHERE o.tenant_id = w.tenant_id AND o.outbox_id = w.outbox_id""",
            columns(keys),
        )
        return [None] * len(keys)


class PendingEnds:
    """Ends made while PostgreSQL was away, kept in Redis until it is back."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, pending: PendingEnd) -> PendingEnd:
        """Keeps an end of a session, where the first one stands, or of a user, where the last one does."""
        content = json.dumps(asdict(pending))
        async with self._redis.guard():
            if not pending.session_id:
                await self._redis.client.hset(_PENDING_KEY, pending.field, content)
                return pending
            await self._redis.client.hsetnx(_PENDING_KEY, pending.field, content)
            kept = await self._redis.client.hget(_PENDING_KEY, pending.field)
        return _pending(kept) if kept else pending

    async def find(self, tenant_id: str, user_id: str, session_id: str) -> PendingEnd | None:
        """The pending end of a session."""
        async with self._redis.guard():
            content = await self._redis.client.hget(_PENDING_KEY, f"{tenant_id}/{user_id}/{session_id}")
        return _pending(content) if content else None

    async def all(self) -> list[PendingEnd]:
        """All of them, of every tenant."""
        async with self._redis.guard():
            contents = await self._redis.client.hvals(_PENDING_KEY)
        return [_pending(content) for content in contents]

    async def done(self, pending: PendingEnd) -> None:
        """Removes one that PostgreSQL knows now; one that took its place meanwhile stays."""
        async with self._redis.guard():
            kept = await self._redis.client.hget(_PENDING_KEY, pending.field)
            if kept and _pending(kept).operation == pending.operation:
                await self._redis.client.hdel(_PENDING_KEY, pending.field)

    @staticmethod
    def new_operation() -> str:
        """Id of an operation that begins here."""
        return f"r{new_id()}"


def _pending(content: bytes | str) -> PendingEnd:
    return PendingEnd(**json.loads(content))


def _delivery(row: Mapping[str, Any]) -> Delivery:
    return Delivery(
        tenant_id=row["tenant_id"],
        outbox_id=row["outbox_id"],
        kind=row["kind"],
        subject=row["subject"],
        payload=row["payload"],
        attempts=row["attempts"],
    )
