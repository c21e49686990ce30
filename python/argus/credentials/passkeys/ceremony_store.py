"""Ceremonies under way, in Redis for five minutes; each is taken out once."""

import json
from dataclasses import asdict
from datetime import datetime

from argus.credentials.passkeys.model import CEREMONY_LIFE, Ceremony
from argus.storage.redis import Redis


class CeremonyStore:
    """Ceremonies by tenant and id."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def put(self, tenant_id: str, ceremony_id: str, ceremony: Ceremony) -> None:
        """Keeps a ceremony, in the place of one of the same id."""
        async with self._redis.guard():
            await self._redis.client.set(_key(tenant_id, ceremony_id), json.dumps(asdict(ceremony)), ex=CEREMONY_LIFE)

    async def get(self, tenant_id: str, ceremony_id: str, *, now: datetime) -> Ceremony | None:
        """The ceremony, or None if there is none (any more)."""
        async with self._redis.guard():
            content = await self._redis.client.get(_key(tenant_id, ceremony_id))
        return _unpack(content, now)

    async def take(self, tenant_id: str, ceremony_id: str, *, now: datetime) -> Ceremony | None:
        """The ceremony, for the one caller that gets it: it is gone then."""
        async with self._redis.guard():
            content = await self._redis.client.getdel(_key(tenant_id, ceremony_id))
        return _unpack(content, now)


def _unpack(content: bytes | str | None, now: datetime) -> Ceremony | None:
    ceremony = Ceremony(**json.loads(content)) if content else None
    return ceremony if ceremony is not None and now.timestamp() < ceremony.expire_time else None


def _key(tenant_id: str, ceremony_id: str) -> str:
    return f"a1:w:{tenant_id}:{ceremony_id}"
