"""Key sets and metadata: many readers cost the server behind the door no more than a few."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from h2.settings import SettingCodes

from tests.door.raw import HEAD, Raw
from tests.support.echo import UNARY, Place

KEYS: Final = "/t/a/.well-known/jwks.json"
READERS: Final = 200
PATIENCE: Final = 20.0


@pytest.fixture
async def reader(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    """Reads over HTTP/2."""
    base = f"http://127.0.0.1:{place.plain.port}"
    async with httpx.AsyncClient(base_url=base, http1=False, http2=True, timeout=PATIENCE) as client:
        yield client


def passed(place: Place) -> int:
    """How many requests went on."""
    return place.plain.counted().totals["passed"]


async def test_readers_of_one_moment_share_an_answer(place: Place, reader: httpx.AsyncClient) -> None:
    """Each with an id of its own."""
    answers = await asyncio.gather(*(reader.get(KEYS, headers={"x-request-id": f"r-{n}"}) for n in range(READERS)))
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.headers["x-request-id"] for answer in answers] == [f"r-{n}" for n in range(READERS)]
    assert 1 <= passed(place) < READERS / 4


async def test_nothing_of_a_reader_reaches_another(place: Place, reader: httpx.AsyncClient) -> None:
    """The server behind the door is told what is asked for, and from where."""
    told = (await reader.get(KEYS, headers={"authorization": "Bearer a", "cookie": "b=c", "x-any": "d"})).json()
    names = {name for name, _ in told["headers"]}
    assert names == {"host", "x-argus-door-peer", "x-argus-door-scheme", "x-request-id"}
    assert passed(place) == 1


async def test_an_answer_is_not_kept_for_long(place: Place, reader: httpx.AsyncClient) -> None:
    """What has changed is seen soon."""
    await reader.get(KEYS)
    async with asyncio.timeout(PATIENCE):
        while passed(place) == 1:
            await reader.get(KEYS)


@pytest.mark.parametrize(("method", "path"), [("GET", KEYS + "?a=b"), ("POST", KEYS), ("GET", "/t/a")])
async def test_all_else_goes_on_by_itself(place: Place, reader: httpx.AsyncClient, method: str, path: str) -> None:
    """Whatever is asked differently."""
    for _ in range(3):
        assert (await reader.request(method, path)).status_code == 200
    assert passed(place) == 3


async def test_a_reader_that_goes_keeps_nobody_waiting(place: Place, reader: httpx.AsyncClient) -> None:
    """Not even if the answer was being made for it."""
    raw = await Raw.to(place.plain.port)
    # Fewer than the library closes a connection for.
    for _ in range(4):
        streams = [_get(raw) for _ in range(4)]
        await raw.flush()
        raw.reset(streams)
    await raw.flush()
    assert (await reader.get(KEYS)).status_code == 200
    raw.close()


async def test_thousands_that_nobody_reads_hold_up_nobody(place: Place) -> None:
    """The caller lets nothing be sent; the server behind the door does not notice."""
    raw = await Raw.to(place.plain.port)
    raw.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    for _ in range(90):
        _get(raw)
    await raw.flush()
    channel: Any
    async with place.channel() as channel:
        assert await channel.unary_unary(UNARY)(b"x", timeout=PATIENCE) == b"x"
    assert passed(place) < 45
    with contextlib.suppress(ConnectionError):
        raw.close()


def _get(raw: Raw) -> int:
    stream = raw.h2.get_next_available_stream_id()
    raw.h2.send_headers(stream, [(":method", "GET"), *HEAD[1:3], (":path", KEYS)], end_stream=True)
    return stream
