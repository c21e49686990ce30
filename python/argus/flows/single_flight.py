"""The same work, asked for by many at once, is done once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable


class SingleFlight:
    """Shares work in progress among all who ask for it, and bounds how much is done at a time."""

    def __init__(self, parallel: int) -> None:
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(parallel)

    async def run(self, key: Hashable, work: Callable[[], Awaitable[None]]) -> None:
        """Does `work`, or waits for who is doing the work of this key; both learn of its failure.

        The work goes on when a waiter gives up: others may wait for it.
        """
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(self._do(work))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._finish(key, done))
        await asyncio.shield(task)

    def _finish(self, key: Hashable, task: asyncio.Task[None]) -> None:
        self._tasks.pop(key, None)
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio complains where every waiter has left

    async def _do(self, work: Callable[[], Awaitable[None]]) -> None:
        async with self._places:
            await work()
