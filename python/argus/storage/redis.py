"""Redis (or Valkey): live state. Called by functions that Argus loads itself.

A store that is away is `UnavailableError`, so that an outage can't be taken for an answer.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

from redis import exceptions
from redis.asyncio import Connection, ConnectionPool, SSLConnection
from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from argus import _core
from argus._core import Lease
from argus.base.clock import Clock
from argus.base.errors import UnavailableError
from argus.base.redis_url import RedisUrl
from argus.storage.sentinel import Address, Located, Sentinels
from argus.storage.together import Together
from argus.storage.together_metrics import TogetherMetrics

_COMPONENT: Final = "redis"
# Answers that say "not now" or "not here", not "no".
_NOT_NOW: Final = (
    *("LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN"),
    *("OOM", "MISCONF", "NOREPLICAS", "BUSY"),
)
_UNKNOWN_FUNCTION: Final = "Function not found"

# How long the keeper of the lease waits for a node to say who it is.
_LONGEST_LOOK: Final = timedelta(seconds=1)

_LONGEST_PIPELINE: Final = 512
_MOST_WAITING: Final = 10_000

NO_LEASE: Final = "NO_LEASE"
"""Cause of an `UnavailableError`: Redis is there, and not known to be the one that counts now."""

Argument = bytes | int | str
_Command: TypeAlias = tuple[Argument, ...]


class NotPrimaryError(UnavailableError):
    """The node is a replica: what it knows may be old, and it takes no writes."""

    def __init__(self) -> None:
        super().__init__(_COMPONENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A primary.

    Attributes:
        lineage: What its values are stamped with; another one whenever writes may have been lost.
        run_id: The process that it is; it may begin a new lineage without a restart.
    """

    lineage: bytes
    run_id: str


class _ReplicaError(exceptions.ConnectionError):
    """A connection has led to a replica."""


class _Connection(Connection):
    """Notices before a call that the server has hung up, so that the call goes out over a new connection.

    Without it each pooled connection would turn one call away after a restart of the server.
    """

    async def connect(self) -> None:
        """Connects, unless there is a living connection."""
        if self.is_connected and self._reader is not None and self._reader.at_eof():
            await self.disconnect()
        await super().connect()  # type: ignore[no-untyped-call]  # redis has none there


class _TlsConnection(_Connection, SSLConnection):
    """The same, encrypted."""


@dataclass(slots=True)
class _Place:
    """Where the primary is; all connections of a pool share it."""

    address: Address | None = None


class _MovingConnection(_Connection):
    """Leads to wherever the primary is now."""

    def __init__(self, *, place: _Place, **options: Any) -> None:
        self._place = place
        super().__init__(**options)

    async def connect(self) -> None:
        """Connects, unless there is a living connection to the primary."""
        if self._place.address is None:
            raise exceptions.ConnectionError("no primary is known")
        if self._place.address != (self.host, self.port):
            await self.disconnect()
            self.host, self.port = self._place.address
        await super().connect()


class _MovingTlsConnection(_MovingConnection, SSLConnection):
    """The same, encrypted."""


