"""A rebuild has read, something happens, the rebuild writes: whatever it was, it is not undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from argus.flows.rebuild import Rebuild
from argus.sessions.cover_store import CoverStore
from argus.sessions.rebuild_store import KnownSessions, LiveRecords
from argus.storage.redis import Redis
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.gate import Gate
from tests.support.own_stores import PATIENCE_SECONDS, lose_everything
from tests.support.people import reason_of, refresh, terminate, verify

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores
    from tests.support.people import Person


@pytest.fixture
async def gate(breakable: EmbeddedStores) -> AsyncIterator[Gate]:
    """Stands between a second process and Redis."""
    async with Gate(breakable.urls.redis) as made:
        yield made


@pytest.fixture
async def second(private: PrivateStack, gate: Gate) -> AsyncIterator[Rebuild]:
    """What another process over the same stores rebuilds with."""
    argus = private.server.argus
    redis = Redis(gate.url, clock=private.clock, timeout=timedelta(seconds=PATIENCE_SECONDS))
    records = LiveRecords(redis, argus.keyspace, now=argus.sessions._now)
    yield Rebuild(argus.db, KnownSessions(), records, CoverStore(redis, argus.keyspace), argus.effects)
    await redis.close()


class Held:
    """A rebuild between its reading and its writing."""

    def __init__(self, gate: Gate, rebuilding: asyncio.Task[None]) -> None:
        self._gate = gate
        self._rebuilding = rebuilding

    async def write(self) -> None:
        """Goes on."""
        self._gate.release()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._rebuilding


@asynccontextmanager
async def held(gate: Gate, pattern: bytes, rebuilding: Any) -> AsyncIterator[Held]:
    """Begins to rebuild, up to the call with `pattern` in its name."""
    gate.hold(pattern)
    task = asyncio.create_task(rebuilding)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await gate.held.wait()
    try:
        yield Held(gate, task)
    finally:
        gate.release()
        await asyncio.gather(task, return_exceptions=True)


async def settled(stores: EmbeddedStores, change: asyncio.Future[Any]) -> None:
    """Waits until the change has been told, or waits for somebody who holds its row."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        await psycopg.AsyncConnection.connect(stores.urls.database, autocommit=True) as connection,
    ):
        while not change.done():
            waiting = await (await connection.execute(sql)).fetchone()
            if waiting and waiting[0]:
                return
            await asyncio.sleep(0.01)


def key(person: Person, name: str) -> tuple[str, str, str]:
    """Tenant, user and session."""
    return person.api.tenant_id, person.user_id, name.rpartition("/")[2]


async def test_a_rebuild_reads_active_the_session_ends_the_rebuild_writes_active(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person, second: Rebuild, gate: Gate
) -> None:
    """Redis loses even the tombstone in between, which FLUSHALL does without a new lineage."""
    done = await person.sign_in()
    await lose_everything(private)
    async with held(gate, b"_rebuild", second.session(*key(person, done.session.name))) as rebuild:
        ending = asyncio.create_task(terminate(api, done.session.name))
        await settled(breakable, ending)
        await lose_everything(private)
        await rebuild.write()
        ended = await ending
    assert ended.state == types.TERMINATION_STATE_ENDED
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"
    await lose_everything(private)
    assert await reason_of(refresh(api, done.tokens.refresh_token)) == "SESSION_ENDED"


async def test_a_rebuild_has_asked_redis_the_session_ends_the_rebuild_reads(
    private: PrivateStack, api: Api, person: Person, second: Rebuild, gate: Gate
) -> None:
    """The end comes between the question for the lineage and the reading of PostgreSQL, or before both."""
    done = await person.sign_in()
    await lose_everything(private)
    async with held(gate, b"_stamped", second.session(*key(person, done.session.name))) as rebuild:
        assert (await terminate(api, done.session.name)).state == types.TERMINATION_STATE_ENDED
        await rebuild.write()
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"


async def test_the_session_ends_after_the_rebuild(
    private: PrivateStack, api: Api, person: Person, second: Rebuild
) -> None:
    done = await person.sign_in()
    await lose_everything(private)
    await second.session(*key(person, done.session.name))
    assert (await terminate(api, done.session.name)).state == types.TERMINATION_STATE_ENDED
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"


async def test_a_rebuild_reads_the_user_enabled_the_user_is_disabled_the_rebuild_writes(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person, second: Rebuild, gate: Gate
) -> None:
    done = await person.sign_in()
    await lose_everything(private)
    async with held(gate, b"_rebuild_user", second.user(api.tenant_id, person.user_id)) as rebuild:
        disabling = asyncio.ensure_future(api.users.DisableUser(users.DisableUserRequest(name=person.name)))
        await settled(breakable, disabling)
        await lose_everything(private)
        await rebuild.write()
        disabled = await disabling
    assert disabled.sessions_state == types.TERMINATION_STATE_ENDED
    argus = private.server.argus
    record = await argus.redis.client.get(argus.keyspace.user_key(api.tenant_id, person.user_id))
    assert record is None or record[1] == 1
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"


async def test_a_rebuild_reads_no_not_before_the_tenant_ends_all_the_rebuild_writes(
    private: PrivateStack, breakable: EmbeddedStores, second: Rebuild, gate: Gate
) -> None:
    from tests.support.people import new_person

    async with private.fresh_tenant() as own:
        person = await new_person(own)
        done = await person.sign_in()
        await lose_everything(private)
        async with held(gate, b"_set_not_before", second.not_before(own.tenant_id, "backend")) as rebuild:
            end = tenants.TerminateTenantSessionsRequest(name=own.parent)
            ending = asyncio.ensure_future(own.tenants.TerminateTenantSessions(end))
            await settled(breakable, ending)
            await lose_everything(private)
            await rebuild.write()
            assert (await ending).sessions_state == types.TERMINATION_STATE_ENDED
        await private.server.argus.snapshot.refresh()
        own._renew_at = None
        assert await reason_of(verify(own, done.tokens.access_token)) == "SESSION_ENDED"


async def test_a_replay_is_judged_redis_forgets_a_rebuild_reads_active_then_postgresql_learns(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    """The mark is put on the record that was rebuilt without it."""
    done = await person.sign_in()
    chain = [done.tokens.refresh_token]
    for _ in range(2):
        chain.append((await refresh(api, chain[-1])).tokens.refresh_token)
        await private.advance(timedelta(minutes=2))
    async with await psycopg.AsyncConnection.connect(breakable.urls.database) as reader:
        # Whoever reads may do so, and the mark has to wait.
        await reader.execute(
            "SELECT 1 FROM sessions WHERE session_id = %s FOR SHARE", (key(person, done.session.name)[2],)
        )
        replaying = asyncio.create_task(reason_of(refresh(api, chain[0])))
        await settled(breakable, replaying)
        assert not replaying.done()
        await lose_everything(private)
        await private.server.argus.rebuild.session(*key(person, done.session.name))
        await reader.rollback()
    assert await replaying == "STEP_UP_REQUIRED"
    assert await reason_of(refresh(api, chain[-1])) == "STEP_UP_REQUIRED"
    read = await api.sessions.GetSession(sessions.GetSessionRequest(name=done.session.name))
    assert read.session.state == types.SESSION_STATE_CONTESTED
