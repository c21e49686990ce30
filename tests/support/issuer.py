"""An issuer's HTTP side that says whatever a test wants said, over loopback or a unix socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from argus import _core

_PATIENCE_SECONDS = 60


class Key:
    """A key of the issuer."""

    def __init__(self) -> None:
        self.der = _core.generate_ed25519_key()
        self.kid, text = _core.public_jwk(self.der)
        self.jwk: dict[str, Any] = json.loads(text)

    def sign(self, message: bytes) -> bytes:
        """A signature of it."""
        key = load_der_private_key(self.der, None)
        assert isinstance(key, Ed25519PrivateKey)
        return key.sign(message)


class Issuer:
    """Answers every request with `answer`, once `may_answer` is set."""

    def __init__(self) -> None:
        self.answer = b""
        self.requests: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.url = ""
        self._asked = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def publish(self, keys: Iterable[Key | dict[str, Any]]) -> None:
        """From now on the answer is a set of these keys."""
        entries = [key.jwk if isinstance(key, Key) else key for key in keys]
        self.say(json.dumps({"keys": entries}).encode())

    def say(self, body: bytes, *headers: str, status: str = "200 OK") -> None:
        """From now on the answer is this."""
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers]
        self.answer = "\r\n".join([*lines, "", ""]).encode() + body

    async def start(self, socket: Path | None = None) -> None:
        """Listens."""
        if socket is None:
            port = 0 if not self.url else int(self.url.split("/")[2].partition(":")[2])
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
            self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/keys"
        else:
            self._server = await asyncio.start_unix_server(self._serve, socket)

    async def asked(self, count: int) -> None:
        """Waits until it was asked so often."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(self.requests) < count:
                self._asked.clear()
                await self._asked.wait()

    async def stop(self) -> None:
        """Is away."""
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            self._asked.set()
            await self.may_answer.wait()
            writer.write(self.answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller has gone
        finally:
            self._open.discard(writer)
            writer.close()


@asynccontextmanager
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer that listens on loopback."""
    one = Issuer()
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
