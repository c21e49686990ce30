"""What happens together or not at all."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.storage.audit_rows import AUDIT_INSERT, audit_row
from argus.storage.columns import columns
from argus.storage.connections import Connection, Row
from argus.storage.requests import claim_all

Parameters = Sequence[Any] | Mapping[str, Any]

_OUTBOX_INSERT: Final = """
    INSERT INTO outbox (tenant_id, kind, subject, payload, create_time, attempt_time)
    VALUES (%s, %s, %s, %s, %s, %s)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An event of a transaction.

    Attributes:
        event_id: Its id in the audit.
        event: What happened.
        origin: On whose behalf.
        time: When.
    """

    event_id: str
    event: Event
    origin: Origin
    time: datetime


class Transaction:
    """Statements that happen together or not at all, with the audit and outbox rows that belong to them.

    Nobody waits in a circle: what several transactions lock they lock in one order, users, then devices, then sessions,
    and several of a kind by their keys, as PostgreSQL sorts them. Whoever may come upon a device by way of its session
    reads it first. A claim of an idempotency key may come before all of them or after: only its own repetition waits
    for it, which has the same way before it.
    """

    def __init__(self, connection: Connection, origin: Origin | None, now: datetime | None) -> None:
        self.origin = origin
        self._connection = connection
        self._now = now
        self._audit: list[tuple[Any, ...]] = []
        self._recorded: list[Recorded] = []
        self._outbox: list[tuple[Any, ...]] = []

    async def execute(self, sql: LiteralString, params: Parameters = ()) -> int:
        """Runs a statement and says how many rows it touched."""
        cursor = await self._connection.execute(sql, params)
        return cursor.rowcount

    async def fetch_one(self, sql: LiteralString, params: Parameters = ()) -> Row | None:
        """The first row, or None."""
        return await (await self._connection.execute(sql, params)).fetchone()

    async def fetch_all(self, sql: LiteralString, params: Parameters = ()) -> list[Row]:
        """All rows."""
        return await (await self._connection.execute(sql, params)).fetchall()

    def record(self, event: Event, *, time: datetime | None = None, origin: Origin | None = None) -> None:
        """Adds an audit row, written with the transaction's last statement.

        Args:
            event: What happened.
            time: When; the transaction's `now` if not given.
            origin: On whose behalf; the transaction's origin if not given.
        """
        one = Recorded(event_id=new_id(), event=event, origin=origin or self._origin(), time=self._time(time))
        self._audit.append(audit_row(one.origin, one.event, one.time, event_id=one.event_id))
        self._recorded.append(one)

    def post(self, kind: str, subject: str, payload: Mapping[str, Any], *, time: datetime | None = None) -> None:
        """Adds an outbox row: something that must still reach others once this is committed.

        Args:
            kind: What is to be done.
            subject: What it is about (a session id, say), for carrying it out once.
            payload: All that is needed to do it; never a secret.
            time: When it is due; the transaction's `now` if not given.
        """
        due = self._time(time)
        self._outbox.append((self._origin().tenant_id, kind, subject, Jsonb(payload), due, due))

    async def claim(self, resource_name: str, *, now: datetime | None = None) -> None:
        """Remembers the origin's idempotency key for ten minutes; without one, or to validate only, does nothing.

        Args:
            resource_name: What the request makes or changes: all that a repeat will be led to.
            now: The time; the transaction's `now` if not given.

        Raises:
            RequestAlreadyDoneError: The same request was carried out before.
            RequestIdReusedError: The key came with another request before.
        """
        origin = self._origin()
        if not origin.idempotency_key or origin.validate_only:
            return
        (error,) = await claim_all(self, [(origin, resource_name, self._time(now))])
        if error is not None:
            raise error

    @asynccontextmanager
    async def pipelined(self) -> AsyncIterator[None]:
        """Statements of the block are sent without waiting for each other; `execute` does not know its row count."""
        async with self._connection.pipeline():
            yield

    async def flush(self) -> None:
        """Writes the audit and outbox rows so far; `Database.transaction` does it at the end."""
        async with self._connection.cursor() as cursor:
            if self._audit:
                await cursor.execute(AUDIT_INSERT, columns(self._audit))
            if self._outbox:
                await cursor.executemany(_OUTBOX_INSERT, self._outbox)
        self._audit, self._outbox = [], []

    @property
    def recorded(self) -> Sequence[Recorded]:
        """What has been recorded so far, in order."""
        return self._recorded

    def _origin(self) -> Origin:
        if self.origin is None:
            raise ValueError("this needs a transaction with an origin")
        return self.origin

    def _time(self, time: datetime | None) -> datetime:
        chosen = time or self._now
        if chosen is None:
            raise ValueError("neither the call nor the transaction has a time")
        return chosen
