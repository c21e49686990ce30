"""An event loop on a thread of its own, for programs that have none: there the parts of the SDK live."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from typing import Final, Self, TypeVar

log = logging.getLogger(__name__)

__all__ = ["LoopOverError", "LoopThread"]

T = TypeVar("T")

_PATIENCE: Final = timedelta(seconds=30)
_LOOK_SECONDS: Final = 0.1


class LoopOverError(RuntimeError):
    """The thread does not run, or has ended before the work was done."""


class LoopThread:
    """A loop that other threads have work done on: verifiers, feeds and token sources belong to it.

    They are made there (`run`), and used from any thread by what takes a `LoopThread`: as many as there are wait for as
    much at a time, and none of them has a loop. A process that forks enters it afterwards, in each child.
    """

    def __init__(self) -> None:
        """Runs nothing yet."""
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._opened = AsyncExitStack()

    def __enter__(self) -> Self:
        """Starts the thread.

        Raises:
            LoopOverError: It could not begin.
        """
        runs = threading.Event()
        self._over, self._opened = asyncio.Event(), AsyncExitStack()
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(runs),), name="argus.sdk", daemon=True)
        self._thread.start()
        while not runs.wait(_LOOK_SECONDS):
            if not self._thread.is_alive():
                raise LoopOverError("the thread could not begin")
        return self

    def __exit__(self, *_: object) -> None:
        """Closes what was entered, the last first, and ends the thread."""
        if self._thread is not None and self._loop is not None:
            loop, self._loop = self._loop, None
            loop.call_soon_threadsafe(self._over.set)
            self._thread.join(_PATIENCE.total_seconds())
            if self._thread.is_alive():
                # It is a daemon: the process can end all the same.
                log.error("what lives on the loop's thread has not ended within %g s", _PATIENCE.total_seconds())

    def run(self, work: Callable[[], Awaitable[T]], *, timeout: timedelta = _PATIENCE) -> T:
        """Has work done on the loop, and waits for it.

        Args:
            work: Called on the loop's thread: `async def` functions, of which some make the parts.
            timeout: Longest wait; what takes longer is cancelled.

        Raises:
            TimeoutError: It took too long.
            LoopOverError: The thread does not run, or has ended meanwhile.
            RuntimeError: This is the loop's own thread, which can't wait for itself.
        """
        if threading.current_thread() is self._thread:
            raise RuntimeError("the loop's own thread can't wait for what is to be done on it: use await")
        loop, doing = self._running(), _do(work)
        try:
            done = asyncio.run_coroutine_threadsafe(doing, loop)
        except RuntimeError:
            doing.close()
            raise LoopOverError("the thread has ended just now") from None
        try:
            return done.result(timeout.total_seconds())
        except TimeoutError:
            done.cancel()
            raise
        except CancelledError:
            raise LoopOverError("the thread has ended meanwhile") from None

    def enter(self, opened: AbstractAsyncContextManager[T]) -> T:
        """Enters a part (a feed, a verifier), which is left when this is.

        Raises:
            LoopOverError: The thread does not run.
        """
        return self.run(lambda: self._opened.enter_async_context(opened))

    def tell(self, what: Callable[[], object]) -> None:
        """Has something called on the loop and waits for nothing; a loop that has ended is told nothing."""
        with contextlib.suppress(LoopOverError, RuntimeError):
            self._running().call_soon_threadsafe(what)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise LoopOverError("the thread does not run: enter the LoopThread first")
        return self._loop

    async def _main(self, runs: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._opened:
            runs.set()
            await self._over.wait()


async def _do(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
