"""Steps-up for one action, in Redis until the action is carried out or five minutes are over."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from argus.base.errors import ArgusError, Code
from argus.storage.redis import Redis
from argus.v1.errors_pb2 import ErrorReason

ACTION_LIFE: Final = timedelta(minutes=5)
"""How long the one action may wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionGrant:
    """That the user of a session has proved itself for one action.

    Attributes:
        action_sha256: SHA-256 (hex) of the action's text.
        resource: Resource that carries it out.
        auth_time: When, in seconds since 1970.
        expire_time: Seconds since 1970.
    """

    tenant_id: str
    user_id: str
    session_id: str
    client_id: str
    action_sha256: str
    resource: str
    acr: int
    amr: Sequence[str]
    auth_time: float
    expire_time: float


class ActionTokenInvalidError(ArgusError):
    """The action token is not good for this action; why is in the audit only."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            ErrorReason.ERROR_REASON_ACTION_TOKEN_INVALID,
            "the action token is not good for this action; let the user step up for it anew",
        )


class ActionStore:
    """Grants by tenant and digest of their token."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def add(self, token_sha256: str, grant: ActionGrant) -> None:
        """Keeps a new grant."""
        async with self._redis.guard():
            await self._redis.client.set(_key(grant.tenant_id, token_sha256), json.dumps(asdict(grant)), ex=ACTION_LIFE)

    async def get(self, tenant_id: str, token_sha256: str, *, now: datetime) -> ActionGrant | None:
        """The grant, or None if there is none (any more)."""
        async with self._redis.guard():
            content = await self._redis.client.get(_key(tenant_id, token_sha256))
        grant = ActionGrant(**json.loads(content)) if content else None
        return grant if grant is not None and now < datetime.fromtimestamp(grant.expire_time, UTC) else None

    async def spend(self, tenant_id: str, token_sha256: str) -> bool:
        """Forgets a grant; True for the one caller that does."""
        async with self._redis.guard():
            return bool(await self._redis.client.delete(_key(tenant_id, token_sha256)))


def _key(tenant_id: str, token_sha256: str) -> str:
    return f"a1:ac:{tenant_id}:{token_sha256}"
