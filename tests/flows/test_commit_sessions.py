"""Creations that share a commit: each stands for itself, nobody waits with a stranger, nobody is half there."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from argus.base.clock import now
from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.sessions.live_store import LiveSessions, WriteStatus
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import user_service_pb2 as users
from tests.support.people import PASSWORD, Person, new_person, reason_of, start_step_up, submit, verify
from tests.support.policies import set_policy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from argus.server.api import Api
    from tests.support.stack import Stack

PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


def create(person: Person, **fields: Any) -> Any:
    return person.api.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name, **fields))


async def commits(stack: Stack, api: Api) -> int:
    """How many transactions have written sessions of the tenant."""
    row = await stack.argus.db.fetch_one(
        "SELECT count(DISTINCT xmin::text) AS n FROM sessions WHERE tenant_id = %s", (api.tenant_id,)
    )
    assert row
    return int(row["n"])


def in_waves(stack: Stack) -> float:
    """How many creations have waited for others, to go on together."""
    (sizes, *_) = stack.argus.db.metrics.collectors
    return sum(
        sample.value
        for metric in sizes.collect()
        for sample in metric.samples
        if sample.name == "argus_group_size_sum" and sample.labels["work"] == "creations"
    )


@asynccontextmanager
async def changing(stack: Stack, person: Person) -> AsyncIterator[None]:
    """Somebody changes a user for as long as the block takes."""
    async with stack.argus.db.transaction() as tx:
        await tx.execute(
            "SELECT 1 FROM users WHERE tenant_id = %s AND user_id = %s FOR UPDATE",
            (person.api.tenant_id, person.user_id),
        )
        yield


async def test_sessions_that_begin_at_once_share_commits(stack: Stack) -> None:
    api = await stack.new_tenant()
    people = [await new_person(api, password="") for _ in range(8)]
    before = in_waves(stack)
    made = await asyncio.gather(*(create(person) for person in people for _ in range(8)))
    assert len({one.session.name for one in made}) == 64
    assert await commits(stack, api) < 32
    assert in_waves(stack) - before > 32, "all but those who find few there go in waves"
    for one in made[:3]:
        assert (await verify(api, one.tokens.access_token)).session == one.session.name


async def test_one_that_is_refused_takes_nobody_along(stack: Stack, api: Api) -> None:
    """Whichever batch it comes to: disabled after it was looked at, so that only the transaction sees it."""
    good = [await new_person(api, password="") for _ in range(6)]
    bad = await new_person(api, password="")
    # Redis does not know of it: what is asked is PostgreSQL.
    async with stack.argus.db.transaction() as tx:
        await create(bad)
        await tx.execute(
            "UPDATE users SET disabled = true WHERE tenant_id = %s AND user_id = %s", (api.tenant_id, bad.user_id)
        )
        waiting = [asyncio.ensure_future(reason_of(create(person))) for person in (bad, *good)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await asyncio.gather(*waiting[1:]) == [""] * len(good)
    assert await waiting[0] == "USER_DISABLED"
    again = await asyncio.gather(*(reason_of(create(person)) for person in (bad, *good)))
    assert again == ["USER_DISABLED", *[""] * len(good)]


async def test_nobody_waits_for_a_strangers_change(stack: Stack, api: Api) -> None:
    held, *others = [await new_person(api, password="") for _ in range(5)]
    for person in (held, *others):
        await create(person)  # so that no rebuild is needed, which would wait as well
    async with changing(stack, held):
        waiting = asyncio.ensure_future(reason_of(create(held)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await asyncio.gather(*(reason_of(create(person)) for person in others)) == [""] * len(others)
        assert not waiting.done()
    assert await waiting == ""
    assert await held.count() == 2


async def test_who_waits_for_a_device_holds_no_session(stack: Stack) -> None:
    """Neither a creation nor a step-up: whoever has the device may be about to change the sessions on it."""
    api = await stack.new_tenant()
    await set_policy(stack, api, session_limit=1, on_limit="end_oldest")
    person = await new_person(api)
    first = await person.sign_in()
    device, session = first.session.device.name, first.session.name.rpartition("/")[2]
    login_token = await start_step_up(api, first.tokens.refresh_token)
    for waits in (
        lambda: submit(api, login_token, PASSWORD),
        lambda: create(person, device_token=first.device_token),
    ):
        async with stack.argus.db.transaction() as tx:
            await tx.execute(
                "SELECT 1 FROM devices WHERE tenant_id = %s AND device_id = %s FOR UPDATE", (api.tenant_id, device)
            )
            call = asyncio.ensure_future(waits())
            await _until(lambda: _waits_for_a_lock(stack, "FOR NO KEY UPDATE OF d"))
            held = await tx.fetch_all(
                "SELECT session_id FROM sessions WHERE tenant_id = %s AND session_id = %s FOR UPDATE SKIP LOCKED",
                (api.tenant_id, session),
            )
            assert len(held) == 1
            assert not call.done()
        await call
    assert await person.count() == 1


async def test_who_gives_up_too_late_keeps_the_place(stack: Stack) -> None:
    """Its session may stand: nobody else gets its place until the worker has removed it."""
    api = await stack.new_tenant()
    argus = stack.argus
    origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id=new_id())
    scope = Scope(kind="tenant", id=api.tenant_id)
    await argus.policies.set_document(api.tenant_id, scope, {"session_limit": 2, "on_limit": "deny"}, origin=origin)
    person = await new_person(api, password="")
    await create(person)
    async with changing(stack, person):
        call = create(person, request_id="late")
        await _until(lambda: _waits_for_a_lock(stack))
        call.cancel()
        failure = await failure_of(create(person))
        assert failure
        assert failure.reason == "SESSION_LIMIT_REACHED"
    await _until(lambda: _has(person, 2))
    # It was made, and its own request leads to it.
    assert await reason_of(create(person, request_id="late")) == ""
    assert await person.count() == 2


async def test_a_session_that_was_removed_counts_under_no_limit(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has lost its place; before its row was gone a rebuild had read it."""
    api, argus = await stack.new_tenant(), stack.argus
    await set_policy(stack, api, session_limit=2, on_limit="deny")
    person = await new_person(api, password="")
    user = argus.keyspace.user_key(api.tenant_id, person.user_id)
    index = argus.keyspace.index_key(api.tenant_id, person.user_id)
    real = LiveSessions.create
    lost: list[str] = []

    async def create_after_a_loss(self: LiveSessions, session: Any, *rest: Any) -> WriteStatus:
        if lost:
            return await real(self, session, *rest)
        lost.append(session.session_id)
        await argus.redis.client.delete(index)
        status = await real(self, session, *rest)
        await argus.redis.client.delete(user)
        await argus.rebuild.user(api.tenant_id, person.user_id)
        assert await argus.redis.client.hkeys(index) == [session.session_id.encode()]
        return status

    with monkeypatch.context() as patched:
        patched.setattr(LiveSessions, "create", create_after_a_loss)
        await create(person)
    await create(person)
    assert await reason_of(create(person)) == "SESSION_LIMIT_REACHED"
    assert await person.count() == 2


