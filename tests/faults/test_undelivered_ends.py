"""Ends whose tombstones did not come to Redis at once: nobody says ENDED before they have."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from argus.base.errors import UnavailableError
from argus.base.settings import PolicySettings
from argus.flows.delivery import NotYetError
from argus.policies.model import Scope
from argus.server.api import Api, failure_of
from argus.sessions.live_store import LiveSessions
from argus.sessions.outbox_store import OutboxStore, _delivery
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import types_pb2 as types
from tests.support.breakable import REDIS, Breakable, breakable_servers
from tests.support.features import origin
from tests.support.people import new_person, refresh, terminate, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

ENDED, PENDING = types.TERMINATION_STATE_ENDED, types.TERMINATION_STATE_PENDING
Created = sessions.CreateSessionResponse


@pytest.fixture(scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    """Two servers; access tokens outlive every test."""
    folder = tmp_path_factory.mktemp("undelivered")
    async with breakable_servers(folder, policy=PolicySettings(access=timedelta(minutes=30))) as made:
        yield made


@pytest.fixture
def idle_workers(servers: Breakable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only requests bring anything to Redis."""

    async def nothing() -> int:
        return 0

    for server in servers.servers:
        monkeypatch.setattr(server.server.argus.outbox, "run_due", nothing)


async def _away(*_args: Any, **_fields: Any) -> None:
    raise UnavailableError("redis")


async def _why(call: Awaitable[Any]) -> str:
    failure = await failure_of(call)
    return failure.reason if failure else "OK"


async def _session(api: Api, user: str) -> Created:
    created: Created = await api.sessions.CreateSession(sessions.CreateSessionRequest(parent=user))
    return created


async def _is_over(api: Api, session: Created) -> bool:
    answers = [
        await _why(verify(api, session.tokens.access_token)),
        await _why(refresh(api, session.tokens.refresh_token)),
    ]
    return answers == ["SESSION_ENDED", "SESSION_ENDED"]


async def _victim(servers: Breakable, api: Api, made: list[Created]) -> Created:
    """The one session that a limit has ended."""
    sql = "SELECT session_id FROM sessions WHERE tenant_id = %s AND end_reason = 'LIMIT'"
    rows = await servers.first.server.argus.db.fetch_all(sql, (api.tenant_id,))
    return next(one for one in made if one.session.name.rpartition("/")[2] == rows[0]["session_id"])


@pytest.mark.usefixtures("idle_workers")
async def test_ending_the_others_twice_without_redis(servers: Breakable) -> None:
    """The rows have ended by then; Redis has still heard of nothing."""
    async with servers.new_tenant() as (api, _):
        person = await new_person(api)
        mine, other = await _session(api, person.name), await _session(api, person.name)
        request = sessions.TerminateSessionsRequest(parent=person.name, keep_session=mine.session.name)
        async with servers.without(REDIS):
            for _ in range(2):
                assert (await api.sessions.TerminateSessions(request)).state == PENDING
        assert (await api.sessions.TerminateSessions(request)).state == ENDED
        assert await _is_over(api, other)
        assert await _why(verify(api, mine.tokens.access_token)) == "OK"


