"""Knows which Redis node counts, and says so to both halves of Argus (rotation.md, section 3; ADR 14)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final, Protocol, TypeVar

import structlog

from argus._core import Clock, Engine, Lease
from argus.base import clock as clocks
from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.settings import Settings
from argus.base.stopping import LONGEST_END, end_tasks
from argus.storage.postgres import Database
from argus.storage.primaries import Primaries, Primary, Replaced
from argus.storage.redis import Node, NotPrimaryError, Redis

log = structlog.get_logger(__name__)

_SETTLED: Final = timedelta(seconds=1)
_UNSETTLED: Final = timedelta(milliseconds=250)
# Longest that PostgreSQL may take to confirm the primary.
_PATIENCE: Final = timedelta(seconds=4)


class PrimaryWatch(Protocol):
    """What the rest of the server wants to know about the primary.

    Attributes:
        changes: How often another node, or the same one restarted, has taken over since the start.
        fault: What keeps Redis from being used; empty: nothing.
    """

    changes: int
    fault: str

    async def start(self) -> None:
        """Looks for the first time.

        Raises:
            UnavailableError: A store is away.
        """

    async def look(self) -> bool:
        """Looks again; False if there is more to be done soon.

        Raises:
            UnavailableError: A store is away.
        """


Watch = TypeVar("Watch", bound=PrimaryWatch)


@asynccontextmanager
async def watching(watch: Watch) -> AsyncIterator[Watch]:
    """Watches during the block, whatever happens: who stopped looking would never believe a node again.

    Raises:
        UnavailableError: A store is away at the start.
    """
    await watch.start()
    stop = asyncio.Event()
    task = asyncio.create_task(_go_on(watch, stop), name="primary")
    try:
        yield watch
    finally:
        stop.set()
        await end_tasks(LONGEST_END, "primary", [task])


async def _go_on(watch: PrimaryWatch, stop: asyncio.Event) -> None:
    is_settled = True
    while not stop.is_set():
        await asyncio.sleep((_SETTLED if is_settled else _UNSETTLED).total_seconds())
        is_settled = False
        try:
            is_settled = await watch.look()
        except UnavailableError:
            continue  # the watch says so itself
        except Exception:
            log.exception("redis.watch_failed")


class StandaloneWatch:
    """Watches a Redis without Sentinel: there is no lease, and still it may turn out to be a replica."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._node: Node | None = None
        self.changes = 0
        self.fault = ""

    async def start(self) -> None:
        """Looks for the first time.

        Raises:
            UnavailableError: Redis is away, or a replica.
        """
        await self.look()

    async def look(self) -> bool:
        """Looks again.

        Raises:
            UnavailableError: Redis is away, or a replica.
        """
        try:
            node = await self._redis.node()
        except NotPrimaryError:
            await self._redis.forget_connections()
            self._tell_replica()
            raise
        if self._node is not None and self._node.lineage != node.lineage:
            self.changes += self._node.run_id != node.run_id
            log.warning("redis.lineage_changed", lineage=node.lineage.hex())
        self._node, self.fault = node, ""
        return True

    def _tell_replica(self) -> None:
        if not self.fault:
            log.error("redis.is_replica", hint="point ARGUS_REDIS_URL at the primary, or at the sentinels")
        self.fault = "a replica: Argus needs the primary"


