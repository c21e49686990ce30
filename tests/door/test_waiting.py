"""What has come of requests that are not whole has bounded room, in which nobody keeps the others out."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc
import pytest

from argus._core import Door, DoorLimits
from tests.door.limited import limited
from tests.door.raw import Raw
from tests.support.echo import Place

VERIFY: Final = "/argus.v1.TokenService/VerifyAccessToken"
UNARY: Final = "/test.Echo/Unary"
PATIENCE: Final = 20.0
ROOM: Final = 1 << 20
SHARE: Final = ROOM // 8
PART: Final = 1000
"""What each stream sends of its message."""


@pytest.fixture
async def narrow(place: Place) -> AsyncIterator[Door]:
    """A door with little room."""
    async with limited(place, DoorLimits(waiting=ROOM, request=PATIENCE)) as door:
        yield door


async def until(is_so: Callable[[], bool]) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110  # nothing tells when
            await asyncio.sleep(0.01)


async def begin_many(door: Door, path: str, streams: int) -> Raw:
    """A connection with so many messages of which only a part comes."""
    raw = await Raw.to(door.port)
    for _ in range(streams):
        stream = raw.open(path)
        await raw.send(stream, (b"\0" + (1 << 20).to_bytes(4, "big")).ljust(PART, b"x"))
    return raw


async def answered(door: Door, content: bytes) -> Any:
    """What an honest caller with a connection of its own is told: by the server behind the door, and by the engine."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    channel: Any = grpc.aio.insecure_channel(f"127.0.0.1:{door.port}", options=options)
    async with channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(VERIFY)(content, timeout=PATIENCE)
        return await channel.unary_unary(UNARY)(content, timeout=PATIENCE), refused.value.code()


@pytest.mark.parametrize("path", [VERIFY, UNARY])
async def test_one_connection_fills_its_share_and_no_more(narrow: Door, path: str) -> None:
    """The rest is told to come again; a message of many parts over another connection is answered meanwhile."""
    fits, more = SHARE // PART, 40
    raw = await begin_many(narrow, path, fits + more)
    assert await raw.statuses(more, PATIENCE) == (["8"] * more, 0)  # RESOURCE_EXHAUSTED
    assert narrow.counted().totals["shed"] == more
    large = bytes(SHARE // 2)
    assert await answered(narrow, large) == (large, grpc.StatusCode.UNAVAILABLE)  # its engine has no snapshot
    raw.close()


async def test_room_that_was_left_is_there_again(narrow: Door) -> None:
    """Connections that fill all of it, and go."""
    full = [await begin_many(narrow, VERIFY, SHARE // PART + 1) for _ in range(8)]
    for raw in full:
        assert await raw.statuses(1, PATIENCE) == (["8"], 0)  # its share is full
    last = await begin_many(narrow, VERIFY, 9)
    told, reset = await last.statuses(1, PATIENCE)
    assert (set(told), reset) == ({"8"}, 0)
    # What comes in one piece needs no room.
    assert await answered(narrow, b"") == (b"", grpc.StatusCode.UNAVAILABLE)
    for raw in full:
        raw.close()
    large = bytes(SHARE // 2)
    await until(lambda: narrow.counted().connections <= 2)  # the last one, and that of the call before
    assert await answered(narrow, large) == (large, grpc.StatusCode.UNAVAILABLE)
    last.close()


async def test_a_hot_message_that_says_it_is_too_long_is_not_waited_for(narrow: Door) -> None:
    """Nor is room kept for it; the streams of others over the connection go on after a moment."""
    raw = await Raw.to(narrow.port)
    for _ in range(20):
        await raw.send(raw.open(VERIFY), b"\0" + (1 << 26).to_bytes(4, "big"))
    assert await raw.statuses(20, PATIENCE / 2) == (["8"] * 20, 0)
    assert narrow.counted().totals["shed"] == 0
    assert await answered(narrow, b"x") == (b"x", grpc.StatusCode.UNAVAILABLE)
    raw.close()
