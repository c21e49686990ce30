"""What many ask for at the same time is done together: one statement, one commit, one round trip for all of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Final, Generic, Protocol, TypeVar

from argus.base.errors import OverloadedError, UnavailableError

T = TypeVar("T")
R = TypeVar("R")

LARGEST: Final = 256
"""Most that one batch takes."""

LINGER: Final = timedelta(milliseconds=3)
"""Longest wait for a batch under way before another one begins beside it."""

_PARALLEL: Final = 2
_MOST_WAITING: Final = 4096
_PAUSE: Final = timedelta(seconds=1)
_DRAIN_SECONDS: Final = 5.0


class Watcher(Protocol):
    """Hears of what happens to one kind of work."""

    def begun(self, waits: Sequence[float]) -> None:
        """A batch begins; its parts have waited for so many seconds."""

    def refused(self) -> None:
        """One was turned away: too many wait."""


@dataclass(slots=True, eq=False)
class _Asked(Generic[T, R]):
    item: T
    since: float
    done: asyncio.Future[R]


class Together(Generic[T, R]):
    """Gathers what is asked for while earlier batches are under way; whoever comes alone does not wait.

    A batch begins at once where none is under way, else when one is done, when the next is full, or when its first
    part has waited for `linger` (as many batches at a time as there may be). An ask never joins a batch that has begun:
    what is read for it is read after it.

    A caller that gives up takes its part out of the queue, so that it never begins. What has begun goes on: others have
    a part in it.
    """

    def __init__(
        self,
        work: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        watcher: Watcher,
        *,
        largest: int = LARGEST,
        parallel: int = _PARALLEL,
        linger: timedelta = LINGER,
        most_waiting: int = _MOST_WAITING,
        splits: bool = True,
        keeps_all: bool = False,
        abandoned: Callable[[Sequence[R]], Awaitable[None]] | None = None,
    ) -> None:
        """Does nothing yet.

        Args:
            work: Does a batch; answers the outcome of each part, in their order.
            watcher: Hears of what happens.
            largest: Most parts of a batch.
            parallel: Most batches at a time.
            linger: How long a part waits for batches under way before one more begins.
            most_waiting: Most parts that wait; what comes on top is turned away.
            splits: A batch that fails has left nothing behind: it is done again in halves, so that only the parts that
                can't be done fail. Not where it fails by an `UnavailableError`, which is everybody's.
            keeps_all: A part whose caller gave up is done nevertheless.
            abandoned: Told what became of parts whose callers gave up too late.
        """
        self._work = work
        self._watcher = watcher
        self._largest = largest
        self._parallel = parallel
        self._linger = linger.total_seconds()
        self._most_waiting = most_waiting
        self._splits = splits
        self._keeps_all = keeps_all
        self._abandoned = abandoned
        # In the order of their coming; a dict, because those who give up leave from the middle.
        self._waiting: dict[_Asked[T, R], None] = {}
        self._running = 0
        # Of them, those that have not taken their first batch yet.
        self._starting = 0
        self._runners: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many parts wait for a batch."""
        return len(self._waiting)

    async def do(self, item: T) -> R:
        """Does one part, together with whatever else is asked for.

        Raises:
            OverloadedError: Too many wait already.
            Exception: Whatever `work` answers for this part.
        """
        if len(self._waiting) >= self._most_waiting:
            self._watcher.refused()
            raise OverloadedError(_PAUSE)
        loop = asyncio.get_running_loop()
        asked: _Asked[T, R] = _Asked(item, loop.time(), loop.create_future())
        self._waiting[asked] = None
        if not self._running or len(self._waiting) >= self._largest * (1 + self._starting):
            self._begin()
        else:
            self._arm()
        try:
            return await asked.done
        except asyncio.CancelledError:
            if not self._keeps_all:
                self._waiting.pop(asked, None)
            raise

    async def drain(self) -> int:
        """Waits for a while until all is done; says how much is not."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _DRAIN_SECONDS
        while (self._waiting or self._running) and (left := end - loop.time()) > 0:
            self._begin()
            # A runner that was cancelled before it began has left no other.
            if not self._runners:
                break
            await asyncio.wait(self._runners, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return len(self._waiting)

    def _arm(self) -> None:
        """Sees to it that what waits behind batches under way does not wait for them longer than it may."""
        if self._timer is None and self._waiting and self._running < self._parallel:
            since = next(iter(self._waiting)).since
            self._timer = asyncio.get_running_loop().call_at(since + self._linger, self._wait_no_longer)

    def _wait_no_longer(self) -> None:
        self._timer = None
        self._begin()

    def _begin(self) -> None:
        if not self._waiting or self._running >= self._parallel:
            return
        self._running += 1
        self._starting += 1
        # A task begins in the next turn of the loop: what is asked for in this one comes along.
        runner = asyncio.create_task(self._run())
        self._runners.add(runner)
        runner.add_done_callback(self._runners.discard)

    async def _run(self) -> None:
        """One batch after the other, until another runner can do what is left."""
        loop = asyncio.get_running_loop()
        self._starting -= 1
        is_due = True
        try:
            while self._waiting and is_due:
                batch = list(islice(self._waiting, self._largest))
                for asked in batch:
                    del self._waiting[asked]
                now = loop.time()
                self._watcher.begun([now - asked.since for asked in batch])
                await self._do(batch)
                is_due = self._running == 1 or self._is_due(loop.time())
        finally:
            self._running -= 1
            self._arm()

    def _is_due(self, now: float) -> bool:
        """What waits fills a batch, or has waited for long enough."""
        if not self._waiting:
            return False
        return len(self._waiting) >= self._largest or now - next(iter(self._waiting)).since >= self._linger

    async def _do(self, batch: Sequence[_Asked[T, R]]) -> None:
        try:
            outcomes = await self._work([asked.item for asked in batch])
        except Exception as error:  # noqa: BLE001  # whatever it is, who waits must learn of it
            if self._splits and len(batch) > 1 and not isinstance(error, UnavailableError):
                middle = len(batch) // 2
                await self._do(batch[:middle])
                await self._do(batch[middle:])
                return
            outcomes = [error] * len(batch)
        left = [
            outcome
            for asked, outcome in zip(batch, outcomes, strict=True)
            if not _settle(asked.done, outcome) and not isinstance(outcome, Exception)
        ]
        if left and self._abandoned is not None:
            await self._abandoned(left)


def _settle(done: asyncio.Future[R], outcome: R | Exception) -> bool:
    """Tells a caller; False if it has gone."""
    if done.done():
        return False
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
    return True
