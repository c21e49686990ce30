"""The clock that everything here goes by; what the time of day is matters for `exp` alone."""

import time
from typing import Final

# They go on while the machine sleeps, on Linux and on macOS; Python's own monotonic clock does not.
_CLOCK: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


def elapsed() -> float:
    """Seconds by a clock that nothing moves, and that no sleep of the machine stops."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
