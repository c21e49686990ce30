"""Work that goes on beside the calls: loops that survive their failures and stop when told."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import structlog
from prometheus_client import Counter

from argus.base.errors import UnavailableError
from argus.base.stopping import end_tasks

log = structlog.get_logger(__name__)

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_STOP: Final = timedelta(seconds=5)
# Shorter: what does not end is named by the loop that knows it.
_CANCEL: Final = timedelta(seconds=4)


class Background:
    """A set of supervised loops; entering starts them, leaving stops them.

    A loop that fails is logged, counted and begun anew after a pause that doubles up to a second, so that a store that
    is away is neither hammered nor forgotten.
    """

    def __init__(self, *, failures: Counter) -> None:
        """Starts nothing yet.

        Args:
            failures: Counts failed rounds, by label `loop`.
        """
        self._failures = failures
        self._stop = asyncio.Event()
        self._loops: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._turns: list[asyncio.Lock] = []

    def every(self, name: str, interval: timedelta, step: Callable[[], Awaitable[object]]) -> None:
        """Adds a step that is taken again and again, `interval` apart; a step under way is finished before the stop."""
        turn = asyncio.Lock()
        self._turns.append(turn)

        async def run() -> None:
            while not self._stop.is_set():
                async with turn:
                    await step()
                await self._pause(interval.total_seconds())

        self._loops.append((name, run))

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Between steps: those under way are finished before the block, and none begins inside it."""
        async with AsyncExitStack() as stack:
            for turn in self._turns:
                await stack.enter_async_context(turn)
            yield

    def forever(self, name: str, run: Callable[[], Awaitable[object]]) -> None:
        """Adds something that runs until it is cancelled."""

        async def until_stopped() -> None:
            running = asyncio.ensure_future(run())
            stopping = asyncio.ensure_future(self._stop.wait())
            try:
                await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
            finally:
                await end_tasks(_CANCEL, name, [running, stopping])

        self._loops.append((name, until_stopped))

    async def __aenter__(self) -> Self:
        """Starts the loops."""
        self._tasks = [asyncio.create_task(self._supervise(name, run), name=name) for name, run in self._loops]
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Lets the steps under way finish, then cancels what has not."""
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_STOP.total_seconds())
            await end_tasks(_STOP, "background", late)

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            begun = loop.time()
            try:
                await run()
            except UnavailableError as error:
                log.warning("background.unavailable", loop=name, component=error.component)
            except Exception:
                # The loop must go on whatever happened.
                log.exception("background.failed", loop=name)
            else:
                continue
            self._failures.labels(name).inc()
            if loop.time() - begun > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await self._pause(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads processes, guards nothing
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
