"""Loops of a server end when it stops, whatever they are waiting for."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from prometheus_client import Counter
from structlog.testing import capture_logs

from argus.server import primary
from argus.server.background import Background
from argus.server.primary import watching

PATIENCE_SECONDS = 20


class Deaf:
    """A watch whose look takes a cancellation for an answer, as `asyncio.wait_for` of Python 3.11 now and then does."""

    changes = 0
    fault = ""

    def __init__(self) -> None:
        self.looks = asyncio.Event()

    async def start(self) -> None:
        """Has nothing to look at yet."""

    async def look(self) -> bool:
        """Looks until it is cancelled, and is content then."""
        self.looks.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return True
        return False


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other at once."""
    monkeypatch.setattr(primary, "_SETTLED", timedelta(0))


async def test_a_watch_that_lost_its_cancellation_ends() -> None:
    """It went on for ever, and the server's stop with it."""
    watch = Deaf()
    with capture_logs() as lines:
        async with watching(watch):
            await watch.looks.wait()
            begun = time.monotonic()
        assert time.monotonic() - begun < PATIENCE_SECONDS
    assert not [line for line in lines if line["event"] == "stop.left_behind"]


@pytest.fixture
async def over() -> AsyncIterator[asyncio.Event]:
    """Set when the test is: what was left behind ends then."""
    event = asyncio.Event()
    yield event
    event.set()


async def test_a_loop_that_never_ends_is_left_behind(over: asyncio.Event) -> None:
    """And named; the others are not held up by it."""
    begins, ends = asyncio.Event(), asyncio.Event()

    async def deaf() -> None:
        begins.set()
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    async def honest() -> None:
        try:
            await over.wait()
        finally:
            ends.set()

    background = Background(failures=Counter("failures", "Of this test.", ("loop",), registry=None))
    background.forever("deaf", deaf)
    background.forever("honest", honest)
    with capture_logs() as lines:
        async with background:
            await begins.wait()
            begun = time.monotonic()
        assert time.monotonic() - begun < PATIENCE_SECONDS
    assert ends.is_set()
    assert "deaf" in {line["part"] for line in lines if line["event"] == "stop.left_behind"}


async def test_what_is_held_takes_no_step() -> None:
    """One under way is finished first; afterwards all goes on."""
    steps: list[str] = []
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        steps.append("begun")
        begun.set()
        await goes_on.wait()
        steps.append("done")

    background = Background(failures=Counter("held_failures", "Of this test.", ("loop",), registry=None))
    background.every("slow", timedelta(0), step)
    async with background:
        await begun.wait()
        asyncio.get_running_loop().call_soon(goes_on.set)
        async with background.held():
            held = list(steps)
            assert held[-1] == "done"
            for _ in range(100):  # as many turns as a loop that is not held would take steps in
                await asyncio.sleep(0)
            assert steps == held
        begun.clear()
        await begun.wait()
    assert len(steps) > len(held)