class PrimaryKeeper:
    """Keeps this process's lease on the primary that the sentinels name and PostgreSQL has registered.

    Each round reads the registered lineage, which is all that the lease is about, and then looks whether the node is
    still the one. The order matters: a node that is seen *after* the row was read is newer than what stands there.
    """

    def __init__(self, redis: Redis, engine: Engine, lease: Lease, primaries: Primaries, *, now: Now) -> None:
        self._redis = redis
        self._engine = engine
        self._lease = lease
        self._primaries = primaries
        self._now = now
        self._is_settled = False
        self._registered: Primary | None = None
        self._waits: tuple[int, int] | None = None
        self._fenced: bytes | None = None
        self.changes = 0
        self.fault = "no primary is confirmed yet"

    async def start(self) -> None:
        """Looks for the first time, and registers the first node ever.

        Raises:
            UnavailableError: A store is away.
        """
        if not await self._round():
            await self._round()

    async def look(self) -> bool:
        """Confirms what is registered and follows the sentinels; False if there is more to be done soon.

        Raises:
            UnavailableError: A store is away.
        """
        try:
            self._is_settled = await self._round()
        except UnavailableError as error:
            self._is_settled = False
            self._tell(f"{error.component} is away")
            raise
        return self._is_settled

    async def _round(self) -> bool:
        asked_ms = Lease.now_ms()
        registered = await self._primaries.current()
        if registered is not None and registered.is_serving:
            self._lease.grant(registered.node.lineage, asked_ms)
        else:
            self._lease.revoke()
        self._note(registered)
        return await self._follow(registered)

    async def _follow(self, registered: Primary | None) -> bool:
        located = await self._redis.locate()
        is_agreed = located is not None and located.is_agreed
        # What only a few sentinels say is good enough to look for the registered node, where that is not found.
        if located is not None and (is_agreed or not self._is_settled):
            self._redis.move_to(located.address)
            self._engine.use_primary(self._redis.url.at(*located.address))
        try:
            node = await self._redis.node()
        except NotPrimaryError:
            await self._redis.forget_connections()
            self._tell("the node that the sentinels name is a replica")
            return False
        if registered is not None and registered.node == node:
            return await self._settle(registered)
        if not is_agreed:
            self._tell("the node is not registered, and too few sentinels name it")
        elif registered is None:
            await self._primaries.begin(node, now=self._now())
            log.info("redis.primary_registered", lineage=node.lineage.hex())
        else:
            await self._replace(registered.node, node)
        return False

    async def _settle(self, registered: Primary) -> bool:
        """The node is the registered one: it serves, or waits until nobody can be using the one before it."""
        if registered.is_serving:
            self._tell("")
            return True
        now_ms = Lease.now_ms()
        if self._waits is None or self._waits[0] != registered.term:
            self._waits = (registered.term, now_ms)
        self._tell("a new primary waits until the leases on the one before have run out")
        if now_ms - self._waits[1] >= Lease.TAKEOVER_MS:
            await self._primaries.serve(registered.term)
            log.info("redis.primary_serves", lineage=registered.node.lineage.hex())
        return False

    async def _replace(self, old: Node, new: Node) -> None:
        replaced = await self._primaries.replace(old, new, now=self._now())
        if replaced is Replaced.FENCED:
            self._tell("the node was replaced before and counts no more: restart it, or promote another")
            if self._fenced != new.lineage:
                log.error("redis.primary_fenced", lineage=new.lineage.hex())
            self._fenced = new.lineage
        elif replaced is Replaced.DONE:
            log.warning("redis.primary_registered", lineage=new.lineage.hex(), replaces=old.lineage.hex())

    def _note(self, registered: Primary | None) -> None:
        if registered is not None and self._registered is not None and registered.term != self._registered.term:
            self.changes += 1
            log.warning("redis.primary_changed", lineage=registered.node.lineage.hex())
        self._registered = registered

    def _tell(self, fault: str) -> None:
        if fault != self.fault:
            if fault:
                log.warning("redis.lease_at_risk", cause=fault)
            else:
                log.info("redis.lease_kept")
        self.fault = fault


@asynccontextmanager
async def open_primary(
    settings: Settings, clock: Clock, redis: Redis, engine: Engine, lease: Lease | None
) -> AsyncIterator[PrimaryWatch]:
    """Watches the primary for as long as the stores are open: commands of a minute need the lease as well."""
    if lease is None:
        async with watching(StandaloneWatch(redis)) as watch:
            yield watch
        return
    # Connections of its own: a lease must not run out because all others are busy.
    async with Database.open(settings.database_url.get_secret_value(), max_size=2, timeout=_PATIENCE) as db:
        primaries = Primaries(db, redis.url.service)
        keeper = PrimaryKeeper(redis, engine, lease, primaries, now=lambda: clocks.now(clock))
        async with watching(keeper) as watch:
            yield watch
