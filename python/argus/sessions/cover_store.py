"""The `not_before`s of tenants and clients, many at a time: what began up to then is over."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from argus import _core
from argus.sessions.live_store import Stamped
from argus.sessions.model import epoch_seconds
from argus.storage.postgres import Transaction
from argus.storage.redis import Redis
from argus.storage.redis_batch import Call, call_all

Subject = tuple[str, str]
"""A tenant and one of its clients, or "" for the tenant itself."""

_LINEAGE: Final = slice(1, 9)
_TENANTS: Final = """
    SELECT t.tenant_id, '' AS client_id, t.not_before FROM tenants t
     WHERE t.tenant_id = ANY(%s) ORDER BY t.tenant_id FOR SHARE"""
_CLIENTS: Final = """
    SELECT c.tenant_id, c.client_id, c.not_before
      FROM clients c JOIN unnest(%s::text[], %s::text[]) AS w (tenant_id, client_id)
        ON c.tenant_id = w.tenant_id AND c.client_id = w.client_id
     ORDER BY c.tenant_id, c.client_id FOR SHARE OF c"""
_ALL: Final = """
    SELECT tenant_id, '' AS client_id FROM tenants WHERE NOT disabled
     UNION ALL SELECT tenant_id, client_id FROM clients WHERE delete_time IS NULL
     ORDER BY client_id, tenant_id LIMIT %s"""


class CoverStore:
    """Reads them in PostgreSQL, reads and writes them in Redis."""

    def __init__(self, redis: Redis, keyspace: _core.Keyspace) -> None:
        self._redis = redis
        self._keyspace = keyspace

    async def read(self, subjects: Sequence[Subject]) -> dict[Subject, Stamped]:
        """What Redis has, and the lineage of the node that says so."""
        answers = await call_all(
            self._redis, [Call(function="stamped", keys=[self._name(subject)], reads=True) for subject in subjects]
        )
        return {
            subject: Stamped(lineage=lineage, value=value, is_current=value[_LINEAGE] == lineage)
            for subject, (_, _, lineage, value) in zip(subjects, answers, strict=True)
        }

    @staticmethod
    async def truth(tx: Transaction, subjects: Sequence[Subject]) -> dict[Subject, datetime | None]:
        """What PostgreSQL has, held until the transaction ends."""
        tenants = [tenant_id for tenant_id, client_id in subjects if not client_id]
        clients = [subject for subject in subjects if subject[1]]
        rows = await tx.fetch_all(_TENANTS, (tenants,)) if tenants else []
        if clients:
            columns = ([tenant_id for tenant_id, _ in clients], [client_id for _, client_id in clients])
            rows += await tx.fetch_all(_CLIENTS, columns)
        return {(row["tenant_id"], row["client_id"]): row["not_before"] for row in rows}

    async def write(self, values: Mapping[Subject, tuple[datetime | None, bytes]]) -> list[bool]:
        """Writes each unless the node is no longer that of its lineage; they only rise. Says which were written."""
        calls = [
            Call(
                function="set_not_before",
                keys=[self._name(subject)],
                args=[lineage, epoch_seconds(not_before) if not_before else 0],
            )
            for subject, (not_before, lineage) in values.items()
        ]
        return [answer[0] == 0 for answer in await call_all(self._redis, calls)]

    @staticmethod
    async def subjects(tx: Transaction, most: int) -> list[Subject]:
        """The tenants, then their clients, up to so many."""
        return [(row["tenant_id"], row["client_id"]) for row in await tx.fetch_all(_ALL, (most,))]

    def _name(self, subject: Subject) -> bytes:
        return self._keyspace.not_before_key(*subject)
