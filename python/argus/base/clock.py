"""The time that decisions are made by; it is passed in everywhere, so that a test can move it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from argus._core import Clock

__all__ = ["Clock", "Now", "now"]

Now = Callable[[], datetime]
"""What a service takes to learn the time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now(clock: Clock) -> datetime:
    """The clock's time to the millisecond, aware, in UTC."""
    return _EPOCH + timedelta(milliseconds=clock.now_ms())
