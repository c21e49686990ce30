"""Ends are waited for, and never for ever: what does not end in time is named in the log, and left behind."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog

__all__ = ["LONGEST_END", "closing", "end_tasks", "end_with", "within"]

T = TypeVar("T")
log = structlog.get_logger(__name__)

LONGEST_END: Final = timedelta(seconds=15)
"""How long a part may take to end that says nothing else. What a part waits for itself is shorter."""

_AGAIN: Final = timedelta(milliseconds=250)


async def within(bound: timedelta, part: str, ending: Awaitable[T]) -> T | None:
    """Waits for an end, for `bound` at most.

    What is late is cancelled and not waited for any more: what does not end may not heed that either.

    Args:
        bound: Longest wait.
        part: What ends, for the log.
        ending: Comes back once it has.

    Returns:
        What `ending` answers; None if that is late.
    """
    task = asyncio.ensure_future(ending)
    try:
        _, late = await asyncio.wait([task], timeout=bound.total_seconds())
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not late:
        return task.result()
    _leave(part, bound, late)
    return None


async def end_tasks(bound: timedelta, part: str, tasks: Iterable["asyncio.Future[Any]"]) -> None:
    """Cancels tasks and waits until they have ended, for `bound` at most; how they end is nobody's concern.

    They are cancelled again and again: `asyncio.wait_for` of Python 3.11, which the clients of Redis and PostgreSQL
    wait by, loses a cancellation that comes when what it waits for is done.

    Args:
        bound: Longest wait.
        part: What they are, for the log.
        tasks: Tasks of this loop.
    """
    left = set(tasks)
    end = asyncio.get_running_loop().time() + bound.total_seconds()
    while left and (remaining := end - asyncio.get_running_loop().time()) > 0:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=min(remaining, _AGAIN.total_seconds()))
        for task in ended:
            _forget(task)
    _leave(part, bound, left)


@asynccontextmanager
async def closing(
    part: str, opened: AbstractAsyncContextManager[T], *, bound: timedelta = LONGEST_END
) -> AsyncIterator[T]:
    """The same part, whose end is waited for within a bound.

    Args:
        part: What it is, for the log.
        opened: The part.
        bound: Longest wait for its end.
    """
    value = await opened.__aenter__()
    try:
        yield value
    finally:
        await within(bound, part, opened.__aexit__(*sys.exc_info()))


def end_with(stack: AsyncExitStack, part: str, end: Callable[[], Awaitable[object]]) -> None:
    """Ends a part at the end of a stack, within `LONGEST_END`.

    Args:
        stack: The stack.
        part: What it is, for the log.
        end: Ends it.
    """
    stack.push_async_callback(lambda: within(LONGEST_END, part, end()))


def _leave(part: str, bound: timedelta, late: Iterable["asyncio.Future[Any]"]) -> None:
    for task in late:
        name = task.get_name() if isinstance(task, asyncio.Task) else ""
        log.error("stop.left_behind", part=part, task=name, seconds=bound.total_seconds())
        task.add_done_callback(_forget)
        task.cancel()


def _forget(task: "asyncio.Future[Any]") -> None:
    """Looks at an outcome that nobody else does."""
    if not task.cancelled():
        task.exception()
