"""Connections to the primary of PostgreSQL: given out in working order, or not at all.

The library's pool waits, with pauses that double, for a server that is away, and so do its callers. Here a server that
refuses is an answer: who waits is told at once, and the next caller after a moment tries anew. A standby is never
connected to, because what it says may be old.
"""

import asyncio
import logging
import os
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final, Self, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

# A line for every try says no more than the callers do, and is no news during an outage.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

T = TypeVar("T")
Row = dict[str, Any]

_CONNECT_SECONDS: Final = 2
_PAUSE_SECONDS: Final = 0.2
_MARGIN_SECONDS: Final = 0.5
# An end that was said to be made must survive a crash of the server, whatever its configuration says of other things.
_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', false)
     WHERE current_setting('synchronous_commit') IN ('off', 'local')"""


class Connection(psycopg.AsyncConnection[Row]):
    """A connection that is hung up where an answer does not come.

    The server's own limit does not help against one that is paused, or that the network has cut off.

    Attributes:
        patience: Longest wait for one answer, in seconds; None: for ever.
    """

    patience: float | None = None

    async def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Waits for an answer; all that goes on between the two sides comes through here."""
        if self.patience is None:
            return await super().wait(gen, interval, timeout)
        timer = asyncio.get_running_loop().call_later(self.patience, self._hang_up)
        try:
            return await super().wait(gen, interval, timeout)
        finally:
            timer.cancel()

    def is_usable(self) -> bool:
        """Whether the server has said nothing since: an idle server speaks up only to say goodbye."""
        if self.closed:
            return False
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not poll.poll(0)

    def _hang_up(self) -> None:
        """Ends the conversation below the library, which then sees a lost connection."""
        with suppress(OSError, psycopg.OperationalError), socket.socket(fileno=os.dup(self.pgconn.socket)) as twin:
            twin.shutdown(socket.SHUT_RDWR)


class Connections:
    """A pool of connections."""

    def __init__(self, url: str, *, max_size: int, timeout: timedelta) -> None:
        """Connects nowhere yet.

        Args:
            url: `postgresql://` address with user and password.
            max_size: Most connections at a time.
            timeout: Longest wait for an answer; who waits for a connection waits half as long.
        """
        self._url = url
        self._max_size = max_size
        self._patience = timeout.total_seconds() + _MARGIN_SECONDS
        self._wait = timeout.total_seconds() / 2
        milliseconds = int(timeout.total_seconds() * 1000)
        self._options: dict[str, Any] = {
            "autocommit": True,
            "row_factory": dict_row,
            "connect_timeout": _CONNECT_SECONDS,
            "target_session_attrs": "read-write",
            "options": f"-c statement_timeout={milliseconds} -c timezone=UTC",
            # A server that is gone without a word (pulled cable) is noticed in time.
            "tcp_user_timeout": milliseconds,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "application_name": "argus",
        }
        self._pool = self._new_pool()
        self._refused_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Opens the pool; the server need not be there yet."""
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes all connections."""
        await asyncio.gather(*self._tasks)
        await self._pool.close(timeout=self._patience)

    async def connect(self) -> Connection:
        """A connection outside the pool, that waits for ever.

        Raises:
            psycopg.OperationalError: The primary is away.
        """
        return await Connection.connect(self._url, **self._options)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Connection]:
        """A connection for the time of the block.

        Raises:
            psycopg.OperationalError: The primary is away, or all connections are in use for too long.
        """
        if asyncio.get_running_loop().time() < self._refused_until:
            raise psycopg.OperationalError("PostgreSQL has refused connections just now")
        pool = self._pool
        while True:
            connection = await pool.getconn()
            if connection.is_usable():
                break
            await connection.close()
            await pool.putconn(connection)
        try:
            yield connection
        finally:
            await pool.putconn(connection)

    def _new_pool(self) -> AsyncConnectionPool[Connection]:
        return AsyncConnectionPool(
            self._url,
            connection_class=Connection,
            kwargs=self._options,
            min_size=0,
            max_size=self._max_size,
            timeout=self._wait,
            configure=self._configure,
            # No tries in the background: the next caller makes one.
            reconnect_timeout=0,
            reconnect_failed=self._gave_up,
            open=False,
        )

    async def _configure(self, connection: Connection) -> None:
        connection.patience = self._patience
        await connection.execute(_DURABLE)

    async def _gave_up(self, pool: AsyncConnectionPool[Connection]) -> None:
        """A connection could not be made. Where no other is left, all who wait for one are told."""
        if pool is self._pool and not pool.get_stats()["pool_size"]:
            self._refused_until = asyncio.get_running_loop().time() + _PAUSE_SECONDS
            # Not here: closing a pool waits for its workers, and this is one of them.
            task = asyncio.create_task(self._begin_anew(pool))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _begin_anew(self, pool: AsyncConnectionPool[Connection]) -> None:
        fresh = self._new_pool()
        await fresh.open()
        self._pool = fresh
        await pool.close()
