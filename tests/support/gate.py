"""A connection that a test can hold at a chosen place."""

import asyncio
from contextlib import closing
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit


class Gate:
    """Stands before a store, and holds what is sent to it from the first chunk on that has certain bytes in it."""

    def __init__(self, url: str) -> None:
        """Stands before the store at `url`."""
        self._upstream = urlsplit(url)
        self._pattern = b""
        self._open = asyncio.Event()
        self._open.set()
        self.held = asyncio.Event()
        """Something is being held."""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where the gate answers, in place of the store."""
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        credentials, _, _ = self._upstream.netloc.rpartition("@")
        return urlunsplit(self._upstream._replace(netloc=f"{credentials}@{host}:{port}"))

    def hold(self, pattern: bytes) -> None:
        """Lets nothing through any more once `pattern` comes, until `release`."""
        self._pattern = pattern
        self.held.clear()
        self._open.clear()

    def release(self) -> None:
        """Lets everything through."""
        self._pattern = b""
        self._open.set()

    async def __aenter__(self) -> Self:
        """Listens."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Hangs up on everybody."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(self._upstream.hostname, self._upstream.port)
        for work in (self._forth(reader, here), _back(there, writer)):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forth(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while chunk := await reader.read(65536):
                if self._pattern and self._pattern in chunk:
                    self.held.set()
                    await self._open.wait()
                writer.write(chunk)


async def _back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with closing(writer):
        while chunk := await reader.read(65536):
            writer.write(chunk)
