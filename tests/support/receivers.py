"""An endpoint that keeps what it gets, and answers what a test says: real HTTP on a real socket."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

_LONGEST_WAIT: Final = 30.0
OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return self.headers["webhook-id"]


def status(code: int, *headers: str) -> bytes:
    """An answer of that status."""
    lines = [f"HTTP/1.1 {code} So", "content-length: 0", "connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Receiver:
    """An endpoint.

    Attributes:
        answers: Answers to the next requests, in the place of OK; None: it drops the connection.
        usual: The answer where none of those is left.
        posted: What came, in order.
    """

    url: str = ""
    answers: list[bytes | None] = field(default_factory=list)
    usual: bytes | None = OK
    posted: list[Posted] = field(default_factory=list)
    gate: asyncio.Event | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Waits until something is so of what came."""
        async with asyncio.timeout(_LONGEST_WAIT), self.changed:
            await self.changed.wait_for(is_so)

    async def wait_for(self, number: int = 1) -> list[Posted]:
        """What came, once it is so much."""
        await self.until(lambda: len(self.posted) >= number)
        return self.posted

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes one request of a connection."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
            async with self.changed:
                self.posted.append(Posted(path=head[0].split()[1], headers=headers, body=body))
                self.changed.notify_all()
            if self.gate is not None:
                await self.gate.wait()
            answer = self.answers.pop(0) if self.answers else self.usual
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def receiver(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """An endpoint on a port of its own."""
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    made.url = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}/hooks?from=argus"
    try:
        yield made
    finally:
        server.close()
