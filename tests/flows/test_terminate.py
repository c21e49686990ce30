"""Ended means ended, for one session, the others, all of a user, a client or a tenant; and stays what it was first."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from argus.base.clock import now
from argus.sdk.offline.feed import FeedTimes
from argus.server.api import failure_of
from argus.v1 import client_service_pb2 as clients
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.following import follow
from tests.support.own_stores import until
from tests.support.people import Person, new_person, reason_of, refresh, terminate, verify
from tests.support.policies import set_policy

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.v1 import authentication_service_pb2 as authentication
    from tests.support.stack import Stack


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


async def _refused(api: Api, done: authentication.SubmitFactorResponse, reason: str) -> None:
    """Neither of the tokens is good any more, and both say why."""
    failures = [
        await failure_of(verify(api, done.tokens.access_token)),
        await failure_of(refresh(api, done.tokens.refresh_token)),
    ]
    for failure in failures:
        assert failure is not None
        assert (failure.reason, failure.metadata.get("endReason")) == ("SESSION_ENDED", reason)


async def _all(person: Person, **fields: Any) -> sessions.TerminateSessionsResponse:
    request = sessions.TerminateSessionsRequest(parent=person.name, **fields)
    return await person.api.sessions.TerminateSessions(request)


async def test_an_ended_session_is_refused_at_once_and_says_why(api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    request = sessions.TerminateSessionRequest(
        name=done.session.name, reason=types.END_REASON_ENDED_BY_USER, comment="lost phone"
    )
    ended = await api.sessions.TerminateSession(request)
    assert ended.state == types.TERMINATION_STATE_ENDED
    assert not ended.operation
    assert ended.session.state == types.SESSION_STATE_ENDED
    assert ended.online_bound.ToTimedelta() == timedelta(milliseconds=500)
    assert ended.offline_bound.ToTimedelta() == FeedTimes().bound == timedelta(seconds=5)
    # The policy's, and the clocks' leeway.
    assert ended.offline_bound_without_stream.ToTimedelta() == timedelta(minutes=5, seconds=5)
    await _refused(api, done, "ENDED_BY_USER")
    events = (await api.sessions.ListSessionEvents(sessions.ListSessionEventsRequest(parent=done.session.name))).events
    assert [(one.reason, one.data["comment"]) for one in events if one.type == "session.ended"] == [
        ("ENDED_BY_USER", "lost phone")
    ]


async def test_tokens_of_a_looser_policy_are_counted_in_the_bound(stack: Stack) -> None:
    """Who verifies without the stream takes them until they expire, whatever the session lives by now."""
    api = await stack.new_tenant()
    await set_policy(stack, api, access_seconds=3600)
    done = await (await new_person(api)).sign_in()
    lasts = done.tokens.expires_in.ToTimedelta()
    await set_policy(stack, api, access_seconds=60)
    await follow(stack)
    await stack.advance(timedelta(minutes=10))
    ended = await api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=done.session.name))
    left = ended.offline_bound_without_stream.ToTimedelta()
    # Such tokens may have been made for half a minute more; none lasts longer than the policy says.
    assert lasts - timedelta(minutes=10) <= left <= timedelta(minutes=50, seconds=40)


async def test_a_second_end_keeps_the_first_moment_and_reason(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    first = await terminate(api, done.session.name)
    await stack.advance(timedelta(seconds=30))
    request = sessions.TerminateSessionRequest(name=done.session.name, reason=types.END_REASON_RISK)
    again = await api.sessions.TerminateSession(request)
    assert again.session.end_time == first.session.end_time
    assert again.session.end_reason == types.END_REASON_ENDED_BY_ADMIN
    assert again.state == types.TERMINATION_STATE_ENDED


async def test_ends_at_once_are_one_end(api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    ends = await asyncio.gather(*(terminate(api, done.session.name) for _ in range(8)))
    assert len({one.session.end_time.ToNanoseconds() for one in ends}) == 1
    events = (await api.sessions.ListSessionEvents(sessions.ListSessionEventsRequest(parent=done.session.name))).events
    assert [one.type for one in events].count("session.ended") == 1


async def test_only_reasons_that_a_caller_can_give(api: Api) -> None:
    done = await (await new_person(api)).sign_in()
    request = sessions.TerminateSessionRequest(name=done.session.name, reason=types.END_REASON_LIMIT)
    assert await reason_of(api.sessions.TerminateSession(request)) == "FIELD_INVALID"
    assert (await verify(api, done.tokens.access_token)).session


async def test_no_session_of_another_user_or_tenant(stack: Stack, api: Api) -> None:
    person, other = await new_person(api), await new_person(api)
    done = await person.sign_in()
    session_id = done.session.name.rpartition("/")[2]
    assert await reason_of(terminate(api, f"{other.name}/sessions/{session_id}")) == "SESSION_NOT_FOUND"
    foreign = await stack.new_tenant()
    theirs = await new_person(foreign)
    assert await reason_of(terminate(foreign, f"{theirs.name}/sessions/{session_id}")) == "SESSION_NOT_FOUND"
    assert await reason_of(terminate(foreign, done.session.name)) == "CALLER_TENANT_MISMATCH"
    assert (await verify(api, done.tokens.access_token)).session


async def test_all_but_one(api: Api) -> None:
    person = await new_person(api)
    kept, *others = [await person.sign_in() for _ in range(3)]
    ended = await _all(person, keep_session=kept.session.name)
    assert (ended.ended_count, ended.state) == (2, types.TERMINATION_STATE_ENDED)
    assert (await verify(api, kept.tokens.access_token)).session == kept.session.name
    for done in others:
        await _refused(api, done, "USER_WIDE")
    assert [one.name for one in await person.list()] == [kept.session.name]


async def test_all_of_one_client(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    assert (await _all(person, client_id="another")).ended_count == 0
    assert (await verify(api, done.tokens.access_token)).session
    assert (await _all(person, client_id="backend")).ended_count == 1
    await _refused(api, done, "USER_WIDE")


async def test_all_of_a_user_and_none_that_begins_after(api: Api) -> None:
    """Ends count whole seconds: a sign-in in the same second waits for the next, and is good then."""
    person = await new_person(api)
    before = [await person.sign_in() for _ in range(2)]
    assert (await _all(person)).ended_count == 2
    after = await person.sign_in()
    for done in before:
        await _refused(api, done, "USER_WIDE")
    assert (await verify(api, after.tokens.access_token)).session == after.session.name
    assert (await _all(person)).ended_count == 1
    await _refused(api, after, "USER_WIDE")


async def test_validate_only_counts_and_ends_nothing(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    done = await person.sign_in()
    async with stack.nothing_written(api.parent):
        assert (await _all(person, validate_only=True)).ended_count == 1
        request = sessions.TerminateSessionRequest(name=done.session.name, validate_only=True)
        assert (await api.sessions.TerminateSession(request)).session.state == types.SESSION_STATE_ENDED
    assert (await verify(api, done.tokens.access_token)).session == done.session.name


async def test_disabling_and_deleting_a_user_ends_all(api: Api) -> None:
    disabled, deleted = await new_person(api), await new_person(api)
    of_disabled, of_deleted = await disabled.sign_in(), await deleted.sign_in()
    await api.users.DisableUser(users.DisableUserRequest(name=disabled.name))
    await api.users.DeleteUser(users.DeleteUserRequest(name=deleted.name))
    await _refused(api, of_disabled, "USER_DISABLED")
    await _refused(api, of_deleted, "USER_DELETED")
    await api.users.EnableUser(users.EnableUserRequest(name=disabled.name))
    await _refused(api, of_disabled, "USER_DISABLED")
    again = await disabled.sign_in()
    assert (await verify(api, again.tokens.access_token)).session == again.session.name


async def test_redis_learns_of_the_user_itself_too(stack: Stack, api: Api) -> None:
    """So that what begins at the same moment, and what has lost its tombstone, is refused as well."""
    person = await new_person(api)
    await person.sign_in()

    async def record() -> tuple[int, int]:
        value = await stack.argus.redis.client.get(stack.argus.keyspace.user_key(api.tenant_id, person.user_id))
        assert isinstance(value, bytes)
        return value[1], int.from_bytes(value[10:14], "big")

    assert await record() == (0, 0)
    await api.users.DisableUser(users.DisableUserRequest(name=person.name))
    is_disabled, not_before = await record()
    assert is_disabled == 1
    assert abs(not_before - now(stack.private.clock).timestamp()) < 5
    await api.users.EnableUser(users.EnableUserRequest(name=person.name))
    assert await record() == (0, not_before)


async def test_a_client_wide_end_spares_other_clients_sessions(stack: Stack) -> None:
    api = await stack.new_tenant()
    await api.clients.CreateClient(
        clients.CreateClientRequest(
            parent=api.parent,
            client_id="second",
            client=clients.Client(scopes=["documents.read"], resource="https://second.example"),
        )
    )
    person = await new_person(api)
    request = sessions.CreateSessionRequest(parent=person.name, client_id="second")
    of_second = await api.sessions.CreateSession(request)
    of_backend = await person.sign_in()
    await api.clients.TerminateClientSessions(
        clients.TerminateClientSessionsRequest(name=f"{api.parent}/clients/second")
    )
    assert await reason_of(refresh(api, of_second.tokens.refresh_token)) == "SESSION_ENDED"
    assert (await verify(api, of_backend.tokens.access_token)).session == of_backend.session.name
    assert [one.name for one in await person.list()] == [of_backend.session.name]

    async def is_ended() -> bool:
        row = await stack.argus.db.fetch_one(
            "SELECT state, end_reason FROM sessions WHERE tenant_id = %s AND session_id = %s",
            (api.tenant_id, of_second.session.name.rpartition("/")[2]),
        )
        return row == {"state": "ended", "end_reason": "CLIENT_WIDE"}

    await until(is_ended)


async def test_a_tenant_wide_end_ends_all_and_each_is_in_the_audit(stack: Stack) -> None:
    api, admin = await stack.new_tenant(), await stack.private.new_tenant(is_system=True)
    people = [await new_person(api) for _ in range(3)]
    done = [await person.sign_in() for person in people]
    await admin.tenants.TerminateTenantSessions(tenants.TerminateTenantSessionsRequest(name=api.parent))
    listed = await stack.argus.sessions.page(api.tenant_id, people[0].user_id, size=10)
    assert not listed.sessions

    async def are_in_the_audit() -> bool:
        rows = await stack.argus.db.fetch_all(
            "SELECT reason FROM audit_events WHERE tenant_id = %s AND type = 'session.ended'", (api.tenant_id,)
        )
        return [row["reason"] for row in rows] == ["TENANT_WIDE"] * 3

    await until(are_in_the_audit)
    # The caller's own client token was the tenant's too: a new one is needed to ask.
    api._renew_at = None
    for one in done:
        assert await reason_of(verify(api, one.tokens.access_token)) == "SESSION_ENDED"
    again = await people[0].sign_in()
    assert (await verify(api, again.tokens.access_token)).session == again.session.name
    await admin.close()


async def test_revoking_a_token_ends_its_session(api: Api) -> None:
    person = await new_person(api)
    for which in ("access_token", "refresh_token"):
        done = await person.sign_in()
        request = tokens.RevokeTokenRequest(token=getattr(done.tokens, which))
        await api.tokens.RevokeToken(request)
        await _refused(api, done, "TOKEN_REVOKED")
        await api.tokens.RevokeToken(request)


async def test_revoking_what_is_no_token_says_nothing(stack: Stack, api: Api) -> None:
    for token in ("x", "a.b.c", await api.token()):
        await api.tokens.RevokeToken(tokens.RevokeTokenRequest(token=token))
    foreign = await stack.new_tenant()
    done = await (await new_person(api)).sign_in()
    await foreign.tokens.RevokeToken(tokens.RevokeTokenRequest(token=done.tokens.refresh_token))
    assert (await verify(api, done.tokens.access_token)).session == done.session.name
