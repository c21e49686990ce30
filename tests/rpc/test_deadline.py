"""The server's deadline holds whatever the work below it does."""

import asyncio

import pytest

from argus.rpc.context import Call
from argus.rpc.errors import DeadlineError
from argus.rpc.interceptors import _in_time


async def test_work_that_resists_its_cancelling_does_not_hold_the_answer_up() -> None:
    """As a database driver does that waits for a server that hangs."""
    resisted, over = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await over.wait()
        except asyncio.CancelledError:
            resisted.set()
            await over.wait()

    with pytest.raises(DeadlineError):
        await _in_time(stubborn(), Call(method="/a.B/C", request_id="r", deadline_ms=10))
    await resisted.wait()
    over.set()


async def test_what_is_in_time_is_passed_on() -> None:
    """Answers and errors alike."""
    call = Call(method="/a.B/C", request_id="r", deadline_ms=10_000)

    async def answer() -> int:
        return 7

    async def fail() -> int:
        raise KeyError("x")

    assert await _in_time(answer(), call) == 7
    with pytest.raises(KeyError):
        await _in_time(fail(), call)
