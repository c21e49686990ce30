"""Argon2id in a pool of its own: bounded, so that passwords can't starve anything else."""

import asyncio
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Final, Self, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from argus.base.errors import OverloadedError
from argus.base.settings import Settings

_RETRY_AFTER: Final = timedelta(seconds=1)

T = TypeVar("T")


class HashingPool:
    """Makes and checks hashes in threads of its own; argon2 frees the GIL meanwhile.

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
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="argus-argon2")
        self._most = workers + queue
        self._under_way = 0
        self._lock = threading.Lock()
        self.hashes_done = 0
        self.dummy_hash = self._hasher.hash(secrets.token_bytes(32))

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """A pool as the settings want it."""
        return cls(
            memory_kib=settings.argon2_memory_mib * 1024,
            passes=settings.argon2_passes,
            lanes=settings.argon2_lanes,
            workers=settings.argon2_workers,
            queue=settings.argon2_queue,
        )

    async def hash(self, password: str) -> str:
        """Argon2id hash as a PHC string.

        Raises:
            OverloadedError: Too many are waiting.
        """
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, secret_hash: str, password: str) -> bool:
        """Whether the password has this hash.

        Raises:
            OverloadedError: Too many are waiting.
        """
        return await self._run(lambda: self._verify(secret_hash, password))

    def is_stale(self, secret_hash: str) -> bool:
        """The hash was made with other parameters than the present ones."""
        return self._hasher.check_needs_rehash(secret_hash)

    def close(self) -> None:
        """Lets the hashes under way finish and ends the threads."""
        self._pool.shutdown()

    def _verify(self, secret_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(secret_hash, password)
        except VerifyMismatchError:
            return False

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
