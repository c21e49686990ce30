"""Calls of every kind, and all that belongs to them: the caller sees no difference between a door and grpcio alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from tests.support.echo import BOTH, DOWN, FAIL, LARGEST, PACKED, SLOW, UNARY, UP, Place, open_place

PATIENCE: Final = 30
MIB: Final = 1024 * 1024
WHOLE: Final = 40


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Doors, and the gRPC server behind them."""
    async with open_place(tmp_path) as made:
        yield made


@pytest.fixture(params=["front door, h2c", "front door, TLS", "grpcio", "grpcio, TLS"])
def connect(request: pytest.FixtureRequest, place: Place) -> Callable[..., Any]:
    """Opens a connection to one of them."""

    def opened(**options: Any) -> Any:
        return place.channel(tls="TLS" in request.param, alone="grpcio" in request.param, **options)

    return opened


async def some(*messages: bytes) -> AsyncIterator[bytes]:
    """A stream of messages."""
    for one in messages:
        yield one


@pytest.fixture(params=["front door, h2c", "front door, TLS", "grpcio"])
def unchanged(request: pytest.FixtureRequest) -> str:
    """A door that should put nothing in."""
    return str(request.param)


async def test_nothing_is_put_in_on_the_way(place: Place, unchanged: str) -> None:
    """Of metadata beside the door's own, which nobody else sees."""
    async with place.channel(tls="TLS" in unchanged, alone=unchanged == "grpcio") as channel:
        assert await channel.unary_unary(UNARY)(b"hello", metadata=(("a", "1"),)) == b"hello"
    assert {name for name in place.echo.seen if not name.startswith("x-argus-door-")} == {"a", "user-agent"}


async def test_metadata_go_both_ways(place: Place, connect: Callable[..., Any]) -> None:
    """First and last, repeated and binary; none is left out."""
    sent = (("a", "1"), ("a", "2"), ("raw-bin", b"\x00\x01\xff"), ("raw-bin", b""), ("empty", ""))
    async with connect() as channel:
        call = channel.unary_unary(UNARY)(b"hello", metadata=sent)
        assert await call == b"hello"
        first, last = tuple(await call.initial_metadata()), tuple(await call.trailing_metadata() or ())
    assert set(first) == {("first", "1"), ("bytes-bin", b"\x00\xff")}
    assert sorted(last) == [("bytes-bin", b"\xfe"), ("last", "a"), ("last", "b")]
    seen = {name: place.echo.seen[name] for name, _ in sent}
    assert seen == {"a": ["1", "2"], "raw-bin": [b"\x00\x01\xff", b""], "empty": [""]}


async def test_streams_go_in_every_direction(connect: Callable[..., Any]) -> None:
    """Down, up, and both ways, one message at a time; empty ones too."""
    async with connect() as channel:
        down = [one async for one in channel.unary_stream(DOWN)(b"200")]
        assert [one[0] for one in down] == [number % 256 for number in range(200)]
        assert [one async for one in channel.unary_stream(DOWN)(b"0")] == []
        assert await channel.stream_unary(UP)(some(b"abc", b"", b"defg")) == b"7"
        assert await channel.stream_unary(UP)(some()) == b"0"
        talk = channel.stream_stream(BOTH)()
        for word in (b"one", b"", b"three"):
            await talk.write(word)
            assert await talk.read() == word[::-1]
        await talk.done_writing()
        assert await talk.read() is grpc.aio.EOF


async def test_forty_mebibytes_go_down_and_up_in_a_stream(connect: Callable[..., Any]) -> None:
    """More than any window."""
    async with connect() as channel:
        size = 0
        async for one in channel.unary_stream(DOWN)(f"{WHOLE} {MIB}".encode()):
            size += len(one)
        assert size == WHOLE * MIB
        sent = await channel.stream_unary(UP)(some(*[bytes(MIB)] * WHOLE))
        assert int(sent) == WHOLE * MIB


@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_large_messages_go_plain_and_compressed(
    connect: Callable[..., Any], compression: grpc.Compression | None
) -> None:
    """40 MiB in one message; and an answer that is compressed where the request was not."""
    large = bytes(range(256)) * (WHOLE * MIB // 256)
    async with connect(compression=compression) as channel:
        assert await channel.unary_unary(UNARY)(large) == large
        packed = channel.unary_unary(PACKED)(large)
        assert await packed == large


async def test_a_message_that_is_too_large_is_refused(connect: Callable[..., Any]) -> None:
    """By its reader; the connection goes on."""
    async with connect() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_stream(DOWN)(f"1 {LARGEST + 1}".encode()).read()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await channel.unary_unary(UNARY)(b"x") == b"x"


async def test_errors_keep_code_text_details_and_metadata(connect: Callable[..., Any]) -> None:
    """As do methods that there are not."""
    async with connect() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await channel.unary_unary(FAIL)(b"")
        assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert failed.value.details() == "so nicht: ä %"
        assert set(failed.value.trailing_metadata() or ()) == {("grpc-status-details-bin", b"\x08\x09"), ("why", "x")}
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await channel.unary_unary("/test.Echo/Nothing")(b"")
        assert (unknown.value.code(), unknown.value.details()) == (
            grpc.StatusCode.UNIMPLEMENTED,
            "Method not found!",
        )


async def test_a_call_that_is_cancelled_is_cancelled_behind_the_door(place: Place, connect: Callable[..., Any]) -> None:
    """The handler is told."""
    async with connect() as channel:
        call = channel.unary_unary(SLOW)(b"")
        waiting = asyncio.ensure_future(call)
        async with asyncio.timeout(PATIENCE):
            await place.echo.entered.wait()
            call.cancel()
            await place.echo.cancelled.wait()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_stream_that_is_cancelled_half_way_ends(connect: Callable[..., Any]) -> None:
    """And the connection goes on."""
    async with connect() as channel:
        stream = channel.unary_stream(DOWN)(b"1000000")
        assert len(await stream.read()) == 1024
        stream.cancel()
        assert await stream.code() is grpc.StatusCode.CANCELLED
        assert await channel.unary_unary(UNARY)(b"x") == b"x"


async def test_the_deadline_is_told_and_kept(place: Place, connect: Callable[..., Any]) -> None:
    """A server knows what is left of it; without one it knows of none."""
    async with connect() as channel:
        await channel.unary_unary(UNARY)(b"", timeout=50)
        assert 20 < (place.echo.remaining or 0) < 51  # the server adds up clocks of two kinds
        await channel.unary_unary(UNARY)(b"")
        assert place.echo.remaining is None
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await channel.unary_unary(SLOW)(b"", timeout=0.3)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(PATIENCE):
            await place.echo.cancelled.wait()
