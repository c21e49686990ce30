"""Whether this process can serve."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Final

from argus._core import Clock
from argus.base.errors import UnavailableError
from argus.server.snapshot import SnapshotKeeper
from argus.storage.postgres import Database
from argus.storage.redis import Redis

_MAX_SKEW_MS: Final = 1000
_CHECK_SECONDS: Final = 2.0


class ReadinessCheck:
    """Asks both stores, the snapshot and the clock."""

    def __init__(self, *, db: Database, redis: Redis, snapshot: SnapshotKeeper, clock: Clock) -> None:
        self._db = db
        self._redis = redis
        self._snapshot = snapshot
        self._clock = clock
        self.is_stopping = False

    async def __call__(self) -> Mapping[str, str]:
        """What keeps this process from serving, by part; empty = nothing. Says nothing that an attacker could use."""
        faults: dict[str, str] = {}
        if self.is_stopping:
            faults["process"] = "stopping"
        if not self._snapshot.ready:
            faults["snapshot"] = "not loaded"
        skew_ms, has_database = await asyncio.gather(self._skew_ms(), _works(self._ask_database()))
        if not has_database:
            faults["postgresql"] = "not available"
        if skew_ms is None:
            faults["redis"] = "not available"
        elif skew_ms > _MAX_SKEW_MS:
            faults["clock"] = "more than 1 s off the clock of redis"
        return faults

    async def _ask_database(self) -> None:
        await self._db.fetch_one("SELECT 1 AS one", ())

    async def _skew_ms(self) -> int | None:
        try:
            async with asyncio.timeout(_CHECK_SECONDS), self._redis.guard():
                seconds, micros = await self._redis.client.time()
        except (UnavailableError, TimeoutError):
            return None
        # The offset is the tests' own; what must agree is the system's time.
        return abs(self._clock.now_ms() - self._clock.offset_ms - (seconds * 1000 + micros // 1000))


async def _works(asking: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await asking
    except (UnavailableError, TimeoutError):
        return False
    return True
