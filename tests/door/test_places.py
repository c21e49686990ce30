"""Places for calls that are passed on: nobody may keep them without using them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc
import pytest
from h2.settings import SettingCodes

from argus._core import Door, DoorLimits
from tests.door.limited import limited
from tests.door.raw import HEAD, Raw
from tests.support.echo import UNARY, Place

PLACES: Final = 20
REQUEST: Final = 0.5
PATIENCE: Final = 10.0


@pytest.fixture
async def narrow(place: Place) -> AsyncIterator[Door]:
    """A door with few places, and with little patience."""
    async with limited(place, DoorLimits(streams=50, passed=PLACES, handshake=REQUEST, request=REQUEST)) as door:
        yield door


async def is_served_in_time(door: Door) -> bool:
    """Whether somebody else is answered before long."""
    channel: Any
    async with grpc.aio.insecure_channel(f"127.0.0.1:{door.port}") as channel:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        return bool(await channel.unary_unary(UNARY)(b"x") == b"x")
                    await asyncio.sleep(0.1)  # as long as a client would wait
    return False


async def test_calls_whose_message_does_not_come_lose_their_place(narrow: Door) -> None:
    """As hot calls do."""
    raw = await Raw.to(narrow.port)
    for _ in range(2 * PLACES):
        raw.open(UNARY)
    await raw.flush()
    taken = await is_served_in_time(narrow)
    raw.close()
    assert taken


@pytest.mark.parametrize(
    ("sent", "answer"),
    [(b"", ["3"]), (b"\0\0\0", ["3"]), (b"\0\0\0\0\x09x", ["3"]), (b"\0\0\x01\x11\x70" + b"x" * 65_536, [])],
    ids=["nothing", "half a prefix", "half a message", "half a message that was passed on"],
)
async def test_calls_that_end_without_their_message_take_no_place(narrow: Door, sent: bytes, answer: list[str]) -> None:
    """A gRPC server would wait for it for ever."""
    raw = await Raw.to(narrow.port)
    calls = 2 * PLACES if answer else 5
    for _ in range(calls):
        stream = raw.open("/argus.v1.UserService/GetUser")
        await raw.send(stream, sent, ends=True)
    told, _ = await raw.statuses(calls, PATIENCE)
    taken = await is_served_in_time(narrow)
    raw.close()
    assert taken
    assert set(told) >= set(answer)
    assert len(told) == calls


async def test_answers_that_nobody_reads_lose_their_place(narrow: Door) -> None:
    """The caller lets nothing be sent."""
    raw = await Raw.to(narrow.port)
    raw.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    await raw.flush()
    for _ in range(2 * PLACES):
        stream = raw.h2.get_next_available_stream_id()
        raw.h2.send_headers(stream, [(":method", "GET"), *HEAD[1:3], (":path", "/streamed")], end_stream=True)
    await raw.flush()
    taken = await is_served_in_time(narrow)
    raw.close()
    assert taken
