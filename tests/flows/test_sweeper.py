"""Sessions past their deadline are ended in time, each once, however many processes sweep; none that is in use is."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.base.clock import Clock, now
from tests.support.crowd import copy_session
from tests.support.people import Person, new_person, reason_of, refresh, terminate, verify

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.server.app import Argus
    from tests.support.stack import Stack

MANY = 10_000
FORGOTTEN = 1000
PROCESSES = 3
IN_TIME = timedelta(seconds=60)
IDLE = timedelta(hours=8)


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture(scope="module")
async def sweepers(stack: Stack) -> AsyncIterator[list[Argus]]:
    """Whole Arguses with connections of their own, as so many processes have; nothing runs but what a test calls."""
    from argus.server.app import open_argus

    async with AsyncExitStack() as opened:
        yield [
            await opened.enter_async_context(
                open_argus(stack.argus.settings, clock=Clock(offset_ms=stack.private.clock.offset_ms))
            )
            for _ in range(PROCESSES)
        ]


async def _at_the_same_time(stack: Stack, sweepers: list[Argus]) -> None:
    for one in sweepers:
        one.clock.advance(stack.private.clock.offset_ms - one.clock.offset_ms)


async def _sweep(stack: Stack, sweepers: list[Argus]) -> int:
    await _at_the_same_time(stack, sweepers)
    return sum(await asyncio.gather(*(one.sweeper.sweep() for one in sweepers)))


async def _ends(stack: Stack, api: Api) -> list[tuple[str, str]]:
    rows = await stack.argus.db.fetch_all(
        "SELECT session_id, reason FROM audit_events WHERE tenant_id = %s AND type = 'session.ended'",
        (api.tenant_id,),
    )
    return [(row["session_id"], row["reason"]) for row in rows]


async def _unended(stack: Stack, person: Person) -> int:
    row = await stack.argus.db.fetch_one(
        "SELECT count(*) AS n FROM sessions WHERE tenant_id = %s AND user_id = %s AND state <> 'ended'",
        (person.api.tenant_id, person.user_id),
    )
    assert row is not None
    return int(row["n"])


async def test_ten_thousand_overdue_sessions_are_each_ended_once(stack: Stack, sweepers: list[Argus]) -> None:
    api = await stack.new_tenant()
    person = await new_person(api)
    deadline = (await person.sign_in()).session.idle_expire_time.ToDatetime()
    await copy_session(stack.argus, person, MANY - 1)
    await stack.advance(IDLE + timedelta(seconds=1))
    begun = time.monotonic()
    # The server's own sweeper may be at it too.
    while await _unended(stack, person):
        await _sweep(stack, sweepers)
    took = timedelta(seconds=time.monotonic() - begun)
    ends = Counter(session_id for session_id, _ in await _ends(stack, api))
    assert len(ends) == MANY
    assert set(ends.values()) == {1}
    rows = await stack.argus.db.fetch_all(
        "SELECT DISTINCT end_reason, end_time FROM sessions WHERE tenant_id = %s AND user_id = %s",
        (api.tenant_id, person.user_id),
    )
    assert [(row["end_reason"], row["end_time"].replace(tzinfo=None, microsecond=0)) for row in rows] == [
        ("IDLE_TIMEOUT", deadline.replace(microsecond=0))
    ]
    # From the sweep that finds them; a sweep comes every ten seconds.
    assert took + stack.argus.settings.sweep_interval < IN_TIME


async def test_a_user_whose_sessions_redis_forgot_does_not_overflow_its_own_places(
    stack: Stack, api: Api, sweepers: list[Argus]
) -> None:
    """A process rebuilds few sessions of one user at a time: sweeps that meet must leave places for the user."""
    person = await new_person(api)
    await person.sign_in()
    await copy_session(stack.argus, person, FORGOTTEN - 1)
    await stack.argus.redis.client.flushall()
    await stack.advance(IDLE + timedelta(hours=1))
    await _at_the_same_time(stack, sweepers)
    one = sweepers[0].sweeper

    async def sweep_all() -> None:
        while await _unended(stack, person):
            await one.sweep()

    # A sweep leaves the rows that another one holds; what meets is the work on sessions that both found before.
    await asyncio.gather(*(sweep_all() for _ in range(4)))
    assert await _unended(stack, person) == 0


async def test_the_absolute_deadline_has_its_own_reason(stack: Stack, api: Api, sweepers: list[Argus]) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    token = done.tokens.refresh_token
    for _ in range(4):
        await stack.advance(timedelta(hours=5, minutes=50))
        token = (await refresh(api, token)).tokens.refresh_token
    await stack.argus.effects.flush()
    await stack.advance(timedelta(minutes=45))
    await _sweep_until_ended(stack, person, sweepers)
    (session,) = await person.list(with_ended=True)
    assert session.end_time.seconds == done.session.absolute_expire_time.seconds
    assert ("ABSOLUTE_TIMEOUT") in [
        reason for session_id, reason in await _ends(stack, api) if done.session.name.endswith(session_id)
    ]


async def test_a_session_in_use_is_left_alone_even_if_the_news_were_lost(
    stack: Stack, api: Api, sweepers: list[Argus]
) -> None:
    """PostgreSQL believes it idle: a process died with the activity that it had not written yet."""
    person = await new_person(api)
    done = await person.sign_in()
    async with stack.argus.db.transaction() as tx:
        await tx.execute(
            "UPDATE sessions SET idle_deadline = %s WHERE tenant_id = %s AND user_id = %s",
            (now(stack.private.clock) - timedelta(seconds=1), api.tenant_id, person.user_id),
        )
    await _sweep(stack, sweepers)
    assert (await verify(api, done.tokens.access_token)).session == done.session.name
    assert await _unended(stack, person) == 1
    assert await person.count() == 1


async def test_after_a_loss_an_idle_session_waits_a_little_and_is_ended_then(
    stack: Stack, api: Api, sweepers: list[Argus]
) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    key = stack.argus.keyspace.session_key(done.session.name.rpartition("/")[2])
    await stack.advance(IDLE + timedelta(minutes=1))
    await stack.argus.redis.client.delete(key)
    await _sweep(stack, sweepers)
    assert await _unended(stack, person) == 1
    await stack.advance(IDLE / 20)
    await _sweep_until_ended(stack, person, sweepers)
    assert await reason_of(refresh(api, done.tokens.refresh_token)) == "SESSION_ENDED"
    assert Counter(session_id for session_id, _ in await _ends(stack, api))[done.session.name.rpartition("/")[2]] == 1


async def test_an_end_made_before_keeps_its_reason(stack: Stack, api: Api, sweepers: list[Argus]) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    await terminate(api, done.session.name)
    await stack.advance(IDLE + timedelta(minutes=1))
    await _sweep(stack, sweepers)
    session_id = done.session.name.rpartition("/")[2]
    assert [one for one in await _ends(stack, api) if one[0] == session_id] == [(session_id, "ENDED_BY_ADMIN")]


async def test_the_janitor_forgets_old_request_ids(stack: Stack, api: Api, sweepers: list[Argus]) -> None:
    from argus.v1 import session_service_pb2 as sessions

    person = await new_person(api)
    request = sessions.CreateSessionRequest(parent=person.name, request_id="tidy")
    await api.sessions.CreateSession(request)
    await stack.advance(timedelta(minutes=10, seconds=1))
    await _at_the_same_time(stack, sweepers)
    await sweepers[0].sweeper.tidy()
    row = await stack.argus.db.fetch_one(
        "SELECT count(*) AS n FROM requests WHERE tenant_id = %s AND request_id = 'tidy'", (api.tenant_id,)
    )
    assert row == {"n": 0}


async def _sweep_until_ended(stack: Stack, person: Person, sweepers: list[Argus]) -> None:
    """The server's own sweeper may hold the row just now."""
    async with asyncio.timeout(30):
        while await _unended(stack, person):
            await _sweep(stack, sweepers)
