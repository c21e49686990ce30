"""Whether this process can serve."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final

from argus._core import Clock, Engine, Lease
from argus.base.errors import UnavailableError
from argus.server.primary import PrimaryWatch
from argus.server.snapshot import SnapshotKeeper
from argus.storage.postgres import Database
from argus.storage.redis import Redis

_MAX_SKEW_MS: Final = 1000
_CHECK_SECONDS: Final = 2.0
_NO_LEASE: Final = "no_lease"


class ReadinessCheck:
    """Asks both stores, the engine's own connection to Redis, the lease, the snapshot and the clock."""

    def __init__(
        self,
        *,
        db: Database,
        redis: Redis,
        engine: Engine,
        primary: PrimaryWatch,
        lease: Lease | None,
        snapshot: SnapshotKeeper,
        clock: Clock,
    ) -> None:
        self._db = db
        self._redis = redis
        self._engine = engine
        self._primary = primary
        self._lease = lease
        self._snapshot = snapshot
        self._clock = clock
        self.is_stopping = False

    async def __call__(self) -> Mapping[str, str]:
        """What keeps this process from serving, by part; empty = nothing. Says nothing that an attacker could use."""
        faults: dict[str, str] = {}
        if self.is_stopping:
            faults["process"] = "stopping"
        if self._snapshot.fault:
            faults["snapshot"] = self._snapshot.fault
        if self._lease is not None and not self._lease.is_held():
            faults["lease"] = self._primary.fault or "ran out"
        redis, engine, has_database = await asyncio.gather(
            self._fault_of_redis(), self._fault_of_engine(), _works(self._ask_database())
        )
        faults |= redis | engine
        if not has_database:
            faults["postgresql"] = "not available"
        return faults

    async def _ask_database(self) -> None:
        await self._db.fetch_one("SELECT 1 AS one", ())

    async def _fault_of_redis(self) -> dict[str, str]:
        skew_ms = await self._skew_ms()
        if skew_ms is None:
            return {"redis": self._primary.fault or "not available"}
        if skew_ms > _MAX_SKEW_MS:
            return {"clock": "more than 1 s off the clock of redis"}
        return {}

    async def _fault_of_engine(self) -> dict[str, str]:
        """Over the connection that hot calls use; what it can't do without a lease is said elsewhere."""
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                fault = await asyncio.to_thread(self._engine.ping)
        except TimeoutError:
            fault = "timeout"
        return {"engine": f"can't use redis ({fault})"} if fault not in (None, _NO_LEASE) else {}

    async def _skew_ms(self) -> int | None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                now_ms = await self._redis.now_ms()
        except (UnavailableError, TimeoutError):
            return None
        # The offset is the tests' own; what must agree is the system's time.
        return abs(self._clock.now_ms() - self._clock.offset_ms - now_ms)


async def _works(asking: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await asking
    except (UnavailableError, TimeoutError):
        return False
    return True
