"""Redis (or Valkey): live state. Called by functions that Argus loads itself.

A store that is away is `UnavailableError`, so that an outage can't be taken for an answer.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from redis import exceptions
from redis.asyncio import Connection, SSLConnection
from redis.asyncio import Redis as Client
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from argus import _core
from argus.base.clock import Clock
from argus.base.errors import UnavailableError

_COMPONENT: Final = "redis"
# Answers that say "not now" or "not here", not "no".
_NOT_NOW: Final = (
    *("LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN"),
    *("OOM", "MISCONF", "NOREPLICAS", "BUSY"),
)
_UNKNOWN_FUNCTION: Final = "Function not found"

Argument = bytes | int | str


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


class Redis:
    """A pool of connections to Redis, and the functions that Argus keeps there."""

    def __init__(
        self, url: str, *, clock: Clock, ca_file: Path | None = None, timeout: timedelta = timedelta(seconds=2)
    ) -> None:
        """Connects at the first use.

        Args:
            url: `redis://` or `rediss://` address.
            clock: Its offset goes into the functions, which otherwise go by Redis TIME.
            ca_file: Certificates to trust in place of the system's, PEM.
            timeout: Longest wait for an answer.
        """
        tls: dict[str, Any] = {"ssl_ca_certs": str(ca_file)} if ca_file else {}
        self.client: Client = Client.from_url(
            url,
            socket_timeout=timeout.total_seconds(),
            socket_connect_timeout=timeout.total_seconds(),
            # Whether a lost call took place is unknown, and not every call may be repeated.
            retry=Retry(NoBackoff(), 0),
            **tls,
        )
        pool = self.client.connection_pool
        pool.connection_class = _TlsConnection if issubclass(pool.connection_class, SSLConnection) else _Connection
        self._command: Callable[..., Awaitable[Any]] = self.client.execute_command
        self._clock = clock
        self._libraries: dict[str, str] = {}

    async def call(self, function: str, keys: Sequence[bytes], args: Sequence[Argument] = ()) -> Any:
        """Calls a function of Argus ("rotate"), or one of a registered library by its full name.

        Raises:
            UnavailableError: Redis is away.
        """
        return await self._call("FCALL", function, keys, args)

    async def call_ro(self, function: str, keys: Sequence[bytes], args: Sequence[Argument] = ()) -> Any:
        """Calls a function that only reads.

        Raises:
            UnavailableError: Redis is away.
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
        async with self.guard():
            sources = [_core.function_library(offset_ms=self._clock.offset_ms), *self._libraries.values()]
            for source in sources:
                await self._command("FUNCTION LOAD", "REPLACE", source)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Turns the errors of a Redis that is away into `UnavailableError`; for plain commands in stores."""
        try:
            yield
        except (exceptions.ConnectionError, exceptions.TimeoutError, OSError) as error:
            raise UnavailableError(_COMPONENT) from error
        except exceptions.ResponseError as error:
            if _means_not_now(error):
                raise UnavailableError(_COMPONENT) from error
            raise

    async def close(self) -> None:
        """Closes all connections."""
        await self.client.aclose()

    async def _call(self, command: str, function: str, keys: Sequence[bytes], args: Sequence[Argument]) -> Any:
        name = self._full_name(function)
        async with self.guard():
            try:
                return await self._command(command, name, len(keys), *keys, *args)
            except exceptions.ResponseError as error:
                if _UNKNOWN_FUNCTION not in str(error):
                    raise
            # A restarted, emptied or upgraded server; the call did not take place.
            await self.load_functions()
            return await self._command(command, name, len(keys), *keys, *args)

    def _full_name(self, function: str) -> str:
        if any(function.startswith(name) for name in self._libraries):
            return function
        return _core.function_name(function)


def _means_not_now(error: exceptions.ResponseError) -> bool:
    away = (exceptions.ReadOnlyError, exceptions.OutOfMemoryError, exceptions.MasterDownError)
    return isinstance(error, (*away, exceptions.ClusterDownError, exceptions.TryAgainError)) or str(error).startswith(
        _NOT_NOW
    )
