"""Watchers of revocations while stores are away: what they know grows old, and is never wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest

from argus.base.clock import now
from argus.base.settings import PolicySettings
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.support.breakable import POSTGRESQL, REDIS, Breakable, breakable_servers
from tests.support.people import Person, new_person, terminate
from tests.support.processes import frozen_postgresql
from tests.support.watchers import Watcher

if TYPE_CHECKING:
    from argus.server.api import Api

ACCESS = timedelta(minutes=5)


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    # A statement that hangs is given up soon.
    changes = {"policy": PolicySettings(access=ACCESS), "database_timeout": timedelta(seconds=1)}
    async with breakable_servers(tmp_path_factory.mktemp("revocations"), **changes) as made:
        yield made


@pytest.fixture
async def apis(breakable: Breakable) -> AsyncIterator[tuple[Api, Api]]:
    """A tenant, through either server."""
    async with breakable.new_tenant() as pair:
        for api in pair:
            await api.token()
        yield pair


@asynccontextmanager
async def watching(*apis: Api, come_back: bool = False) -> AsyncIterator[list[Watcher]]:
    """A watcher at each of the servers."""
    watchers = [Watcher(api, comes_back=come_back) for api in apis]
    for one in watchers:
        one.connect()
        await one.caught_up()
    try:
        yield watchers
    finally:
        for one in watchers:
            await one.disconnect()


async def begin(person: Person) -> types.Session:
    """A session of somebody."""
    return (await person.api.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name))).session


def sid(session: types.Session) -> str:
    """Its id."""
    return session.name.rpartition("/")[2]


async def test_an_end_while_redis_is_away_comes_all_the_same(breakable: Breakable, apis: tuple[Api, Api]) -> None:
    """PostgreSQL knows it: nobody need wait for Redis, though it is PENDING until that knows, too."""
    session = await begin(await new_person(apis[0]))
    async with watching(*apis) as watchers, breakable.without(REDIS):
        ended = await terminate(apis[0], session.name)
        assert ended.state == types.TERMINATION_STATE_PENDING
        for one in watchers:
            await one.has("session", sid(session))
    await breakable.carried_out()


async def test_an_end_stays_on_the_list_until_redis_knows_it(breakable: Breakable, apis: tuple[Api, Api]) -> None:
    """Until then somebody may be given tokens of the session, however long that takes."""
    argus, clock = breakable.first.server.argus, breakable.first.clock
    session = await begin(await new_person(apis[0]))
    async with watching(apis[0]) as (watcher,):
        async with breakable.without(REDIS):
            await terminate(apis[0], session.name)
            for _ in range(4):
                clock.advance(int(ACCESS.total_seconds() * 500))
                await argus.revocations.tidy()
            await watcher.until(now(clock))
            entry = watcher.entries["session", sid(session)]
            assert entry.expire_time.ToDatetime(UTC) >= now(clock) + ACCESS
        await breakable.first.server.argus.redis.load_functions()
        await breakable.carried_out()
        await watcher.caught_up()
        last = watcher.entries["session", sid(session)].expire_time.ToDatetime(UTC)
        await breakable.advance(2 * ACCESS)
        await argus.revocations.tidy()
        assert last < now(clock)
        left = await argus.db.fetch_one("SELECT count(*) AS n FROM revocations WHERE subject = %s", (sid(session),))
        assert left == {"n": 0}


async def test_nobody_is_told_more_than_a_frozen_postgresql_says(breakable: Breakable, apis: tuple[Api, Api]) -> None:
    """Heartbeats go on, their time stands still; what ended meanwhile comes when it is awake."""
    person = await new_person(apis[0])
    session = await begin(person)
    async with watching(*apis) as watchers:
        with frozen_postgresql(breakable.stores):
            frozen_at = now(breakable.first.clock)
            pending = await terminate(apis[0], session.name)
            assert pending.state == types.TERMINATION_STATE_PENDING
            for one in watchers:
                heard = one.messages
                async with asyncio.timeout(30):
                    while one.messages < heard + 3:  # noqa: ASYNC110 - the server says when
                        await asyncio.sleep(0.05)
                assert one.state_time is not None
                assert one.state_time <= frozen_at
                assert ("session", sid(session)) not in one.entries
        for one in watchers:
            await one.has("session", sid(session))
            await one.caught_up()
            assert one.failure is None
    await breakable.carried_out()


async def test_another_postgresql_means_the_whole_list_again(breakable: Breakable, apis: tuple[Api, Api]) -> None:
    """One that was started anew may come from a backup: what was read of the one before says nothing of it."""
    person = await new_person(apis[0])
    early, late = await begin(person), await begin(person)
    await terminate(apis[0], early.name)
    async with watching(*apis, come_back=True) as watchers:
        token = watchers[0].resume_token
        before = [one.snapshots for one in watchers]
        async with breakable.without(POSTGRESQL):
            pass
        await breakable.carried_out()
        await terminate(apis[1], late.name)
        for one, count in zip(watchers, before, strict=True):
            await one.has("session", sid(late))
            await one.caught_up()
            assert one.snapshots > count
        resumed = Watcher(apis[0], comes_back=True)
        resumed.connect(resume_token=token)
        await resumed.caught_up()
        assert resumed.snapshots
        assert {("session", sid(early)), ("session", sid(late))} <= set(resumed.entries)
        await resumed.disconnect()


async def test_a_token_of_one_server_is_good_at_the_other(breakable: Breakable, apis: tuple[Api, Api]) -> None:
    person = await new_person(apis[0])
    early, late = await begin(person), await begin(person)
    await terminate(apis[0], early.name)
    async with watching(apis[0]) as (watcher,):
        pass
    await terminate(apis[1], late.name)
    watcher.snapshots = 0
    watcher.entries.clear()
    watcher.connect(apis[1])
    await watcher.has("session", sid(late))
    await watcher.caught_up()
    assert not watcher.snapshots
    assert ("session", sid(early)) not in watcher.entries
    await watcher.disconnect()
