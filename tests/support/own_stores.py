"""Stores of a test's own, and what may happen to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from argus.base.errors import UnavailableError
from tests.support.processes import kill_postgresql

if TYPE_CHECKING:
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores

PATIENCE_SECONDS = 20
"""How long a test waits for what must come; much longer than it should take."""


@asynccontextmanager
async def without_redis(stores: EmbeddedStores) -> AsyncIterator[None]:
    """Redis is killed, and is back after the block."""
    stores.valkey.kill()
    try:
        yield
    finally:
        stores.launch_valkey()
        stores.wait()


@asynccontextmanager
async def without_postgresql(stores: EmbeddedStores, private: PrivateStack | None = None) -> AsyncIterator[None]:
    """PostgreSQL is killed, and is back after the block; so it is for `private`, which spares one that has refused."""
    kill_postgresql(stores)
    try:
        yield
    finally:
        stores.launch_postgresql()
        stores.wait()
        if private:
            await until(lambda: _has_postgresql(private))


@asynccontextmanager
async def without_both(stores: EmbeddedStores) -> AsyncIterator[None]:
    """Both are killed, and are back after the block."""
    kill_postgresql(stores)
    stores.valkey.kill()
    try:
        yield
    finally:
        stores.launch_postgresql()
        stores.launch_valkey()
        stores.wait()


async def _has_postgresql(private: PrivateStack) -> bool:
    try:
        await private.server.argus.db.fetch_one("SELECT 1")
    except UnavailableError:
        return False
    return True


async def until(condition: Callable[[], Awaitable[object]]) -> float:
    """Waits for what somebody else does; how many seconds that took."""
    begun = time.monotonic()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - nobody says when
            await asyncio.sleep(0.01)
    return time.monotonic() - begun


async def lose_everything(private: PrivateStack) -> None:
    """Redis forgets all that it had; its lineage does not change by that."""
    await private.server.argus.redis.client.flushall()


async def carried_out(private: PrivateStack) -> None:
    """Waits until the background has brought everything everywhere."""
    argus = private.server.argus
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await argus.outbox.run_due()
                left = await argus.db.fetch_one("SELECT count(*) AS n FROM outbox")
                if left == {"n": 0} and not await argus.redis.client.hlen("a1:pending"):
                    return
            except (UnavailableError, OSError):
                pass
            await private.advance(timedelta(minutes=1))
