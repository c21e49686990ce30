"""Sessions in Redis: a hash each, and a set for each user."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

IDLE: Final = 3600
_TOUCH_AFTER: Final = 60
_ROTATE: Final = (Path(__file__).parent / "rotate.lua").read_text(encoding="utf-8")


class SessionEndedError(Exception):
    """There is no such session (any more)."""


class Sessions:
    """The sessions of all users."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._rotate = redis.register_script(_ROTATE)

    async def create(self, session_id: str, user: str, fields: Mapping[str, str | int], absolute: int) -> None:
        """Keeps a new session."""
        now = int(time.time())
        times = {"created": now, "last_seen": now, "idle_deadline": now + IDLE, "absolute_deadline": absolute}
        whole: dict[Any, Any] = {**fields, **times, "user": user, "family": 1, "generation": 1, "ended": 0}
        async with self._redis.pipeline(transaction=True) as batch:
            batch.hset(_key(session_id), mapping=whole)
            batch.expireat(_key(session_id), absolute)
            batch.sadd(f"user:{user}", session_id)
            await batch.execute()

    async def check(self, session_id: str) -> None:
        """Holds that a session lives, and notes its use.

        Raises:
            SessionEndedError: It does not.
        """
        asked: Any = self._redis.hmget(_key(session_id), ["ended", "idle_deadline", "absolute_deadline", "last_seen"])
        ended, idle, absolute, seen = await asked
        now = int(time.time())
        if ended != b"0" or now >= min(int(idle), int(absolute)):
            raise SessionEndedError
        if now - int(seen) > _TOUCH_AFTER:
            used: Any = self._redis.hset(_key(session_id), mapping={"last_seen": now, "idle_deadline": now + IDLE})
            await used

    async def rotate(self, session_id: str, generation: int) -> int:
        """Spends a generation; returns the next one.

        Raises:
            SessionEndedError: There is no such session any more, or this has ended it.
        """
        answer: Any = await self._rotate(keys=[_key(session_id)], args=[int(time.time()), generation, IDLE])
        if not isinstance(answer, int):
            raise SessionEndedError
        return answer

    async def end(self, session_id: str) -> None:
        """Ends a session."""
        ended: Any = self._redis.hset(_key(session_id), "ended", "1")
        await ended


def _key(session_id: str) -> str:
    return f"session:{session_id}"
