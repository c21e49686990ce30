"""What does not end is left behind in time, and named; what only did not hear is told again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from argus.base.stopping import closing, end_tasks, within

BOUND = timedelta(milliseconds=200)
PATIENCE_SECONDS = 10


async def deaf(until: asyncio.Event, times: int | None = None) -> None:
    """Goes on however often it is cancelled, or hears it after so many times."""
    heard = 0
    while not until.is_set() and (times is None or heard <= times):
        try:
            await until.wait()
        except asyncio.CancelledError:
            heard += 1


@pytest.fixture
async def over() -> AsyncIterator[asyncio.Event]:
    """Set when the test is: what was left behind ends then."""
    event = asyncio.Event()
    yield event
    event.set()


async def left_behind(ending: Callable[[], Awaitable[object]]) -> list[str]:
    """What the log says was left behind; it does not take long."""
    begun = time.monotonic()
    with capture_logs() as lines:
        await ending()
    assert time.monotonic() - begun < PATIENCE_SECONDS
    return [line["part"] for line in lines if line["event"] == "stop.left_behind"]


async def test_an_end_in_time_is_awaited() -> None:
    assert await within(BOUND, "part", asyncio.sleep(0, "done")) == "done"
    with pytest.raises(ValueError, match="its own"):
        await within(BOUND, "part", _fails())


async def _fails() -> None:
    raise ValueError("its own")


async def test_what_does_not_end_is_left_and_named(over: asyncio.Event) -> None:
    assert await left_behind(lambda: within(BOUND, "deaf", deaf(over))) == ["deaf"]
    tasks = [asyncio.create_task(deaf(over)), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    assert await left_behind(lambda: end_tasks(BOUND, "deaf", tasks)) == ["deaf"]
    assert tasks[1].cancelled()


async def test_a_cancellation_that_was_lost_is_made_again(over: asyncio.Event) -> None:
    """As `asyncio.wait_for` of Python 3.11 loses it."""
    task = asyncio.create_task(deaf(over, times=2))
    await asyncio.sleep(0)
    assert await left_behind(lambda: end_tasks(timedelta(seconds=PATIENCE_SECONDS), "deaf", [task])) == []
    assert task.done()


async def test_a_part_of_a_stack_that_does_not_end_holds_up_no_other(over: asyncio.Event) -> None:
    ended = []

    @asynccontextmanager
    async def part(ending: Awaitable[None]) -> AsyncIterator[str]:
        try:
            yield "open"
        finally:
            await ending
            ended.append("heard")

    async def all_of_them() -> None:
        async with (
            closing("first", part(asyncio.sleep(0)), bound=BOUND) as opened,
            closing("second", part(deaf(over)), bound=BOUND),
        ):
            assert opened == "open"

    assert await left_behind(all_of_them) == ["second"]
    assert ended == ["heard"]
