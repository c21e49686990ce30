"""Two servers over one pair of stores, each with an engine and a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

from redis.exceptions import RedisError

from argus.base.clock import Clock
from argus.base.errors import UnavailableError
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.server.api import Api
from argus.server.app import Argus
from argus.server.private_stack import PrivateStack, stack_over
from tests.support.breakable_stores import BreakableStores

_REDIS_TIMEOUT: Final = timedelta(milliseconds=500)
_POLL_SECONDS: Final = 0.02


class Pair:
    """The servers, their stores, and the time of Redis, by which every decision is made."""

    def __init__(self, stores: BreakableStores, stacks: tuple[PrivateStack, PrivateStack], clock: Clock) -> None:
        self.stores = stores
        self.stacks = stacks
        self.clock = clock

    @property
    def all_argus(self) -> tuple[Argus, ...]:
        """What the servers are made of."""
        return tuple(stack.server.argus for stack in self.stacks)

    @property
    def now(self) -> int:
        """Time of Redis. Seconds since 1970."""
        return self.clock.now_ms() // 1000

    async def flush(self) -> bool:
        """Brings to PostgreSQL what the servers know; False if it is away."""
        with suppress(UnavailableError):
            for argus in self.all_argus:
                await argus.effects.flush()
            return True
        return False

    async def recover(self, *, within: float) -> None:
        """Waits until both servers have found both stores again."""
        async with asyncio.timeout(within):
            for argus in self.all_argus:
                while True:
                    try:
                        await argus.db.fetch_one("SELECT 1")
                        await argus.redis.client.ping()
                        break
                    except (UnavailableError, RedisError, OSError):
                        await asyncio.sleep(_POLL_SECONDS)

    async def advance(self, seconds: int) -> None:
        """Moves the time of everything; what waits is written before, where it can be."""
        if self.stores.has_postgresql:
            await self.flush()
        for clock in {id(clock): clock for clock in (self.clock, *(stack.clock for stack in self.stacks))}.values():
            clock.advance(seconds * 1000)
        if self.stores.has_redis:
            self.stores.load_functions(self.clock.offset_ms)

    async def new_tenant(self, **policy: Any) -> tuple[Api, Api]:
        """A new tenant with fields of a policy of its own, as seen by its only client through each of the servers."""
        first, second = self.stacks
        api = await first.new_tenant()
        await self.set_policy(api, **policy)
        twin = api.at(second.server.grpc_address, clock=second.clock)
        return api, twin

    async def set_policy(self, api: Api, **policy: Any) -> None:
        """Sets fields of a tenant's policy, and lets both servers know."""
        origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id=new_id())
        scope = Scope(kind="tenant", id=api.tenant_id)
        if policy:
            await self.all_argus[0].policies.set_document(api.tenant_id, scope, policy, origin=origin)
        for argus in self.all_argus:
            await argus.snapshot.refresh()


@asynccontextmanager
async def pair_over(stores: BreakableStores) -> AsyncIterator[Pair]:
    """Two servers over stores that run already."""
    clock = Clock()
    async with stack_over(stores.stores.urls, clock=clock, redis_timeout=_REDIS_TIMEOUT) as first:
        key = first.settings.key_encryption_key
        second_clock = Clock()
        async with stack_over(
            stores.stores.urls, clock=second_clock, redis_timeout=_REDIS_TIMEOUT, key_encryption_key=key
        ) as second:
            yield Pair(stores, (first, second), clock)
