"""What an RPC makes the stores do, recorded where it leaves the process: in the drivers."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
import pytest
from redis.asyncio.connection import AbstractConnection
from starlette.routing import Route

from argus.rpc.context import current_call

_is_http: ContextVar[bool] = ContextVar("is_http", default=False)

# What a driver sends on its own when it connects.
_HANDSHAKE: Final = frozenset({"HELLO", "AUTH", "CLIENT", "SELECT", "PING"})


@dataclass(frozen=True, slots=True)
class Work:
    """What one or more RPCs have made the stores do, in its order.

    Attributes:
        statements: SQL without its values; "" is a pool's look whether the connection lives.
        round_trips: Waits for PostgreSQL, those for BEGIN and COMMIT included.
        commands: Redis commands, with the function's name or the kind of key.
    """

    statements: tuple[str, ...]
    round_trips: int
    commands: tuple[str, ...]


@dataclass(slots=True)
class WorkRecorder:
    """Records the work of the RPCs of one request id: neither background loops nor other calls are counted.

    Without a request id it records what is asked for by HTTP.
    """

    request_id: str = ""
    _statements: list[str] = field(default_factory=list)
    _commands: list[str] = field(default_factory=list)
    _round_trips: int = 0

    def take(self) -> Work:
        """What was done since the last time."""
        work = Work(tuple(self._statements), self._round_trips, tuple(self._commands))
        self._statements, self._commands, self._round_trips = [], [], 0
        return work

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Records inside the block; the drivers do what they always do."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("execute", "executemany"):
                patch.setattr(psycopg.AsyncCursor, name, self._recorded_statement(getattr(psycopg.AsyncCursor, name)))
            patch.setattr(psycopg.AsyncConnection, "wait", self._recorded_wait(psycopg.AsyncConnection.wait))
            patch.setattr(Route, "handle", _marked(Route.handle))
            patch.setattr(AbstractConnection, "send_command", self._recorded_command(AbstractConnection.send_command))
            yield

    def _is_ours(self) -> bool:
        if not self.request_id:
            return _is_http.get()
        try:
            return current_call().request_id == self.request_id
        except LookupError:
            return False

    def _recorded_statement(self, execute: Any) -> Any:
        async def record(cursor: Any, query: str, *args: Any, **kwargs: Any) -> Any:
            if self._is_ours():
                self._statements.append(" ".join(query.split()))
            return await execute(cursor, query, *args, **kwargs)

        return record

    def _recorded_wait(self, wait: Any) -> Any:
        async def record(connection: Any, *args: Any, **kwargs: Any) -> Any:
            self._round_trips += self._is_ours()
            return await wait(connection, *args, **kwargs)

        return record

    def _recorded_command(self, send: Any) -> Any:
        async def record(connection: Any, *args: Any, **kwargs: Any) -> Any:
            if self._is_ours() and args[0] not in _HANDSHAKE:
                self._commands.append(" ".join([args[0], *map(_named, args[1:2])]))
            return await send(connection, *args, **kwargs)

        return record


def _marked(handle: Any) -> Any:
    async def mark(*args: Any) -> Any:
        token = _is_http.set(True)
        try:
            return await handle(*args)
        finally:
            _is_http.reset(token)

    return mark


def _named(argument: bytes | str) -> str:
    """A function by its name, a key by its kind ("a1:l"): what follows is different in every login."""
    text = argument.decode() if isinstance(argument, bytes) else argument
    return ":".join(text.split(":")[:2])
