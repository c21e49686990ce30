"""Waits for the end of processes, be they one's own children or not."""

import os
import select
from collections.abc import Sequence

import psutil

PATIENCE_SECONDS = 60.0


def wait_for_the_end(pids: dict[int, int]) -> None:
    """Waits until every process has ended, be it reaped or not."""
    for pid, handle in pids.items():
        readable, _, _ = select.select([handle], [], [], PATIENCE_SECONDS)
        os.close(handle)
        assert readable, f"process {pid} is still there"


def handles(processes: Sequence[psutil.Process]) -> dict[int, int]:
    """What tells the end of each process, whoever its parent is."""
    return {process.pid: os.pidfd_open(process.pid) for process in processes}
