"""Activity moves the idle deadline, reported or seen; nothing moves the absolute end or brings a session back."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from argus.base.clock import now
from argus.base.ids import new_id
from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from tests.support.people import new_person, reason_of, refresh, terminate, verify
from tests.support.policies import set_document

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.v1 import types_pb2 as types
    from tests.support.stack import Stack

IDLE, ABSOLUTE = timedelta(hours=8), timedelta(hours=24)


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


def _at(stack: Stack, ago: timedelta = timedelta(0)) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(now(stack.private.clock) - ago)
    return made


async def _touch(stack: Stack, api: Api, *names: str, ago: timedelta = timedelta(0)) -> sessions.TouchSessionsResponse:
    touches = [sessions.SessionTouch(name=name, active_time=_at(stack, ago)) for name in names]
    return await api.sessions.TouchSessions(sessions.TouchSessionsRequest(parent=api.parent, touches=touches))


async def _read(api: Api, name: str) -> types.Session:
    return (await api.sessions.GetSession(sessions.GetSessionRequest(name=name))).session


async def test_reported_activity_keeps_a_session_going(stack: Stack, api: Api) -> None:
    done = await (await new_person(api)).sign_in()
    await stack.advance(IDLE - timedelta(minutes=5))
    answer = await _touch(stack, api, done.session.name, ago=timedelta(minutes=1))
    assert not answer.ended_sessions
    await stack.argus.effects.flush()
    session = await _read(api, done.session.name)
    left = session.idle_expire_time.ToDatetime() - now(stack.private.clock).replace(tzinfo=None)
    assert timedelta(hours=7, minutes=58) < left < IDLE
    await stack.advance(timedelta(minutes=10))
    assert (await refresh(api, done.tokens.refresh_token)).session == done.session.name


async def test_a_report_can_come_late_and_never_shortens(stack: Stack, api: Api) -> None:
    done = await (await new_person(api)).sign_in()
    await stack.advance(timedelta(hours=2))
    await _use(api, done.tokens.refresh_token)
    await stack.argus.effects.flush()
    before = await _read(api, done.session.name)
    await _touch(stack, api, done.session.name, ago=timedelta(hours=1))
    await stack.argus.effects.flush()
    assert (await _read(api, done.session.name)).idle_expire_time == before.idle_expire_time


@pytest.mark.parametrize("own", [{}, {"idle_seconds": 7200}])
async def test_a_report_goes_by_what_the_session_is_held_to(stack: Stack, own: dict[str, Any]) -> None:
    """A client's shorter time counts at once, whatever the session began under; where its user has a time, that one."""
    api = await stack.new_tenant()
    person = await new_person(api)
    await set_document(stack, api.tenant_id, own, scope=Scope(kind="user", id=person.user_id))
    done = await person.sign_in()
    await set_document(stack, api.tenant_id, {"idle_seconds": 600}, scope=Scope(kind="client", id=api.client_id))
    await stack.advance(timedelta(minutes=8))
    await _touch(stack, api, done.session.name)
    await stack.argus.effects.flush()
    left = (await _read(api, done.session.name)).idle_expire_time.ToDatetime(tzinfo=UTC) - now(stack.private.clock)
    assert timedelta(seconds=-10) < left - timedelta(seconds=own.get("idle_seconds", 600)) <= timedelta(0)


async def test_a_future_use_counts_as_now(stack: Stack, api: Api) -> None:
    done = await (await new_person(api)).sign_in()
    await stack.advance(timedelta(hours=1))
    await _touch(stack, api, done.session.name, ago=-timedelta(days=300))
    await stack.argus.effects.flush()
    session = await _read(api, done.session.name)
    assert session.idle_expire_time.ToDatetime() <= now(stack.private.clock).replace(tzinfo=None) + IDLE


async def test_ended_and_unknown_sessions_are_told_apart(stack: Stack, api: Api) -> None:
    person, other = await new_person(api), await new_person(api)
    living, ended = await person.sign_in(), await person.sign_in()
    await terminate(api, ended.session.name)
    session_id = living.session.name.rpartition("/")[2]
    someone_elses = f"{other.name}/sessions/{session_id}"
    made_up = f"{person.name}/sessions/{session_id[:-4]}AAAA"
    answer = await _touch(stack, api, living.session.name, ended.session.name, someone_elses, made_up)
    assert list(answer.ended_sessions) == [ended.session.name]
    assert list(answer.unknown_sessions) == [someone_elses, made_up]
    assert (await _read(api, ended.session.name)).HasField("end_time")


async def test_a_session_that_redis_lost_can_be_touched(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    keyspace = stack.argus.keyspace
    await stack.argus.redis.client.delete(
        keyspace.session_key(done.session.name.rpartition("/")[2]), keyspace.user_key(api.tenant_id, person.user_id)
    )
    answer = await _touch(stack, api, done.session.name)
    assert not answer.ended_sessions
    assert not answer.unknown_sessions
    assert (await verify(api, done.tokens.access_token)).session == done.session.name


async def test_all_of_a_large_report_count(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    unknown = [f"{person.name}/sessions/{done.session.name.rpartition('/')[2][:-22]}{new_id()}" for _ in range(999)]
    answer = await _touch(stack, api, done.session.name, *unknown)
    assert len(answer.unknown_sessions) == 999


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_report_has_one_to_a_thousand_items(stack: Stack, api: Api, count: int) -> None:
    name = f"{api.parent}/users/{new_id()}/sessions/{'A' * 24}"
    failure = await failure_of(_touch(stack, api, *[name] * count))
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "touches")


async def test_verify_by_a_machine_is_no_activity(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    await stack.advance(timedelta(minutes=4))
    await verify(api, done.tokens.access_token, passive=True)
    await stack.advance(IDLE - timedelta(minutes=4) + timedelta(seconds=1))
    assert await reason_of(refresh(api, done.tokens.refresh_token)) == "SESSION_ENDED"
    assert await person.count() == 0


async def test_the_absolute_end_never_moves(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    token = done.tokens.refresh_token
    for _ in range(3):
        await stack.advance(IDLE - timedelta(minutes=10))
        token = (await refresh(api, token)).tokens.refresh_token
    assert (await _read(api, done.session.name)).absolute_expire_time == done.session.absolute_expire_time
    await stack.advance(timedelta(minutes=31))
    assert await reason_of(refresh(api, token)) in {"SESSION_ENDED", "TOKEN_INVALID"}
    ended = await _read(api, done.session.name)
    assert ended.end_time.seconds == done.session.absolute_expire_time.seconds


async def _use(api: Api, refresh_token: str) -> None:
    made = await refresh(api, refresh_token)
    await verify(api, made.tokens.access_token)
