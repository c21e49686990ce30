"""CPU time of processes, which says what work costs whatever else the machine does (Linux)."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
_REAPED_USER, _REAPED_SYSTEM = 13, 14
# Idle and waiting for a disk; guests are counted as user time already.
_NOT_BUSY: Final = (3, 4, 8, 9)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, of all that descends from it, and of those of them that have ended.

    Args:
        pid: The process.

    Raises:
        ProcessLookupError: There is no such process.
    """
    spent = process_cpu_ns(pid) / 1e9 + _reaped_seconds(pid)
    for child in _children(pid):
        with contextlib.suppress(ProcessLookupError):
            spent += cpu_seconds(child)
    return spent


def process_cpu_ns(pid: int) -> int:
    """CPU time of one process alone, in nanoseconds.

    Args:
        pid: The process.

    Raises:
        ProcessLookupError: There is no such process.
    """
    try:
        # The number of its clock is what `clock_getcpuclockid` makes of the pid.
        return time.clock_gettime_ns(~pid << 3 | 2)
    except OSError as error:
        raise ProcessLookupError(error.errno, f"there is no process {pid}") from None


def machine_cpu_seconds() -> float:
    """CPU time that the whole machine has spent since it was started."""
    fields = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    busy = (int(value) for place, value in enumerate(fields) if place not in _NOT_BUSY)
    return sum(busy) / _TICKS_A_SECOND


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield from map(int, (task / "children").read_text(encoding="ascii").split())


def _reaped_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[_REAPED_USER]) + int(fields[_REAPED_SYSTEM])) / _TICKS_A_SECOND
