"""Many offline verifiers, and from when on each of them refuses the tokens of a session that has ended."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import grpc

from argus.sdk.errors import TokenRefusedError
from argus.sdk.offline.feed import RevocationFeed

__all__ = ["Crowd", "crowd_of"]

_LOOK_SECONDS: Final = 0.005
_PATIENCE_SECONDS: Final = 30.0


class Crowd:
    """Feeds that all follow one tenant, each over a connection of its own."""

    def __init__(self, feeds: Sequence[RevocationFeed]) -> None:
        self._feeds = feeds

    async def learn(self, claims: dict[str, Any], end: Callable[[], Awaitable[object]]) -> list[float]:
        """Seconds from the answer that a session has ended until each verifier refuses its tokens; 0: no later.

        Args:
            claims: Of a token of the session.
            end: Ends it; returns once `ENDED` was answered.

        Raises:
            TimeoutError: One of them did not learn of it.
        """
        refused_at: dict[int, float] = {}
        over = asyncio.create_task(self._look(claims, refused_at))
        await end()
        ended_at = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await over
        finally:
            over.cancel()
        return [max(0.0, moment - ended_at) for moment in refused_at.values()]

    async def _look(self, claims: dict[str, Any], refused_at: dict[int, float]) -> None:
        """Asks all of them again and again, as a busy service does; the figure is at most a look too long."""
        while len(refused_at) < len(self._feeds):
            for number, feed in enumerate(self._feeds):
                if number not in refused_at and _refuses(feed, claims):
                    refused_at[number] = time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)


@asynccontextmanager
async def crowd_of(count: int, connect: Callable[[], grpc.aio.Channel], tenant_id: str) -> AsyncIterator[Crowd]:
    """So many verifiers, once all of them know what is over.

    Args:
        count: How many.
        connect: Makes a channel to Argus with a token of a client that may read revocations.
        tenant_id: Whose tokens they verify.
    """
    async with AsyncExitStack() as stack:
        made = [RevocationFeed(connect, tenant_id=tenant_id) for _ in range(count)]
        feeds = [await stack.enter_async_context(feed) for feed in made]
        await asyncio.gather(*(feed.warm() for feed in feeds))
        yield Crowd(feeds)


def _refuses(feed: RevocationFeed, claims: dict[str, Any]) -> bool:
    try:
        feed.check("", claims)
    except TokenRefusedError:
        return True
    return False
