"""Callers that mean harm: what one connection may use up is bounded, and others are answered meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import grpc
import pytest

from argus._core import Door, DoorLimits
from tests.door.limited import limited
from tests.door.raw import Raw
from tests.support.echo import SLOW, Place

VERIFY: Final = "/argus.v1.TokenService/VerifyAccessToken"
UNARY: Final = "/test.Echo/Unary"
PATIENCE: Final = 20.0
HANDSHAKE: Final = 0.5
ABORTS: Final = 100


@pytest.fixture
async def strict(place: Place) -> AsyncIterator[Door]:
    """A door with narrow bounds."""
    limits = DoorLimits(
        connections=60, streams=50, passed=20, aborts_per_second=ABORTS, handshake=HANDSHAKE, request=HANDSHAKE
    )
    async with limited(place, limits) as door:
        yield door


def channel_to(door: Door) -> Any:
    """An honest caller's connection, of its own."""
    return grpc.aio.insecure_channel(f"127.0.0.1:{door.port}", options=(("grpc.use_local_subchannel_pool", 1),))


async def is_served(door: Door) -> bool:
    """Whether an honest caller is answered: by what is behind the door, and by the engine."""
    async with channel_to(door) as channel:
        assert await channel.unary_unary(UNARY)(b"x", timeout=PATIENCE, wait_for_ready=True) == b"x"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(VERIFY)(b"", timeout=PATIENCE)
        return refused.value.code() is grpc.StatusCode.UNAVAILABLE  # its engine has no snapshot


async def burst(raw: Raw) -> None:
    """As fast as it can."""
    for _ in range(20):
        raw.reset([raw.open(UNARY) for _ in range(25)])
        await raw.flush()


async def spaced(raw: Raw) -> None:
    """One at a time, each with what an answer would need, for two seconds or until it is closed."""
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for _ in range(4):
            stream = raw.open(SLOW)
            await raw.flush()
            raw.reset([stream])
            await raw.flush()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("resets", [burst, spaced])
async def test_who_gives_up_calls_over_and_over_is_closed(
    strict: Door, resets: Callable[[Raw], Awaitable[None]]
) -> None:
    """In bursts, which HTTP/2 libraries see, and spaced, which they don't (CVE-2023-44487)."""
    raw = await Raw.to(strict.port)
    sending = asyncio.ensure_future(resets(raw))
    assert await raw.is_closed_within(PATIENCE)
    raw.close()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    assert await is_served(strict)


