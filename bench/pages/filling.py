"""A tenant with very many sessions, most of them put into PostgreSQL directly: by calls it would take an hour."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from argus.server.bench.hot import Hot
from argus.server.bench.private import PrivateArgus

_SESSIONS_OF_OTHERS: Final = 100
_A_STATEMENT: Final = 20_000
# A second apart, the newest first: number 0 is the newest.
_CHANGED: Final[dict[str, LiteralString]] = {
    "session_id": "left(encode(sha256(convert_to(%(user)s::text || n, 'UTF8')), 'hex'), 24)",
    "user_id": "%(user)s::text || CASE WHEN %(each)s::int = 0 THEN '' ELSE (n / greatest(%(each)s::int, 1))::text END",
    "create_time": "one.create_time - n * interval '1 second'",
    "display_name": "n::text",
}
_USERS: Final = """
    INSERT INTO users SELECT one.tenant_id, %(user)s::text || n, one.display_name, one.disabled, one.not_before,
           one.delete_time, one.create_time, one.revision
      FROM users one, generate_series(0, %(count)s::int - 1) n
     WHERE one.tenant_id = %(tenant)s AND one.user_id = %(like)s"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A user with so many sessions in a tenant with many more; number 0 is the newest one.

    Attributes:
        parent: Resource name of the user.
        sessions: Sessions of the user.
    """

    parent: str
    sessions: int


async def fill(argus: PrivateArgus, *, own: int, others: int, tick: Callable[[int], object]) -> Filled:
    """Gives one new user `own` sessions and others of the tenant `others` more.

    Args:
        argus: The tenant.
        own: Sessions of the user.
        others: Sessions of others.
        tick: Told how many sessions were made since it was told last.
    """
    (model,) = await Hot(argus).begin(1)
    parent, _, session_id = model.name.rpartition("/sessions/")
    _, tenant, _, user = parent.split("/")
    filler = _Filler(argus.urls.database, tenant=tenant, user=user, session_id=session_id, tick=tick)
    await asyncio.to_thread(filler.run, own, others)
    return Filled(parent=parent, sessions=own)


class _Filler:
    def __init__(
        self, database: str, *, tenant: str, user: str, session_id: str, tick: Callable[[int], object]
    ) -> None:
        self._database = database
        self._like = {"tenant": tenant, "like": user, "session": session_id}
        self._user = user
        self._tick = tick

    def run(self, own: int, others: int) -> None:
        with psycopg.connect(self._database, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = off")
            statement = _statement(connection)
            self._insert(connection, statement, own, user=self._user, each=0)
            stranger = f"{self._user}-"
            connection.execute(_USERS, self._like | {"user": stranger, "count": -(-others // _SESSIONS_OF_OTHERS)})
            self._insert(connection, statement, others, user=stranger, each=_SESSIONS_OF_OTHERS)
            # The model is no row of the list.
            gone = "DELETE FROM sessions WHERE tenant_id = %(tenant)s AND session_id = %(session)s"
            connection.execute(gone, self._like)
            # As autovacuum does it in time.
            connection.execute("VACUUM ANALYZE sessions, users")

    def _insert(self, connection: Any, statement: sql.Composed, count: int, *, user: str, each: int) -> None:
        for first in range(0, count, _A_STATEMENT):
            last = min(first + _A_STATEMENT, count) - 1
            connection.execute(statement, self._like | {"user": user, "each": each, "first": first, "last": last})
            self._tick(last - first + 1)


def _statement(connection: Any) -> sql.Composed:
    """Rows like the one that a sign-in has made, but for what tells them apart."""
    columns = [one.name for one in connection.execute("SELECT * FROM sessions LIMIT 0").description]
    values = [sql.SQL(_CHANGED[one]) if one in _CHANGED else sql.Identifier("one", one) for one in columns]
    rows = sql.SQL(
        "INSERT INTO sessions ({columns}) SELECT {values}"
        " FROM sessions one, generate_series(%(first)s::int, %(last)s::int) n"
        " WHERE one.tenant_id = %(tenant)s AND one.session_id = %(session)s"
    )
    names = map(sql.Identifier, columns)
    return rows.format(columns=sql.SQL(", ").join(names), values=sql.SQL(", ").join(values))