async def test_more_than_may_wait_are_turned_away_and_hold_nothing(
    stack: Stack, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await new_person(api, password="")
    await create(person)
    with monkeypatch.context() as patched:
        patched.setattr(stack.argus.create_session._commits._together, "_most_waiting", 0)
        failure = await failure_of(create(person))
        assert failure
        assert (failure.code, failure.reason) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        assert failure.retry_after
    assert await person.count() == 1
    index = stack.argus.keyspace.index_key(api.tenant_id, person.user_id)
    assert await stack.argus.redis.client.hlen(index) == 1, "a place is held for nobody"


async def test_a_row_that_postgresql_does_not_take_is_nobody_elses_fault(stack: Stack, api: Api) -> None:
    db, time = stack.argus.db, now(stack.private.clock)
    origins = [Origin(tenant_id=api.tenant_id, actor="system:test", request_id=new_id()) for _ in range(9)]
    events = [Event(type="login.cancelled", data={"cause": "\0" if index == 4 else "x"}) for index in range(9)]
    outcomes = await asyncio.gather(
        *(db.record(origin, event, time) for origin, event in zip(origins, events, strict=True)), return_exceptions=True
    )
    assert [isinstance(one, Exception) for one in outcomes] == [index == 4 for index in range(9)]
    written = [await stack.argus.audit.of_request(api.tenant_id, origin.request_id) for origin in origins]
    assert [len(rows) for rows in written] == [int(index != 4) for index in range(9)]


async def test_a_user_that_is_disabled_meanwhile_gets_no_session(api: Api) -> None:
    person = await new_person(api, password="")
    disable = api.users.DisableUser(users.DisableUserRequest(name=person.name))
    await asyncio.gather(disable, *(reason_of(create(person)) for _ in range(20)))
    assert await person.count() == 0


async def _until(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if await check():
                return
            await asyncio.sleep(0.01)


async def _has(person: Person, count: int) -> bool:
    return await person.count() == count


async def _waits_for_a_lock(stack: Stack, statement: str = "FOR SHARE OF u") -> bool:
    row = await stack.argus.db.fetch_one(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND strpos(query, %s) > 0",
        (statement,),
    )
    return bool(row and row["n"])
