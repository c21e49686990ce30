"""Password hashes in a pool of its own: bounded, so that passwords can't starve anything else."""

import asyncio
import os
import secrets
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Final, Self, TypeVar

from argon2 import PasswordHasher, Type

from argus.base.errors import OverloadedError
from argus.base.settings import Settings
from argus.credentials.foreign.formats import read
from argus.credentials.foreign.kinds import Argon2
from argus.credentials.foreign.model import PasswordHash

_RETRY_AFTER: Final = timedelta(seconds=1)
# On a full processor a tenth is left for a hash, which then takes most of a second. At 19 or with SCHED_IDLE it would
# take several or dozens, and calls beside it would gain no more (ADR 28).
_NICENESS: Final = 10

T = TypeVar("T")


class HashingPool:
    """Makes argon2id hashes, and checks those of every kind, in threads of its own; the work frees the GIL.

    Attributes:
        hashes_done: Hashes computed since the start, whatever for: what shows that the same work is done for a user
            that does not exist.
        dummy_hash: Hash of no password that anybody knows, with the present parameters.
    """

    def __init__(self, *, memory_kib: int, passes: int, lanes: int, workers: int, queue: int) -> None:
        """Makes the pool.

        Args:
            memory_kib: Memory of one hash.
            passes: Passes of one hash.
            lanes: Lanes of one hash.
            workers: Hashes computed at a time.
            queue: Hashes that may wait; more are turned away.
        """
        self._hasher = PasswordHasher(
            time_cost=passes, memory_cost=memory_kib, parallelism=lanes, hash_len=32, salt_len=16, type=Type.ID
        )
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argus-argon2", initializer=_step_back)
        self._most = workers + queue
        self._under_way = 0
        self._lock = threading.Lock()
        self.hashes_done = 0
        self.dummy_hash: PasswordHash = read(self._hasher.hash(secrets.token_bytes(32)))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """A pool as the settings want it."""
        return cls(
            memory_kib=settings.argon2_memory_mib * 1024,
            passes=settings.argon2_passes,
            lanes=settings.argon2_lanes,
            workers=settings.argon2_workers or _workers(),
            queue=settings.argon2_queue,
        )

    async def hash(self, password: str) -> str:
        """Argon2id hash as a PHC string.

        Raises:
            OverloadedError: Too many are waiting.
        """
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, hashed: PasswordHash, forms: Sequence[bytes]) -> bool:
        """Whether the password has this hash, in one of the forms in which it may have been hashed.

        Raises:
            OverloadedError: Too many are waiting.
        """
        # All of them, so that the time does not tell which it was.
        return await self._run(lambda: True in [hashed.fits(form) for form in forms])

    def is_stale(self, hashed: PasswordHash) -> bool:
        """The hash is of another kind, or was made with other parameters than the present ones."""
        return not isinstance(hashed, Argon2) or self._hasher.check_needs_rehash(str(hashed))

    def close(self) -> None:
        """Lets the hashes under way finish, gives up those that wait, and ends the threads."""
        self._pool.shutdown(cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self._under_way >= self._most:
                raise OverloadedError(_RETRY_AFTER)
            self._under_way += 1
        future = self._pool.submit(work)
        # A caller that gives up does not stop the thread: the place is free when the work is done, not before.
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def _done(self, future: Future[T]) -> None:
        with self._lock:
            self._under_way -= 1
            self.hashes_done += not future.cancelled()


def _workers() -> int:
    """Two, but not every processor: the second makes few more logins, and all else waits for it."""
    return max(1, min(2, (os.cpu_count() or 1) - 1))


def _step_back() -> None:
    """Lets all else in the process go first, for this thread and the lanes that it starts.

    A hash does not feel that its processor is taken away for a moment; a call of microseconds would feel the rest of a
    time slice. Where a thread has no priority of its own, or may not lower it, all goes on as without.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