@pytest.mark.parametrize("fields", [1, 40], ids=["one long field", "many fields"])
async def test_who_sends_wide_metadata_over_and_over_is_closed(strict: Door, fields: int) -> None:
    """Though each is within the bound, or refused by itself: to read them is what costs."""
    raw = await Raw.to(strict.port)
    for _ in range(20):
        raw.open(UNARY, *((f"x-{number}", "x" * (60_000 // fields)) for number in range(fields)), ends=True)
    with contextlib.suppress(ConnectionError):
        await raw.flush()
    assert await raw.is_closed_within(PATIENCE)
    raw.close()
    assert strict.counted().totals["cut"] == 1
    assert await is_served(strict)


async def test_ordinary_metadata_closes_nothing(strict: Door) -> None:
    """Of 6 KB, hundreds within a second."""
    async with channel_to(strict) as channel:
        for _ in range(10):
            calls = [channel.unary_unary(UNARY)(b"x", metadata=(("large", "x" * 6000),)) for _ in range(20)]
            assert await asyncio.gather(*calls) == [b"x"] * 20
    assert strict.counted().totals["cut"] == 0


async def test_honest_deadlines_close_nothing(strict: Door) -> None:
    """Some fifty calls a second that their caller gives up, half of what is allowed, all over one connection."""
    async with channel_to(strict) as channel:
        assert await channel.unary_unary(UNARY)(b"x") == b"x"
        for _ in range(100):
            with pytest.raises(grpc.aio.AioRpcError) as late:
                await channel.unary_unary(SLOW)(b"", timeout=0.02)
            assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await channel.unary_unary(UNARY)(b"x") == b"x"


async def test_metadata_and_messages_beyond_the_bound_are_refused(strict: Door) -> None:
    """Each by itself: the connection goes on."""
    async with channel_to(strict) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as wide:
            await channel.unary_unary(UNARY)(b"x", metadata=(("large", "x" * 80_000),))
        assert wide.value.code() in {
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.UNKNOWN,
            grpc.StatusCode.INTERNAL,
        }
        with pytest.raises(grpc.aio.AioRpcError) as long:
            await channel.unary_unary(VERIFY)(bytes(5 * 1024 * 1024))
        # By the door itself: the server behind it does not know the method here.
        assert long.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await is_served(strict)


async def test_calls_without_a_place_are_turned_away_at_once(strict: Door) -> None:
    """With a reason, and the time for a retry; those that have one go on."""
    async with channel_to(strict) as channel:
        calls = [channel.unary_unary(SLOW)(b"") for _ in range(40)]
        waiting = [asyncio.ensure_future(call) for call in calls]
        refused: set[asyncio.Future[Any]] = set()
        async with asyncio.timeout(PATIENCE):
            while len(refused) < 20:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                refused |= done
                waiting = [one for one in waiting if one not in done]
        codes = {one.exception().code() for one in refused}  # type: ignore[union-attr]
        assert (codes, len(waiting)) == ({grpc.StatusCode.RESOURCE_EXHAUSTED}, 20)
        for call in calls:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert await is_served(strict)


@pytest.mark.parametrize("said", [b"", b"PRI * HT", b"POST /a HTTP/1.1\r\nhost: a\r\nx-slow: "])
async def test_connections_that_say_nothing_or_too_little_are_closed(strict: Door, said: bytes) -> None:
    """Half-open ones keep nobody out, though they take every place there is."""
    half_open = []
    for _ in range(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", strict.port)
        writer.write(said)
        half_open.append((reader, writer))
    assert await is_served(strict)
    async with asyncio.timeout(PATIENCE):
        for reader, writer in half_open:
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()


async def test_a_message_that_never_ends_loses_its_place(strict: Door) -> None:
    """A hot call whose message does not come is answered when its time is over."""
    raw = await Raw.to(strict.port)
    for _ in range(50):
        stream = raw.open(VERIFY)
        raw.h2.send_data(stream, b"\0\0\0\0\xff")
    await raw.flush()
    ended: set[int] = set()
    async with asyncio.timeout(PATIENCE):
        while len(ended) < 50:
            for event in await raw.events():
                if type(event).__name__ in {"StreamEnded", "StreamReset"}:
                    ended.add(event.stream_id)  # type: ignore[attr-defined]
    raw.close()
    assert await is_served(strict)


@pytest.mark.parametrize("said", [b"", b"\0\0\0\0\xffhalf"], ids=["nothing", "half a message"])
async def test_who_writes_slowly_takes_nobodys_place(strict: Door, said: bytes) -> None:
    """Forty calls wait for their messages, twice as many as there are places; they are answered when it is too late."""
    raw = await Raw.to(strict.port)
    for _ in range(40):
        stream = raw.open(UNARY)
        raw.h2.send_data(stream, said)
    await raw.flush()
    before = strict.counted().totals["shed"]
    assert await is_served(strict)
    assert strict.counted().totals["shed"] == before
    late, reset = await raw.statuses(40, PATIENCE)
    assert (late, reset) == (["4"] * 40, 0)  # DEADLINE_EXCEEDED
    assert strict.counted().totals["late"] == 40
    raw.close()


async def test_who_falls_silent_after_the_first_message_is_given_up(strict: Door) -> None:
    """Unless the server behind has begun to answer: then it is the server's to bound."""
    raw = await Raw.to(strict.port)
    for _ in range(10):
        stream = raw.open("/test.Echo/Up")
        raw.h2.send_data(stream, b"\0\0\0\0\x01x")
    await raw.flush()
    late, reset = await raw.statuses(10, PATIENCE)
    assert (late, reset) == (["4"] * 10, 0)
    raw.close()
    async with channel_to(strict) as channel:
        talk = channel.stream_stream("/test.Echo/Both")()
        await talk.write(b"abc")
        assert await talk.read() == b"cba"
        # Longer than a request may be silent.
        await asyncio.sleep(2 * HANDSHAKE)
        await talk.write(b"def")
        assert await talk.read() == b"fed"
        talk.cancel()


async def test_streams_that_last_take_nobodys_place(strict: Door) -> None:
    """Their answer has begun: they wait for nobody."""
    async with channel_to(strict) as channel:
        talks = [channel.stream_stream("/test.Echo/Both")() for _ in range(30)]
        for talk in talks:
            await talk.write(b"abc")
            assert await talk.read() == b"cba"
        assert await is_served(strict)
        for talk in talks:
            talk.cancel()
