"""PostgreSQL: what is true.

Rows are dicts, statements are plain SQL and name the tenant, and times are passed in. A lost connection is
`UnavailableError`, so that an outage can't be taken for an answer.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, Self

import psycopg
from psycopg.types.json import Jsonb

from argus.base.errors import RequestAlreadyDoneError, RequestIdReusedError, UnavailableError
from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.storage.connections import Connection, Connections, Row

__all__ = ["Database", "Parameters", "Row", "Transaction"]

Parameters = Sequence[Any] | Mapping[str, Any]

REQUEST_ID_LIFE: Final = timedelta(minutes=10)
"""How long the `request_id` of a change is remembered."""

_COMPONENT: Final = "postgresql"
_AUDIT_INSERT: Final = """
    INSERT INTO audit_events (tenant_id, event_id, time, type, actor, user_id, session_id, client_id, outcome, reason,
                              request_id, ip_address, data)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""
_OUTBOX_INSERT: Final = """
    INSERT INTO outbox (tenant_id, kind, subject, payload, create_time, attempt_time)
    VALUES (%s, %s, %s, %s, %s, %s)"""
# A row whose time is over counts as none. A racing twin waits here until the first one has committed or given up.
_CLAIM: Final = """
    INSERT INTO requests (tenant_id, caller, method, request_id, request_sha256, resource_name, expire_time)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (tenant_id, caller, method, request_id) DO UPDATE
       SET request_sha256 = excluded.request_sha256, resource_name = excluded.resource_name,
           expire_time = excluded.expire_time
     WHERE requests.expire_time <= %s"""
_HOLD: Final = "SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', %s, true)"
_CLAIMED: Final = """
    SELECT request_sha256, resource_name FROM requests
     WHERE tenant_id = %s AND caller = %s AND method = %s AND request_id = %s"""


class Transaction:
    """Statements that happen together or not at all, with the audit and outbox rows that belong to them."""

    def __init__(self, connection: Connection, origin: Origin | None, now: datetime | None) -> None:
        self.origin = origin
        self._connection = connection
        self._now = now
        self._audit: list[tuple[Any, ...]] = []
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

    def record(self, event: Event, *, time: datetime | None = None) -> None:
        """Adds an audit row, written with the transaction's last statement.

        Args:
            event: What happened.
            time: When; the transaction's `now` if not given.
        """
        self._audit.append(_audit_row(self._origin(), event, self._time(time)))

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
        time = self._time(now)
        key = (origin.tenant_id, origin.actor, origin.method, origin.idempotency_key)
        values = (*key, origin.request_sha256, resource_name, time + REQUEST_ID_LIFE, time)
        if await self.execute(_CLAIM, values) == 1:
            return
        row = await self.fetch_one(_CLAIMED, key)
        if row is None or bytes(row["request_sha256"]) != origin.request_sha256:
            raise RequestIdReusedError
        raise RequestAlreadyDoneError(row["resource_name"])

    async def flush(self) -> None:
        """Writes the audit and outbox rows so far; `Database.transaction` does it at the end."""
        async with self._connection.cursor() as cursor:
            if self._audit:
                await cursor.executemany(_AUDIT_INSERT, self._audit)
            if self._outbox:
                await cursor.executemany(_OUTBOX_INSERT, self._outbox)
        self._audit, self._outbox = [], []

    def _origin(self) -> Origin:
        if self.origin is None:
            raise ValueError("this needs a transaction with an origin")
        return self.origin

    def _time(self, time: datetime | None) -> datetime:
        chosen = time or self._now
        if chosen is None:
            raise ValueError("neither the call nor the transaction has a time")
        return chosen


