"""The same work on many keys, done in batches: each key once at a time, each group in its turn, so much a second."""

import asyncio
import random
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from argus.base.errors import UnavailableError

K = TypeVar("K", bound=Hashable)

LONGEST_WAIT: Final = timedelta(seconds=3)
"""How long work may wait for its turn; what would wait longer is turned away."""

_LARGEST_BATCH: Final = 100
_LARGEST_GROUP: Final = 50
_SHORTEST_RETRY: Final = 1.0
_COMPONENT: Final = "rebuild"


Settle: TypeAlias = Callable[[K, Exception | None], None]
"""Says what has become of a key: done (None), or failed by an error."""


class Watcher(Protocol):
    """Hears of what happens to work."""

    def refused(self) -> None:
        """Some was turned away."""

    def begun(self, waits: Sequence[float]) -> None:
        """A batch begins; its parts have waited for so many seconds."""


@dataclass(slots=True, eq=False)
class _Item(Generic[K]):
    key: K
    group: Hashable
    since: float
    done: asyncio.Future[None]


class FairBatches(Generic[K]):
    """Gathers what is asked for while earlier batches are under way, and bounds how much is done and how much waits.

    Whoever asks for a key that waits or is being worked on shares the outcome. Groups take turns, and none has more
    than a few places: a flood of one costs the others nothing.
    """

    def __init__(
        self,
        work: Callable[[Sequence[K], Settle[K]], Awaitable[None]],
        watcher: Watcher,
        *,
        parallel: int,
        rate: int,
    ) -> None:
        """Does nothing yet.

        Args:
            work: Does a batch and settles each of its keys; an error of the batch is that of all that are left.
            watcher: Hears of what happens.
            parallel: Most batches at a time.
            rate: Most keys a second.
        """
        self._work = work
        self._watcher = watcher
        self._parallel = parallel
        self._rate = rate
        self._most = int(rate * LONGEST_WAIT.total_seconds())
        self._items: dict[K, _Item[K]] = {}
        self._groups: OrderedDict[Hashable, deque[_Item[K]]] = OrderedDict()
        self._waiting = 0
        self._free_at = 0.0
        self._runners: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many keys wait for their turn."""
        return self._waiting

    async def do(self, key: K, *, group: Hashable) -> None:
        """Does the work on a key. It goes on when a waiter gives up: others may wait for it.

        Args:
            key: What to work on.
            group: Whose work it is; groups take turns.

        Raises:
            UnavailableError: There is too much to do; the time of the retry spreads those who are told so.
        """
        item = self._items.get(key) or self._add(key, group)
        try:
            async with asyncio.timeout(2 * LONGEST_WAIT.total_seconds()):
                await asyncio.shield(item.done)
        except TimeoutError:
            raise self._too_much() from None

    def _add(self, key: K, group: Hashable) -> _Item[K]:
        line = self._groups.get(group)
        if self._waiting >= self._most or (line is not None and len(line) >= _LARGEST_GROUP):
            raise self._too_much()
        loop = asyncio.get_running_loop()
        item = _Item(key, group, loop.time(), loop.create_future())
        # Retrieved, or asyncio complains where every waiter has left.
        item.done.add_done_callback(lambda done: done.exception())
        self._items[key] = item
        self._groups.setdefault(group, deque()).append(item)
        self._waiting += 1
        if len(self._runners) < self._parallel:
            runner = asyncio.create_task(self._run())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        return item

    def _too_much(self) -> UnavailableError:
        self._watcher.refused()
        backlog = self._waiting / self._rate
        seconds = random.uniform(_SHORTEST_RETRY, _SHORTEST_RETRY + 2 * backlog)  # noqa: S311 - guards nothing
        return UnavailableError(_COMPONENT, retry_after=timedelta(seconds=seconds))

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if (pause := self._free_at - loop.time()) > 0:
                await asyncio.sleep(pause)
                continue
            batch = self._take()
            now = loop.time()
            self._free_at = now + len(batch) / self._rate
            self._watcher.begun([now - item.since for item in batch])
            await self._do([item.key for item in batch])

    async def _do(self, keys: Sequence[K]) -> None:
        try:
            await self._work(keys, self._settle)
            error: Exception = AssertionError("a batch settles each of its keys")
        except UnavailableError as caught:
            error = caught
        except Exception as caught:  # noqa: BLE001  # whatever it is, who waits must learn of it
            left = [key for key in keys if key in self._items]
            if len(keys) > 1 and left:
                # One that can't be worked on must not take the others along.
                await self._do(left[: len(keys) // 2])
                await self._do(left[len(keys) // 2 :])
                return
            error = caught
        for key in keys:
            self._settle(key, error)

    def _take(self) -> list[_Item[K]]:
        """The next batch: one of each group in turn, until it is full."""
        batch: list[_Item[K]] = []
        while self._groups and len(batch) < _LARGEST_BATCH:
            group, line = self._groups.popitem(last=False)
            batch.append(line.popleft())
            if line:
                self._groups[group] = line
        self._waiting -= len(batch)
        return batch

    def _settle(self, key: K, error: Exception | None) -> None:
        item = self._items.pop(key, None)
        if item is None or item.done.done():
            return
        if error is None:
            item.done.set_result(None)
        else:
            item.done.set_exception(error)
