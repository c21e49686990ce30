"""The time moved to the very second of a boundary, and calls that must all fall into it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from argus.base import clock as clocks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.stack import Stack

SECOND: Final = timedelta(seconds=1)
_TRIES: Final = 6


class MissedSecondError(Exception):
    """The machine was too slow: the calls did not all fall into the second that they are about."""


def now(stack: Stack) -> datetime:
    """The time of everything."""
    return clocks.now(stack.private.clock)


async def move_to(stack: Stack, moment: datetime) -> None:
    """Moves the time to a moment that is still to come."""
    await stack.advance(timedelta(0))  # what takes time comes first
    left = moment - now(stack)
    assert left >= timedelta(0), f"{moment} is over by {-left}"
    stack.private.clock.advance(round(left / timedelta(milliseconds=1)))
    await stack.argus.redis.load_functions()


async def begin_second(stack: Stack) -> None:
    """Moves the time to the beginning of a second: stores count whole ones."""
    await move_to(stack, now(stack).replace(microsecond=0) + 2 * SECOND)


def check_within(stack: Stack, moment: datetime) -> None:
    """Holds that it is still before a moment."""
    if now(stack) >= moment:
        raise MissedSecondError


async def in_time(attempt: Callable[[], Awaitable[None]]) -> None:
    """Makes an attempt, and another one from the beginning where the machine was too slow for it."""
    for _ in range(_TRIES):
        try:
            return await attempt()
        except MissedSecondError:
            continue
    raise AssertionError(f"too slow {_TRIES} times")
