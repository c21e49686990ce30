"""Waits for the end of processes, be they one's own children or not."""

import os
import select
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil

from argus.storage.embedded import EmbeddedStores

PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.002


def wait_for_the_end(pids: dict[int, int]) -> None:
    """Waits until every process has ended, be it reaped or not."""
    for pid, handle in pids.items():
        readable, _, _ = select.select([handle], [], [], PATIENCE_SECONDS)
        os.close(handle)
        assert readable, f"process {pid} is still there"


def handles(processes: Sequence[psutil.Process]) -> dict[int, int]:
    """What tells the end of each process, whoever its parent is."""
    return {process.pid: os.pidfd_open(process.pid) for process in processes}


def kill_postgresql(stores: EmbeddedStores) -> None:
    """Ends it without a warning: nobody is served by a backend that has not yet seen that it is alone."""
    backends = psutil.Process(stores.postgresql.pid).children(recursive=True)
    stores.postgresql.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not all(_is_over(one) for one in backends):
        assert time.monotonic() < deadline
        time.sleep(_POLL_SECONDS)


@contextmanager
def frozen_postgresql(stores: EmbeddedStores) -> Iterator[None]:
    """For the time of the block it takes connections and questions, and answers none."""
    server = psutil.Process(stores.postgresql.pid)
    all_of_it = [server, *server.children(recursive=True)]
    for one in all_of_it:
        one.suspend()
    try:
        yield
    finally:
        for one in all_of_it:
            one.resume()


def _is_over(process: psutil.Process) -> bool:
    """It serves nobody any more; who takes an orphan's exit code may take a second for it."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
