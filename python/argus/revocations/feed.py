"""What all watchers of a tenant share: one log of the last changes, in which each of them has a place."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from argus.base.errors import OverloadedError, UnavailableError
from argus.revocations.model import PAGE, Part, Revocation

HEARTBEAT: Final = timedelta(seconds=1)
"""Longest time between two messages of a stream."""

MOST_KEPT: Final = 50_000
"""Most revocations that a log keeps for watchers that are behind."""

_PAUSE: Final = timedelta(seconds=1)


class Feed:
    """The log of one tenant.

    Watchers have no queue of their own: a place in the log costs nothing however many they are, and one that reads so
    slowly that its place is gone is told to come again.
    """

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.watchers = 0
        self._log: deque[Part] = deque()
        self._first = 0
        self._kept = 0
        self._newest = Part()
        self._is_over = False
        self._is_stopping = False
        self._news = asyncio.Event()

    @property
    def end(self) -> int:
        """The place behind the last part."""
        return self._first + len(self._log)

    def publish(self, changes: Sequence[Revocation], *, resume_token: str, state_time: datetime) -> None:
        """Appends what has come, and says up to when nothing else has."""
        self._newest = Part(resume_token=resume_token, state_time=state_time)
        if not changes:
            return
        for piece in _pieces(changes):
            # A part of a reading does not stand for all of it.
            is_last = piece[-1] is changes[-1]
            self._log.append(replace(self._newest, revocations=piece) if is_last else Part(revocations=piece))
            self._kept += len(piece)
        while self._kept > MOST_KEPT and len(self._log) > 1:
            self._kept -= len(self._log.popleft().revocations)
            self._first += 1
        self._wake()

    def end_all(self) -> None:
        """Sends all watchers away, to begin anew: what they have read says nothing any more."""
        self._is_over = True
        self._wake()

    def stop(self) -> None:
        """Sends all watchers away, to another server."""
        self._is_stopping = True
        self._wake()

    async def follow(self, place: int) -> AsyncGenerator[Part, None]:
        """All parts from a place on, and heartbeats between them; ends when all must begin anew.

        Raises:
            OverloadedError: The place is gone: too much has come since.
            UnavailableError: The server stops.
        """
        while not self._is_over:
            if self._is_stopping:
                raise UnavailableError("argus", _PAUSE, cause="STOPPING")
            if place < self._first:
                raise OverloadedError(_PAUSE)
            if place < self.end:
                yield self._log[place - self._first]
                place += 1
            elif not await self._has_news():
                yield self._newest

    async def _has_news(self) -> bool:
        try:
            async with asyncio.timeout(HEARTBEAT.total_seconds()):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _pieces(changes: Sequence[Revocation]) -> Iterator[Sequence[Revocation]]:
    for first in range(0, len(changes), PAGE):
        yield changes[first : first + PAGE]
