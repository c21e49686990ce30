"""Counts of failures in Redis, by a small function library of its own."""

from datetime import timedelta
from importlib import resources
from typing import Final

from argus.base.ids import sha256
from argus.storage.redis import Redis
from argus.threats.guessing.model import Budget

_SOURCE: Final = resources.files(__package__).joinpath("guessing.lua").read_text(encoding="utf-8")
# Carries the digest of the source, so that two releases can run side by side.
_LIBRARY: Final = f"argus_guessing_{sha256(_SOURCE).hex()[:12]}"


class GuessingStore:
    """Failures under opaque keys, each forgotten in time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        redis.register(_LIBRARY, f"#!lua name={_LIBRARY}\n{_SOURCE.replace('@NAME@', _LIBRARY)}")

    async def take(self, key: bytes, budget: Budget, *, now_ms: int) -> tuple[timedelta | None, int]:
        """Lets a try through and counts it as a failure, or says how long it has to wait.

        Returns:
            (None, consecutive failures with this one), or (time to wait, 0).
        """
        args = [now_ms, budget.free, _ms(budget.first_wait), _ms(budget.longest_wait)]
        answer = await self._redis.call(f"{_LIBRARY}_take", [key], [*args, _ms(budget.forgiveness), _ms(budget.memory)])
        if answer[0] == 1:
            return timedelta(milliseconds=int(answer[1])), 0
        return None, int(answer[1])

    async def give_back(self, key: bytes, budget: Budget) -> None:
        """Takes one counted failure back."""
        await self._redis.call(f"{_LIBRARY}_give_back", [key], [budget.free, _ms(budget.memory)])

    async def clear(self, key: bytes) -> None:
        """Forgets all failures under a key."""
        async with self._redis.guard():
            await self._redis.client.delete(key)


def _ms(span: timedelta | None) -> int:
    return round(span / timedelta(milliseconds=1)) if span else 0