@pytest.mark.usefixtures("idle_workers")
async def test_the_victim_of_a_sign_in_that_came_no_further_than_postgresql(
    servers: Breakable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is on its way under the newcomer's name; who ends it is not told ENDED before it is over."""
    async with servers.new_tenant() as (api, _):
        person = await new_person(api)
        made = [await _session(api, person.name) for _ in range(10)]
        with monkeypatch.context() as patched:
            patched.setattr(LiveSessions, "create", _away)
            assert await _why(_session(api, person.name)) == "UNAVAILABLE"
        victim = await _victim(servers, api, made)
        with monkeypatch.context() as patched:
            patched.setattr(LiveSessions, "end", _away)
            assert (await terminate(api, victim.session.name)).state == PENDING
        assert (await terminate(api, victim.session.name)).state == ENDED
        assert await _is_over(api, victim)


async def test_the_victim_of_a_session_that_was_ended_before_redis_knew_it(
    servers: Breakable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a tombstone where the newcomer's record should be; the victim has ended all the same."""
    real = LiveSessions.create

    async def late(self: LiveSessions, session: Any, *rest: Any) -> Any:
        await terminate(api, session.name)
        return await real(self, session, *rest)

    async with servers.new_tenant() as (api, _):
        person = await new_person(api)
        made = [await _session(api, person.name) for _ in range(10)]
        with monkeypatch.context() as patched:
            patched.setattr(LiveSessions, "create", late)
            await _why(_session(api, person.name))
        assert await _is_over(api, await _victim(servers, api, made))


@pytest.mark.usefixtures("idle_workers")
async def test_who_displaces_one_that_redis_never_knew_brings_its_victims_along(
    servers: Breakable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a loss a rebuild shows what has come no further than PostgreSQL, and somebody else takes its place."""
    async with servers.new_tenant() as (api, _):
        person, argus = await new_person(api), servers.first.server.argus
        scope = Scope(kind="tenant", id=api.tenant_id)
        await argus.policies.set_document(api.tenant_id, scope, {"on_limit": "ask_user"}, origin=origin(api.tenant_id))
        for server in servers.servers:
            await server.server.argus.snapshot.refresh()
        made = [await _session(api, person.name) for _ in range(10)]

        def instead_of(name: str) -> Awaitable[Created]:
            return api.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name, end_sessions=[name]))

        with monkeypatch.context() as patched:
            patched.setattr(LiveSessions, "create", _away)
            assert await _why(instead_of(made[0].session.name)) == "UNAVAILABLE"
        assert not await _is_over(api, made[0]), "nobody else has its place yet"
        keys = argus.keyspace
        await argus.redis.client.delete(
            keys.user_key(api.tenant_id, person.user_id), keys.index_key(api.tenant_id, person.user_id)
        )
        (unknown,) = {one.name for one in await person.list()} - {one.session.name for one in made}
        await instead_of(unknown)
        assert await _is_over(api, made[0])


async def test_a_session_in_use_outlives_an_emptied_redis_and_the_row_of_its_beginning(
    servers: Breakable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL went away before the row could be removed; FLUSHALL leaves the lineage as it is."""
    async with servers.new_tenant() as (api, _):
        person = await new_person(api)
        with monkeypatch.context() as patched:
            patched.setattr(OutboxStore, "done", _away)
            session = await _session(api, person.name)
        await servers.flush()
        await servers.first.server.argus.redis.load_functions()
        await servers.advance(timedelta(minutes=2))
        for server in servers.servers:
            await server.server.argus.outbox.run_due()
        assert await _why(refresh(api, session.tokens.refresh_token)) == "OK"


async def test_an_earlier_wide_end_does_not_stand_for_a_later_one(servers: Breakable) -> None:
    """Redis is emptied, and the row of the earlier end comes by first."""
    argus = servers.first.server.argus
    async with servers.new_tenant(is_system=True) as (admin, _), servers.new_tenant() as (api, _):
        end = tenants.TerminateTenantSessionsRequest(name=api.parent)
        await admin.tenants.TerminateTenantSessions(end)
        await servers.advance(timedelta(seconds=10))
        second = await admin.tenants.TerminateTenantSessions(end)
        await servers.flush()
        await argus.redis.load_functions()
        sql = "SELECT * FROM outbox WHERE tenant_id = %s AND kind = 'not_before' ORDER BY outbox_id"
        rows = await argus.db.fetch_all(sql, (api.tenant_id,))
        with pytest.raises(NotYetError):
            await argus.terminate._deliveries.carry_out(_delivery(rows[0]))
        found = await argus.terminate._deliveries._live.not_before(api.tenant_id)
        assert int.from_bytes(found.value[-4:], "big") == second.not_before_time.seconds
