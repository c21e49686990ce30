"""Those who come in a crowd go on together, so that they meet again wherever work is shared."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import islice
from typing import Final

from argus.base.errors import OverloadedError
from argus.storage.together import LARGEST, Watcher

LINGER: Final = timedelta(milliseconds=100)
"""Longest wait for those who are inside."""

FREE: Final = 8
"""So many go in as they come: what few do at the same time gains nothing by waiting."""

_MOST_WAITING: Final = 1024
_PAUSE: Final = timedelta(seconds=1)


class Waves:
    """Lets a few in as they come, and those who come on top when all who are inside have left, as one wave.

    Whoever goes through several steps that are each done together (`Together`) meets in each of them only those who
    come by at that moment: two or three, where hundreds are under way. A wave stays together on its way. That a wave
    takes longer the more are in it makes the next one larger: no rate has to be guessed.

    One who is held up inside holds nobody up for longer than `linger`.
    """

    def __init__(
        self,
        watcher: Watcher,
        *,
        free: int = FREE,
        largest: int = LARGEST,
        linger: timedelta = LINGER,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        """Nobody is inside yet.

        Args:
            watcher: Hears of waves, and of those who are turned away.
            free: As long as fewer are inside, and nobody waits, nobody has to.
            largest: Most of a wave.
            linger: Longest wait for the one before.
            most_waiting: Most that wait; who comes on top is turned away.
        """
        self._watcher = watcher
        self._free = free
        self._largest = largest
        self._linger = linger.total_seconds()
        self._most_waiting = most_waiting
        self._inside = 0
        # Since when, in the order of their coming.
        self._waiting: dict[asyncio.Future[None], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many wait for their wave."""
        return len(self._waiting)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Being inside.

        Raises:
            OverloadedError: Too many wait already.
        """
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    async def _enter(self) -> None:
        if not self._waiting and self._inside < self._free:
            self._inside += 1
            return
        if len(self._waiting) >= self._most_waiting:
            self._watcher.refused()
            raise OverloadedError(_PAUSE)
        loop = asyncio.get_running_loop()
        entered = loop.create_future()
        self._waiting[entered] = loop.time()
        self._arm()
        try:
            await entered
        except asyncio.CancelledError:
            # Let in, and gone in the same turn of the loop.
            if self._waiting.pop(entered, None) is None and not entered.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self._inside -= 1
        if not self._inside:
            self._let_in()

    def _let_in(self) -> None:
        """The next wave."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = asyncio.get_running_loop().time()
        waits = []
        for entered in list(islice(self._waiting, self._largest)):
            waits.append(now - self._waiting.pop(entered))
            if not entered.done():  # its caller has not gone
                entered.set_result(None)
                self._inside += 1
        if waits:
            self._watcher.begun(waits)
        self._arm()

    def _arm(self) -> None:
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._linger, self._let_in)
