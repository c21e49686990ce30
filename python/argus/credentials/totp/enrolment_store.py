"""Enrolments in Redis for ten minutes, their secrets encrypted."""

import base64
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from argus.credentials.totp.model import ENROLMENT_LIFE
from argus.storage.redis import Redis


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEnrolment:
    """An enrolment as it is kept.

    Attributes:
        ciphertext: Of the secret, in base64.
        expire_time: Seconds since 1970.
    """

    tenant_id: str
    enrolment_id: str
    user_id: str
    display_name: str
    ciphertext: str = field(repr=False)
    kek_id: str
    expire_time: float

    @property
    def sealed(self) -> bytes:
        """The ciphertext itself."""
        return base64.b64decode(self.ciphertext)


class EnrolmentStore:
    """Enrolments by tenant and id."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, enrolment: SealedEnrolment) -> None:
        """Keeps a new one."""
        key = _key(enrolment.tenant_id, enrolment.enrolment_id)
        async with self._redis.guard():
            await self._redis.client.set(key, json.dumps(asdict(enrolment)), ex=ENROLMENT_LIFE)

    async def get(self, tenant_id: str, enrolment_id: str, *, now: datetime) -> SealedEnrolment | None:
        """The enrolment, or None if there is none (any more)."""
        async with self._redis.guard():
            content = await self._redis.client.get(_key(tenant_id, enrolment_id))
        found = SealedEnrolment(**json.loads(content)) if content else None
        return found if found is not None and now < datetime.fromtimestamp(found.expire_time, UTC) else None

    async def remove(self, tenant_id: str, enrolment_id: str) -> None:
        """Forgets one."""
        async with self._redis.guard():
            await self._redis.client.delete(_key(tenant_id, enrolment_id))


def _key(tenant_id: str, enrolment_id: str) -> str:
    return f"a1:te:{tenant_id}:{enrolment_id}"
