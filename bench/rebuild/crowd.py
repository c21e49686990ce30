"""Many users with a session each, and the refresh tokens that their clients hold."""

import secrets

from argus.server.api import Api
from argus.server.app import Argus
from argus.sessions.store import from_row
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import user_service_pb2 as users

_USER = users.User(identifiers=[users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value="first@example.com")])


async def make_crowd(argus: Argus, api: Api, count: int) -> list[str]:
    """One user with a session is made by the RPCs and copied in PostgreSQL; answers the refresh tokens.

    Redis does not learn of the copies: it is as if it had lost them.
    """
    user = (await api.users.CreateUser(users.CreateUserRequest(parent=api.parent, user=_USER))).user
    begun = await api.sessions.CreateSession(sessions.CreateSessionRequest(parent=user.name))
    user_id, session_id = user.name.rpartition("/")[2], begun.session.name.rpartition("/")[2]
    user_ids = [secrets.token_urlsafe(16) for _ in range(count)]
    session_ids = [argus.keyspace.new_session_id(api.tenant_id, one) for one in user_ids]
    await _copy(argus, "users", {"user_id": user_id}, {"user_id": user_ids})
    await _copy(argus, "sessions", {"session_id": session_id}, {"user_id": user_ids, "session_id": session_ids})
    rows = await argus.db.fetch_all(
        "SELECT * FROM sessions WHERE tenant_id = %s AND session_id = ANY(%s)", (api.tenant_id, session_ids)
    )
    tokens = [await argus.create_session.issue(one, generation=one.generation_bound) for one in map(from_row, rows)]
    return [one.refresh_token for one in tokens]


async def _copy(argus: Argus, table: str, original: dict[str, str], changed: dict[str, list[str]]) -> None:
    async with argus.db.transaction() as tx:
        columns = await tx.fetch_all(
            """SELECT column_name AS name FROM information_schema.columns
                WHERE table_name = %s AND is_generated = 'NEVER' AND is_identity = 'NO'""",
            (table,),
        )
        names = [row["name"] for row in columns]
        values = ", ".join(f"n.{name}" if name in changed else f"o.{name}" for name in names)
        arrays = ", ".join("%s::text[]" for _ in changed)
        where = " AND ".join(f"o.{name} = %s" for name in original)
        await tx.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} o,"
            f" unnest({arrays}) AS n ({', '.join(changed)}) WHERE {where}",
            (*changed.values(), *original.values()),
        )
