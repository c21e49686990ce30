"""What a restored PostgreSQL still knows of sessions, and what Redis must forget after it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from argus import _core
from argus.storage.postgres import Database
from argus.storage.redis import Redis

_SIZE: Final = 1000
_ANY_SLOT: Final = b"????"
_LIVING: Final = """
    SELECT t.tenant_id, t.not_before, count(s.session_id) AS living, max(s.create_time) AS newest
      FROM tenants t
      LEFT JOIN sessions s ON s.tenant_id = t.tenant_id AND s.state <> 'ended'
     WHERE %(tenant)s = '' OR t.tenant_id = %(tenant)s
     GROUP BY t.tenant_id, t.not_before ORDER BY t.tenant_id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantSessions:
    """What PostgreSQL knows of a tenant.

    Attributes:
        not_before: Its sessions up to then are over.
        living: Sessions that have not ended.
        newest: When the youngest of them began.
    """

    tenant_id: str
    not_before: datetime | None
    living: int
    newest: datetime | None


class RestoreStore:
    """Looks at PostgreSQL, and clears Redis."""

    def __init__(self, db: Database, redis: Redis, keyspace: _core.Keyspace) -> None:
        self._db = db
        self._redis = redis
        self._keyspace = keyspace

    async def survey(self, tenant_id: str) -> list[TenantSessions]:
        """Every tenant, or the one."""
        return [TenantSessions(**row) for row in await self._db.fetch_all(_LIVING, {"tenant": tenant_id})]

    async def forget(self, tenant_id: str) -> int:
        """Removes the tenant's users from Redis, and the sessions of their indexes; says how many keys it was.

        Whatever PostgreSQL knows of them is rebuilt at their next use, the rest is unknown from then on.
        """
        forgotten = 0
        async for indexes in self._keys("index", tenant_id):
            async with self._redis.guard():
                pipeline = self._redis.client.pipeline(transaction=False)
                for index in indexes:
                    pipeline.hkeys(index)
                members = await pipeline.execute()
                sessions = [
                    self._keyspace.session_key(member.decode())
                    for one in members
                    for member in one
                    # Places of sign-ins under way stay: they are no sessions yet.
                    if not member.startswith((b"!", b"~"))
                ]
                for first in range(0, len(sessions), _SIZE):
                    forgotten += await self._redis.client.unlink(*sessions[first : first + _SIZE])
        async for users in self._keys("user", tenant_id):
            async with self._redis.guard():
                forgotten += await self._redis.client.unlink(*users)
        return forgotten

    async def _keys(self, kind: Literal["index", "user"], tenant_id: str) -> AsyncIterator[list[bytes]]:
        """The tenant's keys of a kind, in portions."""
        name = self._keyspace.index_key if kind == "index" else self._keyspace.user_key
        slot, _, rest = name(tenant_id, "*").partition(b"}")
        pattern, cursor = slot[: -len(_ANY_SLOT)] + _ANY_SLOT + b"}" + rest, 0
        while True:
            async with self._redis.guard():
                cursor, found = await self._redis.client.scan(cursor, match=pattern, count=_SIZE)
            if found:
                yield [name if isinstance(name, bytes) else name.encode() for name in found]
            if cursor == 0:
                return
