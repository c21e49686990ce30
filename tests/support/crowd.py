"""More sessions than anybody would sign in for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argus.server.app import Argus
    from tests.support.people import Person


async def copy_session(argus: Argus, person: Person, count: int) -> None:
    """Copies the only session of a user so often, in both stores, each copy with an id of its own."""
    ids = [argus.keyspace.new_session_id(person.api.tenant_id, person.user_id) for _ in range(count)]
    async with argus.db.transaction() as tx:
        columns = await tx.fetch_all(
            """SELECT column_name FROM information_schema.columns
                WHERE table_name = 'sessions' AND column_name <> 'session_id'"""
        )
        names = ", ".join(row["column_name"] for row in columns)
        await tx.execute(
            f"""INSERT INTO sessions (session_id, {names})
                SELECT n.id, {", ".join("s." + row["column_name"] for row in columns)}
                  FROM sessions s, unnest(%s::text[]) AS n (id) WHERE s.tenant_id = %s AND s.user_id = %s""",
            (ids, person.api.tenant_id, person.user_id),
        )
        original = await tx.fetch_one(
            "SELECT session_id FROM sessions WHERE tenant_id = %s AND user_id = %s AND NOT session_id = ANY(%s)",
            (person.api.tenant_id, person.user_id, ids),
        )
    assert original is not None
    redis = argus.redis.client
    record = await redis.get(argus.keyspace.session_key(original["session_id"]))
    assert record
    pipeline = redis.pipeline(transaction=False)
    for session_id in ids:
        pipeline.set(argus.keyspace.session_key(session_id), record)
    await pipeline.execute()