class Redis:
    """A pool of connections to the primary of Redis, and the functions that Argus keeps there."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        ca_file: Path | None = None,
        timeout: timedelta = timedelta(seconds=2),
        lease: Lease | None = None,
        metrics: TogetherMetrics | None = None,
    ) -> None:
        """Connects at the first use; under Sentinel that is after `move_to`.

        Args:
            url: Address (`argus.base.redis_url`).
            clock: Its offset goes into the functions, which otherwise go by Redis TIME.
            ca_file: Certificates to trust in place of the system's, PEM.
            timeout: Longest wait for an answer.
            lease: What may be believed; None: whatever Redis says, there is only the one.
            metrics: Where pipelines are counted.
        """
        self.url = RedisUrl.parse(url)
        tls: dict[str, Any] = {"ssl_ca_certs": str(ca_file)} if ca_file else {}
        options: dict[str, Any] = {
            "socket_timeout": timeout.total_seconds(),
            "socket_connect_timeout": timeout.total_seconds(),
            # Whether a lost call took place is unknown, and not every call may be repeated.
            "retry": Retry(NoBackoff(), 0),
            "redis_connect_func": _refuse_replicas,
            **tls,
        }
        self._place = _Place()
        self._sentinels: Sentinels | None = None
        if self.url.service:
            self._sentinels = Sentinels(self.url, tls=tls, timeout=timeout)
            self.client = Client.from_pool(_moving_pool(self.url, self._place, options))
        else:
            self.client = Client.from_url(url, **options)
            pool = self.client.connection_pool
            pool.connection_class = _TlsConnection if issubclass(pool.connection_class, SSLConnection) else _Connection
        self._command: Callable[..., Awaitable[Any]] = self.client.execute_command
        self._clock = clock
        self._lease = lease
        self._longest_look = min(timeout, _LONGEST_LOOK).total_seconds()
        self._libraries: dict[str, str] = {}
        # What was sent may have taken place: no part of it is sent again.
        self._sending: Together[_Command, Any] = (metrics or TogetherMetrics()).together(
            "redis", self._send, largest=_LONGEST_PIPELINE, most_waiting=_MOST_WAITING, splits=False
        )

    async def locate(self) -> Located | None:
        """Where the primary is by what the sentinels say; None if they say nothing, or there are none."""
        return None if self._sentinels is None else await self._sentinels.locate()

    def move_to(self, address: Address) -> None:
        """Leads to this node from now on."""
        self._place.address = address

    async def node(self) -> Node:
        """Who answers, be it the leased node or not.

        Raises:
            NotPrimaryError: It is a replica.
            UnavailableError: Redis is away.
        """
        try:
            async with asyncio.timeout(self._longest_look), self._errors():
                answer = await self._execute(
                    lambda call: self._command(*call), ("FCALL_RO", _core.function_name("node"), 0)
                )
        except TimeoutError as error:
            raise UnavailableError(_COMPONENT) from error
        return Node(lineage=bytes(answer[2]), run_id=answer[3].decode())

    async def now_ms(self) -> int:
        """Redis TIME, of whatever node. Milliseconds since 1970.

        Raises:
            UnavailableError: Redis is away.
        """
        async with self._errors():
            seconds, micros = await self._command("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    async def forget_connections(self) -> None:
        """Closes the idle connections: the next call makes one of its own, and sees who answers."""
        await self.client.connection_pool.disconnect(inuse_connections=False)

    async def call(self, function: str, keys: Sequence[bytes], args: Sequence[Argument] = ()) -> Any:
        """Calls a function of Argus ("rotate"), or one of a registered library by its full name.

        Raises:
            UnavailableError: Redis is away, or not known to be the one that counts now.
        """
        return await self._call("FCALL", function, keys, args)

    async def call_ro(self, function: str, keys: Sequence[bytes], args: Sequence[Argument] = ()) -> Any:
        """Calls a function that only reads.

        Raises:
            UnavailableError: Redis is away, or not known to be the one that counts now.
        """
        return await self._call("FCALL_RO", function, keys, args)

    def register(self, name: str, source: str) -> None:
        """Adds a library that is loaded with Argus's own.

        Args:
            name: Its name; its functions' names begin with it, and it carries the version of the source.
            source: Lua, with the shebang that names it.
        """
        self._libraries[name] = source

    async def load_functions(self) -> None:
        """Loads every library anew; needed where the clock's offset has changed.

        Raises:
            UnavailableError: Redis is away.
        """
        async with self._errors():
            sources = [_core.function_library(offset_ms=self._clock.offset_ms), *self._libraries.values()]
            for source in sources:
                await self._command("FUNCTION LOAD", "REPLACE", source)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """For plain commands in stores: an `UnavailableError` where Redis is away, or no primary is known to count."""
        self._check_held()
        async with self._errors():
            yield
        # The process may have been stopped meanwhile.
        self._check_held()

    def check(self, answer: Sequence[Any]) -> None:
        """Takes the answer of a function of Argus only from the node that counts, and while it does.

        To be asked once the answer is there, however late that is.

        Raises:
            UnavailableError: Another node has answered, or the lease has run out.
        """
        if self._lease is not None and not self._lease.allows(answer[2]):
            raise UnavailableError(_COMPONENT, cause=NO_LEASE)

    async def close(self) -> None:
        """Closes all connections."""
        await self.client.aclose()
        if self._sentinels is not None:
            await self._sentinels.close()

    async def _call(self, command: str, function: str, keys: Sequence[bytes], args: Sequence[Argument]) -> Any:
        self._check_held()
        name = self._full_name(function)
        async with self._errors():
            answer = await self._execute(self._sending.do, (command, name, len(keys), *keys, *args))
        if name != function:
            self.check(answer)
        return answer

    async def _execute(self, send: Callable[[_Command], Awaitable[Any]], command: _Command) -> Any:
        try:
            return await send(command)
        except exceptions.ResponseError as error:
            if _UNKNOWN_FUNCTION not in str(error):
                raise
        # A restarted, emptied or upgraded server; the call did not take place.
        await self.load_functions()
        return await send(command)

    async def _send(self, commands: Sequence[_Command]) -> Sequence[Any]:
        """Sends what was asked for at the same time over one connection; each has an answer or error of its own."""
        if len(commands) == 1:
            return [await self._command(*commands[0])]
        pipeline = self.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: Sequence[Any] = await pipeline.execute(raise_on_error=False)
        return answers

    def _check_held(self) -> None:
        if self._lease is not None and not self._lease.is_held():
            raise UnavailableError(_COMPONENT, cause=NO_LEASE)

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        try:
            yield
        except (exceptions.ReadOnlyError, _ReplicaError) as error:
            raise NotPrimaryError from error
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            raise UnavailableError(_COMPONENT) from error
        except exceptions.ResponseError as error:
            if _means_not_now(error):
                raise UnavailableError(_COMPONENT) from error
            raise

    def _full_name(self, function: str) -> str:
        if any(function.startswith(name) for name in self._libraries):
            return function
        return _core.function_name(function)


def _moving_pool(url: RedisUrl, place: _Place, options: dict[str, Any]) -> ConnectionPool:
    return ConnectionPool(
        connection_class=_MovingTlsConnection if url.is_encrypted else _MovingConnection,
        place=place,
        username=url.username or None,
        password=url.password or None,
        db=url.database,
        **options,
    )


async def _refuse_replicas(connection: Any) -> None:
    """Greets the server as ever, and asks what it is."""
    await connection.on_connect()
    await connection.send_command("ROLE")
    role, *_ = await connection.read_response()
    if role not in (b"master", "master"):
        raise _ReplicaError("the node is a replica")


def _means_not_now(error: exceptions.ResponseError) -> bool:
    away = (exceptions.OutOfMemoryError, exceptions.MasterDownError)
    return isinstance(error, (*away, exceptions.ClusterDownError, exceptions.TryAgainError)) or str(error).startswith(
        _NOT_NOW
    )
