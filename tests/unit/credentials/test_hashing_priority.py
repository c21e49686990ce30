"""Password hashes step back before everything else that the process does."""

import os
import sys
import threading
from pathlib import Path

import pytest

from argus.credentials.foreign.formats import read
from argus.credentials.hashing import HashingPool

_TASKS = Path("/proc/self/task")
_NICENESS = 10


def threads() -> set[int]:
    """All threads of this process."""
    return {int(task.name) for task in _TASKS.iterdir()}


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux")
async def test_threads_that_hash_step_back_and_no_other_does() -> None:
    """Who has the processor when a call comes gives it back; who asked for the hash is as important as before."""
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    before = threads()
    pool = HashingPool(memory_kib=64, passes=2, lanes=1, workers=1, queue=1)
    try:
        assert await pool.verify(read(await pool.hash("three correct horses")), [b"three correct horses"])
        made = threads() - before
        assert max(os.getpriority(os.PRIO_PROCESS, thread) for thread in made) == max(mine, _NICENESS)
        assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine
    finally:
        pool.close()
