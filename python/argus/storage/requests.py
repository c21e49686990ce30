"""Idempotency keys in PostgreSQL: what a `request_id` has led to, kept for ten minutes."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, Protocol, TypeAlias

from argus.base.errors import ArgusError, RequestAlreadyDoneError, RequestIdReusedError
from argus.base.origin import Origin
from argus.storage.columns import columns

REQUEST_ID_LIFE: Final = timedelta(minutes=10)
"""How long the `request_id` of a change is remembered."""

Claim: TypeAlias = tuple[Origin, str, datetime]
"""On whose behalf, the name of what is made or changed, and when."""

Key: TypeAlias = tuple[str, str, str, str]
"""Tenant, caller, method, `request_id`."""

# A row whose time is over counts as none. A racing twin waits here until the first one has committed or given up; all
# come in one order, so that two batches never wait for each other.
_CLAIM: Final = """
    INSERT INTO requests (tenant_id, caller, method, request_id, request_sha256, resource_name, expire_time)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[], %s::text[], %s::timestamptz[])
     ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant_id, caller, method, request_id) DO UPDATE
       SET request_sha256 = excluded.request_sha256, resource_name = excluded.resource_name,
           expire_time = excluded.expire_time
     WHERE requests.expire_time <= excluded.expire_time - %s
    RETURNING tenant_id, caller, method, request_id"""
_FIND: Final = """
    SELECT tenant_id, caller, method, request_id, request_sha256, resource_name, expire_time FROM requests
      JOIN unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS w (tenant_id, caller, method, request_id)
           USING (tenant_id, caller, method, request_id)"""


_FORGET: Final = """
    DELETE FROM requests
     WHERE tenant_id = %s AND caller = %s AND method = %s AND request_id = %s AND resource_name = %s"""


class Reader(Protocol):
    """A transaction or a whole database."""

    async def fetch_all(self, sql: LiteralString, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """All rows."""


def key_of(origin: Origin) -> Key:
    """What the idempotency key of an origin is kept under."""
    return (origin.tenant_id, origin.actor, origin.method, origin.idempotency_key)


class Forgetful(Protocol):
    """A whole database."""

    async def execute_relaxed(self, sql: LiteralString, params: Sequence[Any] = ()) -> None:
        """Runs a statement whose loss in a crash would do no harm."""


async def forget(db: Forgetful, origin: Origin, resource_name: str) -> None:
    """Lets a request be carried out again: what it had made was removed, and nobody ever had it."""
    await db.execute_relaxed(_FORGET, (*key_of(origin), resource_name))


async def claim_all(tx: Reader, claims: Sequence[Claim]) -> list[ArgusError | None]:
    """Remembers idempotency keys for ten minutes; says of each whether it stands for something else already.

    Args:
        tx: Transaction that makes what they lead to.
        claims: Each with an idempotency key, and none twice.
    """
    rows = [(*key_of(origin), origin.request_sha256, name, now + REQUEST_ID_LIFE) for origin, name, now in claims]
    claimed = {_key(row) for row in await tx.fetch_all(_CLAIM, (*columns(rows), REQUEST_ID_LIFE))}
    taken = [origin for origin, _, _ in claims if key_of(origin) not in claimed]
    found = await find_all(tx, [key_of(origin) for origin in taken]) if taken else {}
    return [None if key_of(origin) in claimed else _error(origin, found.get(key_of(origin))) for origin, _, _ in claims]


async def find_all(reader: Reader, keys: Sequence[Key]) -> dict[Key, Mapping[str, Any]]:
    """The rows of those keys that there are, even if their time is over."""
    return {_key(row): row for row in await reader.fetch_all(_FIND, columns(keys))}


def _key(row: Mapping[str, Any]) -> Key:
    return (row["tenant_id"], row["caller"], row["method"], row["request_id"])


def _error(origin: Origin, row: Mapping[str, Any] | None) -> ArgusError:
    if row is None or bytes(row["request_sha256"]) != origin.request_sha256:
        return RequestIdReusedError()
    return RequestAlreadyDoneError(row["resource_name"])
