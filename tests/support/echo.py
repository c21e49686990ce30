"""Doors that lead to servers which tell what reached them: every kind of call, and HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from argus._core import Clock, Door, DoorCertificate, Engine
from argus.server.http_server import HttpServer
from tests.support.tls import certificates

LARGEST: Final = 64 * 1024 * 1024
UNARY, DOWN, UP, BOTH = "/test.Echo/Unary", "/test.Echo/Down", "/test.Echo/Up", "/test.Echo/Both"
FAIL, SLOW, PACKED = "/test.Echo/Fail", "/test.Echo/Slow", "/test.Echo/Packed"
_OPTIONS: Final = (("grpc.max_receive_message_length", LARGEST), ("grpc.max_send_message_length", LARGEST))
_KIB: Final = 1024


class Echo(grpc.GenericRpcHandler):
    """Every kind of call: what comes in goes out, and the metadata with it."""

    def __init__(self) -> None:
        self.entered, self.cancelled = asyncio.Event(), asyncio.Event()
        self.seen: dict[str, list[str | bytes]] = {}
        self.remaining: float | None = None
        """Seconds that the last call had left when it came."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """A handler for the method, by its name."""
        kinds: dict[str, Any] = {
            UNARY: grpc.unary_unary_rpc_method_handler(self._unary),
            DOWN: grpc.unary_stream_rpc_method_handler(self._down),
            UP: grpc.stream_unary_rpc_method_handler(self._up),
            BOTH: grpc.stream_stream_rpc_method_handler(self._both),
            FAIL: grpc.unary_unary_rpc_method_handler(self._fail),
            SLOW: grpc.unary_unary_rpc_method_handler(self._slow),
            PACKED: grpc.unary_unary_rpc_method_handler(self._packed),
        }
        return kinds.get(details.method)

    async def _unary(self, request: bytes, context: Any) -> bytes:
        self.seen, self.remaining = {}, context.time_remaining()
        for key, value in context.invocation_metadata():
            self.seen.setdefault(key, []).append(value)
        await context.send_initial_metadata((("first", "1"), ("bytes-bin", b"\x00\xff")))
        context.set_trailing_metadata((("last", "a"), ("last", "b"), ("bytes-bin", b"\xfe")))
        return request

    async def _packed(self, request: bytes, context: Any) -> bytes:
        context.set_compression(grpc.Compression.Gzip)
        return request

    async def _down(self, request: bytes, _context: Any) -> AsyncIterator[bytes]:
        """So many messages, of a KiB or as many bytes as are asked for."""
        count, _, size = request.partition(b" ")
        for number in range(int(count)):
            yield bytes([number % 256]) * int(size or _KIB)

    async def _up(self, requests: AsyncIterator[bytes], _context: Any) -> bytes:
        return str(sum([len(one) async for one in requests])).encode()

    async def _both(self, requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        async for one in requests:
            yield one[::-1]

    async def _fail(self, _request: bytes, context: Any) -> bytes:
        await context.abort(
            grpc.StatusCode.FAILED_PRECONDITION,
            "so nicht: ä %",
            (("grpc-status-details-bin", b"\x08\x09"), ("why", "x")),
        )
        raise AssertionError

    async def _slow(self, request: bytes, _context: Any) -> bytes:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return request


@dataclass
class Place:
    """A door without and one with TLS, and what is behind them, which can be reached without them as well."""

    plain: Door
    encrypted: Door
    echo: Echo
    authority: bytes
    certificates: tuple[bytes, bytes, bytes]
    folder: Path
    engine: Engine
    grpc_server: grpc.aio.Server
    alone: int
    """Port of the gRPC server itself."""
    alone_encrypted: int

    def channel(self, *, tls: bool = False, alone: bool = False, **options: Any) -> Any:
        """A connection (`grpc.aio.Channel`, whose calls without stubs have no types) to a door or the gRPC server."""
        if tls:
            trusted = grpc.ssl_channel_credentials(self.authority)
            port = self.alone_encrypted if alone else self.encrypted.port
            return grpc.aio.secure_channel(f"127.0.0.1:{port}", trusted, options=_OPTIONS, **options)
        port = self.alone if alone else self.plain.port
        return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=_OPTIONS, **options)


@asynccontextmanager
async def open_place(folder: Path) -> AsyncIterator[Place]:
    """Doors over an engine that knows nothing."""
    echo, engine = Echo(), Engine(redis_url=None, clock=Clock())
    pem = certificates()
    authority, chain, key = pem
    server = grpc.aio.server(handlers=(echo,), options=_OPTIONS)
    server.add_insecure_port(f"unix:{folder / 'grpc'}")
    alone = server.add_insecure_port("127.0.0.1:0")
    alone_encrypted = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    await server.start()
    http = HttpServer(_application(), folder / "http", None)
    await http.start()
    sockets: Any = {"grpc_socket": folder / "grpc", "http_socket": folder / "http"}
    plain = Door(engine, "127.0.0.1:0", **sockets)
    encrypted = Door(engine, "127.0.0.1:0", certificate=DoorCertificate(chain, key), **sockets)
    made = Place(plain, encrypted, echo, authority, pem, folder, engine, server, alone, alone_encrypted)
    yield made
    for door in (plain, encrypted):
        await asyncio.to_thread(door.close, 0.2)
    await made.grpc_server.stop(0)
    await http.stop(timedelta(seconds=1))
    engine.close()


async def start_grpc(echo: Echo, folder: Path) -> grpc.aio.Server:
    """The gRPC server behind the door, once more."""
    server = grpc.aio.server(handlers=(echo,), options=_OPTIONS)
    server.add_insecure_port(f"unix:{folder / 'grpc'}")
    await server.start()
    return server


def _application() -> Starlette:
    return Starlette(
        routes=[Route("/streamed", _streamed), Route("/{rest:path}", _told, methods=["GET", "POST", "PUT"])]
    )


async def _told(request: Request) -> Response:
    body = await request.body()
    said = {
        "method": request.method,
        "path": request.url.path,
        "query": request.url.query,
        "headers": sorted((name, value) for name, value in request.headers.items()),
        "length": len(body),
    }
    return Response(json.dumps(said), media_type="application/json", headers={"x-answer": "1"})


async def _streamed(_request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(100):
            yield bytes([number]) * 10_000

    return StreamingResponse(parts(), media_type="application/octet-stream")