class Database:
    """The primary of PostgreSQL."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    @classmethod
    @asynccontextmanager
    async def open(
        cls, url: str, *, max_size: int = 16, timeout: timedelta = timedelta(seconds=5)
    ) -> AsyncIterator[Self]:
        """Opens a pool of connections; the server need not be there yet.

        Args:
            url: `postgresql://` address with user and password.
            max_size: Most connections at a time.
            timeout: Longest time that one statement may take, and half of which a caller waits for a connection.
        """
        async with Connections(url, max_size=max_size, timeout=timeout) as connections:
            yield cls(connections)

    @asynccontextmanager
    async def transaction(
        self, origin: Origin | None = None, *, now: datetime | None = None
    ) -> AsyncIterator[Transaction]:
        """A transaction, committed when the block ends well.

        With `origin.validate_only` everything is done, checks of the schema included, and rolled back.

        Args:
            origin: On whose behalf; needed for audit and outbox rows.
            now: The time of those rows where they name no other.

        Raises:
            UnavailableError: PostgreSQL is away; whether a commit under way took place is then unknown.
        """
        with _unavailable():
            async with self._connections.take() as connection, connection.transaction():
                transaction = Transaction(connection, origin, now)
                yield transaction
                await transaction.flush()
                if origin is not None and origin.validate_only:
                    raise psycopg.Rollback

    @asynccontextmanager
    async def holding(self, *, wait: timedelta | None = None) -> AsyncIterator[Transaction]:
        """A transaction that reads rows and keeps them from being changed until it ends; it writes nothing.

        Args:
            wait: Longest wait for a row that somebody else is changing.

        Raises:
            UnavailableError: PostgreSQL is away, or somebody changes a row for too long.
        """
        async with self.transaction() as transaction:
            # The end of a lock need not be on disk.
            await transaction.execute(_HOLD, (f"{int(wait.total_seconds() * 1000)}ms" if wait else "0",))
            yield transaction

    async def fetch_one(self, sql: LiteralString, params: Parameters = ()) -> Row | None:
        """The first row of a single read, or None."""
        with _unavailable():
            async with self._connections.take() as connection:
                return await (await connection.execute(sql, params)).fetchone()

    async def fetch_all(self, sql: LiteralString, params: Parameters = ()) -> list[Row]:
        """All rows of a single read."""
        with _unavailable():
            async with self._connections.take() as connection:
                return await (await connection.execute(sql, params)).fetchall()

    async def record(self, origin: Origin, event: Event, time: datetime) -> None:
        """Writes an audit row that no change belongs to: a refused login, say."""
        with _unavailable():
            async with self._connections.take() as connection:
                await connection.execute(_AUDIT_INSERT, _audit_row(origin, event, time))

    async def find_request(self, origin: Origin, *, now: datetime) -> str | None:
        """What the origin's idempotency key has led to before; None if it is new or there is none.

        Raises:
            RequestIdReusedError: The key came with another request before.
        """
        if not origin.idempotency_key:
            return None
        key = (origin.tenant_id, origin.actor, origin.method, origin.idempotency_key)
        row = await self.fetch_one(_CLAIMED + " AND expire_time > %s", (*key, now))
        if row is None:
            return None
        if bytes(row["request_sha256"]) != origin.request_sha256:
            raise RequestIdReusedError
        return str(row["resource_name"])

    async def forget_requests(self, *, now: datetime) -> int:
        """Deletes the idempotency keys of every tenant whose ten minutes are over; says how many."""
        async with self.transaction() as transaction:
            return await transaction.execute("DELETE FROM requests WHERE expire_time <= %s", (now,))

    @asynccontextmanager
    async def listen(self, channel: LiteralString) -> AsyncIterator[asyncio.Event]:
        """An event that is set at every NOTIFY on the channel; who waits for it clears it.

        It is also set when the connection is lost, and stays unset from then on: listeners poll beside it.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        woken = asyncio.Event()
        with _unavailable():
            connection = await self._connections.connect()
            await connection.execute(f"LISTEN {channel}")
        task = asyncio.create_task(_wake(connection, woken))
        try:
            yield woken
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await connection.close()


async def _wake(connection: Connection, woken: asyncio.Event) -> None:
    try:
        async for _ in connection.notifies():
            woken.set()
    finally:
        woken.set()


def _audit_row(origin: Origin, event: Event, time: datetime) -> tuple[Any, ...]:
    return (
        origin.tenant_id,
        new_id(),
        time,
        event.type,
        origin.actor,
        event.user_id,
        event.session_id,
        event.client_id,
        event.outcome,
        event.reason,
        origin.request_id or None,
        origin.ip_address,
        Jsonb(dict(event.data)),
    )


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turns "the server is away, shutting down, overloaded or a replica" into `UnavailableError`."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise UnavailableError(_COMPONENT) from error
