"""Stores of one's own that may be broken, and two servers over them: what one of them says, the other must know."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from argus.base.errors import UnavailableError
from argus.server.api import Api
from argus.storage.embedded import EmbeddedStores
from tests.support.processes import kill_postgresql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from argus.server.private_stack import PrivateStack

PATIENCE_SECONDS: Final = 60.0
REDIS, POSTGRESQL = "redis", "postgresql"
# A delivery that failed is tried again within a minute; a wide end is looked at once more a minute later.
_MINUTES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakable:
    """The stores and the servers. The servers have one clock and one key-encryption key."""

    stores: EmbeddedStores
    first: PrivateStack
    second: PrivateStack

    @property
    def servers(self) -> Sequence[PrivateStack]:
        """Both."""
        return (self.first, self.second)

    @asynccontextmanager
    async def without(self, *names: str) -> AsyncIterator[None]:
        """Kills the named stores for the time of the block."""
        if REDIS in names:
            self.stores.valkey.kill()
        if POSTGRESQL in names:
            kill_postgresql(self.stores)
        try:
            yield
        finally:
            if REDIS in names:
                self.stores.launch_valkey()
            if POSTGRESQL in names:
                self.stores.launch_postgresql()
            await asyncio.to_thread(self.stores.wait)

    async def flush(self) -> None:
        """Empties Redis; its lineage stays."""
        await self.first.server.argus.redis.client.flushall()

    def restart(self) -> None:
        """Kills Redis and starts it from its log: all is there, the lineage is another."""
        self.stores.valkey.kill()
        self._launch()

    def save(self, folder: Path) -> Path:
        """Copies the data of Redis as they are now."""
        subprocess.run(["cp", "-a", self._data, folder / "redis"], check=True)
        return folder / "redis"

    def restore(self, saved: Path) -> None:
        """Restarts Redis with data that were copied before."""
        self.stores.valkey.kill()
        shutil.rmtree(self._data)
        subprocess.run(["cp", "-a", saved, self._data], check=True)
        self._launch()

    async def advance(self, by: timedelta) -> None:
        """Moves the time of both servers and of the functions."""
        await self.second.server.argus.effects.flush()
        await self.first.advance(by)

    async def carried_out(self) -> None:
        """Waits until both servers have their stores and all ends are everywhere; what waits for its time gets some."""
        argus, minutes = self.first.server.argus, _MINUTES
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    for server in self.servers:
                        await server.server.argus.db.fetch_one("SELECT 1 AS one")
                    await argus.outbox.run_due()
                    left = await argus.db.fetch_one("SELECT count(*) AS n FROM outbox")
                    if left == {"n": 0} and not await argus.redis.client.hlen("a1:pending"):
                        return
                    if minutes:
                        minutes -= 1
                        await self.advance(timedelta(seconds=61))
                except (UnavailableError, OSError):
                    pass  # a store that is starting
                await asyncio.sleep(0.05)

    @asynccontextmanager
    async def new_tenant(self, **fields: Any) -> AsyncIterator[tuple[Api, Api]]:
        """A new tenant, as seen by its only client through either server."""
        one = await self.first.new_tenant(**fields)
        other = self.through_second(one)
        try:
            yield one, other
        finally:
            await one.close()
            await other.close()

    def through_second(self, api: Api) -> Api:
        """The same client, calling the second server."""
        return api.at(self.second.server.grpc_address)

    def _launch(self) -> None:
        # PostgreSQL may be away meanwhile.
        self.stores.launch_valkey()
        self.stores.valkey.wait_until(self.stores._valkey_answers)

    @property
    def _data(self) -> Path:
        home = self.stores._home
        assert home is not None
        return home.folder("valkey")


@asynccontextmanager
async def breakable_servers(folder: Path, **changes: Any) -> AsyncIterator[Breakable]:
    """Starts stores in a folder, and two servers over them.

    Args:
        folder: Where the stores keep their data.
        changes: Settings that differ.
    """
    with EmbeddedStores(folder) as stores:
        # grpc may be loaded only once the stores run.
        from argus.server.private_stack import stack_over

        changes = {"redis_timeout": timedelta(milliseconds=500)} | changes
        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(stack_over(stores.urls, **changes))
            changes["key_encryption_key"] = first.settings.key_encryption_key
            second = await stack.enter_async_context(stack_over(stores.urls, clock=first.clock, **changes))
            yield Breakable(stores=stores, first=first, second=second)
        stores.delete()
