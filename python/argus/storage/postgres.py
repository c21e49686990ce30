"""PostgreSQL: what is true.

Rows are dicts, statements are plain SQL and name the tenant, and times are passed in. A lost connection is
`UnavailableError`, so that an outage can't be taken for an answer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, Self, TypeVar

import psycopg
import structlog

from argus.base.errors import RequestIdReusedError, UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.stopping import LONGEST_END, end_tasks
from argus.storage.audit_rows import AUDIT_INSERT, audit_row
from argus.storage.columns import columns
from argus.storage.connections import Connection, Connections, Row
from argus.storage.requests import find_all, key_of
from argus.storage.together import Together
from argus.storage.together_metrics import TogetherMetrics
from argus.storage.transaction import Parameters, Transaction

__all__ = ["Database", "Parameters", "Row", "Transaction"]

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K", bound=Hashable)
Witness = Callable[[Transaction], Awaitable[None]]

_COMPONENT: Final = "postgresql"
_RELAXED: Final = "SELECT set_config('synchronous_commit', 'off', true)"
_HOLD: Final = "SELECT set_config('synchronous_commit', 'off', true), set_config('lock_timeout', %s, true)"


_READS: Final = 2
_READS_LINGER: Final = timedelta(milliseconds=100)
_log = structlog.get_logger(__name__)


class Database:
    """The primary of PostgreSQL."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.metrics = TogetherMetrics()
        self._groups: list[tuple[str, Callable[[], Awaitable[int]]]] = []
        self._records = self.together("audit", self._record_all, keeps_all=True)
        self._witnesses: list[tuple[frozenset[str], Witness]] = []
        self._requests = self.reads("requests", lambda keys: find_all(self, keys))

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        max_size: int = 16,
        timeout: timedelta = timedelta(seconds=5),
    ) -> AsyncIterator[Self]:
        """Opens a pool of connections; the server need not be there yet.

        Args:
            url: `postgresql://` address with user and password.
            max_size: Most connections at a time.
            timeout: Longest time that one statement may take, and half of which a caller waits for a connection.
        """
        async with Connections(url, max_size=max_size, timeout=timeout) as connections:
            database = cls(connections)
            try:
                yield database
            finally:
                await database.drain()

    def together(
        self, name: str, work: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]], **options: Any
    ) -> Together[T, R]:
        """Work on this database that is done together; it is measured, and finished before the database closes.

        Args:
            name: What it is, for metrics.
            work: Does a batch (`Together`).
            options: Those of `Together`.
        """
        made: Together[T, R] = self.metrics.together(name, work, **options)
        self._groups.append((name, made.drain))
        return made

    def reads(
        self, name: str, read: Callable[[Sequence[K]], Awaitable[Mapping[K, R]]]
    ) -> Callable[[K], Awaitable[R | None]]:
        """Single reads as one where they are asked for at the same time; each key is read once.

        Args:
            name: Of what, for metrics.
            read: Reads many keys; what it does not answer is not there.
        """

        async def read_all(keys: Sequence[K]) -> Sequence[R | None]:
            found = await read(list(dict.fromkeys(keys)))
            return [found.get(key) for key in keys]

        # The more of them one trip brings the less each costs: another one begins only beside one that hangs.
        made: Together[K, R | None] = self.metrics.together(
            f"read_{name}", read_all, parallel=_READS, linger=_READS_LINGER
        )
        return made.do

    def witness(self, types: Iterable[str], work: Witness) -> None:
        """Has something done in every transaction that records events of these types, before it ends.

        Args:
            types: Types of events.
            work: Is given the transaction; should it fail, nothing of it happens.
        """
        self._witnesses.append((frozenset(types), work))

    async def drain(self) -> None:
        """Lets what was begun together finish."""
        names, drains = [name for name, _ in self._groups], [drain() for _, drain in self._groups]
        for name, left in zip(names, await asyncio.gather(*drains), strict=True):
            if left:
                _log.error("group.abandoned", work=name, count=left)

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
                for types, work in self._witnesses:
                    if any(one.event.type in types for one in transaction.recorded):
                        await work(transaction)
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

    async def fetch_page(self, sql: LiteralString, params: Parameters = ()) -> list[Row]:
        """All rows of a single read whose order an index gives.

        PostgreSQL must not sort for it. It takes the conditions of a row for independent of each other, so it sees few
        rows where there are thousands, and would read and sort all of them for each page.
        """
        with _unavailable():
            async with self._connections.take() as connection, connection.pipeline():
                async with connection.transaction():
                    await connection.execute("SET LOCAL enable_sort = off")
                    cursor = await connection.execute(sql, params)
                return await cursor.fetchall()

    async def record(self, origin: Origin, event: Event, time: datetime) -> None:
        """Writes an audit row that no change belongs to: a refused login, say. All that come together share a commit.

        Raises:
            UnavailableError: PostgreSQL is away.
            OverloadedError: Too many rows wait already.
        """
        if any(event.type in types for types, _ in self._witnesses):
            # It has happened, whatever the request wanted to be tried out.
            async with self.transaction(replace(origin, validate_only=False), now=time) as tx:
                tx.record(event)
            return
        await self._records.do(audit_row(origin, event, time))

    async def find_request(self, origin: Origin, *, now: datetime) -> str | None:
        """What the origin's idempotency key has led to before; None if it is new or there is none.

        Raises:
            RequestIdReusedError: The key came with another request before.
        """
        if not origin.idempotency_key:
            return None
        row = await self._requests(key_of(origin))
        if row is None or row["expire_time"] <= now:
            return None
        if bytes(row["request_sha256"]) != origin.request_sha256:
            raise RequestIdReusedError
        return str(row["resource_name"])

    async def execute_relaxed(self, sql: LiteralString, params: Parameters = ()) -> None:
        """Runs a statement whose loss in a crash would do no harm: its commit is not waited for.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self.transaction() as tx, tx.pipelined():
            await tx.execute(_RELAXED)
            await tx.execute(sql, params)

    async def _record_all(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[None]:
        with _unavailable():
            async with self._connections.take() as connection:
                await connection.execute(AUDIT_INSERT, columns(rows))
        return [None] * len(rows)

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
            await end_tasks(LONGEST_END, "notifications", [task])
            await connection.close()


async def _wake(connection: Connection, woken: asyncio.Event) -> None:
    try:
        async for _ in connection.notifies():
            woken.set()
    finally:
        woken.set()


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turns "the server is away, shutting down, overloaded or a replica" into `UnavailableError`."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise UnavailableError(_COMPONENT) from error
