"""Concurrent limits of a user, a client and a class of devices, and the user's own choice of what makes room."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.base.ids import new_id
from argus.policies.model import Scope
from argus.server.api import Api, failure_of
from argus.sessions.model import whole_second
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import device_service_pb2 as devices
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.features import origin
from tests.support.moments import now
from tests.support.oneself import Acting
from tests.support.people import FIREFOX, PASSWORD, Person, new_client, new_person, reason_of, refresh, submit, verify
from tests.support.theft import events_of

if TYPE_CHECKING:
    from tests.support.stack import Stack

PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
    " Mobile/15E148 Safari/604.1"
)
WAITING: Final = authentication.LOGIN_STATE_SESSION_LIMIT_REACHED


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def limit(stack: Stack, api: Api, scope: Scope | None = None, **document: Any) -> None:
    """Sets a policy of the tenant, or of a scope of it."""
    scope = scope or Scope(kind="tenant", id=api.tenant_id)
    await stack.argus.policies.set_document(api.tenant_id, scope, document, origin=origin(api.tenant_id))
    await stack.argus.snapshot.refresh()


async def create(person: Person, api: Api | None = None, *, agent: str = FIREFOX, **fields: Any) -> Any:
    """A session on a backend's word."""
    context = types.ClientContext(user_agent=agent)
    request = sessions.CreateSessionRequest(parent=person.name, client_context=context, **fields)
    return await (api or person.api).sessions.CreateSession(request)


async def living(person: Person) -> set[str]:
    """Names of the sessions that are not over."""
    return {one.name for one in await person.list()}


async def choose(api: Api, login_token: str, *names: str) -> authentication.SubmitFactorResponse:
    """Hands in what is to be ended."""
    request = authentication.SubmitFactorRequest(
        parent=api.parent, login_token=login_token, end_sessions=authentication.EndSessions(names=names)
    )
    return await api.authentication.SubmitFactor(request)


async def test_a_client_limit_counts_the_sessions_of_that_client_alone(stack: Stack, api: Api, person: Person) -> None:
    """The user's oldest session, of another client, stays."""
    await limit(stack, api, client_session_limit=2, session_limit=0)
    other = await new_client(api, stack.private)
    kept = [await create(person, other) for _ in range(2)]
    first, second = [await create(person) for _ in range(2)]
    third = await create(person)
    assert await living(person) == {one.session.name for one in (*kept, second, third)}
    assert await reason_of(refresh(api, first.tokens.refresh_token)) == "SESSION_ENDED"


@pytest.mark.parametrize("on_limit", ["deny", "end_oldest", "ask_user"])
@pytest.mark.parametrize("of_all", [True, False])
async def test_what_ended_with_its_client_or_tenant_counts_no_longer(
    stack: Stack, api: Api, person: Person, on_limit: str, of_all: bool
) -> None:
    """Before the worker has come to its row, too: nobody is turned away, ended or asked because of it."""
    await limit(stack, api, session_limit=2, on_limit=on_limit)
    other, tenant_id = await new_client(api, stack.private), api.tenant_id
    first, over = await create(person), await create(person, other)
    at = whole_second(over.session.create_time.ToDatetime(UTC))
    async with stack.argus.db.transaction(origin(tenant_id), now=now(stack)) as tx:
        # Without word to the worker.
        if of_all:
            await stack.argus.tenants.set_not_before(tx, tenant_id, at)
            api._renew_at = None  # the caller's own token is the tenant's, too
        else:
            await stack.argus.clients.set_not_before(tx, tenant_id, other.client_id, at)
    await stack.advance(timedelta(seconds=2))
    kept = [] if of_all else [first]
    made = [await create(person) for _ in range(2 - len(kept))]
    assert await living(person) >= {one.session.name for one in (*kept, *made)}
    if on_limit == "deny":
        assert await reason_of(create(person)) == "SESSION_LIMIT_REACHED"


async def test_a_class_of_devices_has_a_limit_of_its_own(stack: Stack, api: Api, person: Person) -> None:
    """One phone; desktops, and devices that say nothing, as many as one likes."""
    await limit(stack, api, device_class_limits={"phone": 1})
    desktops = [await create(person) for _ in range(2)] + [await create(person, agent="")]
    phone = await create(person, agent=PHONE)
    again = await create(person, agent=PHONE)
    assert phone.session.device.type == "phone"
    assert await living(person) == {one.session.name for one in (*desktops, again)}


async def test_devices_that_say_nothing_are_a_class(stack: Stack, api: Api, person: Person) -> None:
    """Nobody gets round a limit by hiding what it is, where the policy minds."""
    await limit(stack, api, device_class_limits={"unknown": 1, "phone": 1}, on_limit="deny")
    await create(person, agent="")
    await create(person, agent=PHONE)
    failure = await failure_of(create(person, agent=""))
    assert failure is not None
    assert failure.metadata == {
        "limit": "1",
        "policyField": "device_class_limits",
        "onLimit": "deny",
        "deviceClass": "unknown",
    }


async def test_the_policy_of_the_new_session_decides_and_the_others_are_left_alone(
    stack: Stack, api: Api, person: Person
) -> None:
    """A limit that is lowered ends nothing by itself; the next sign-in under it does, down to it."""
    before = [await create(person) for _ in range(4)]
    await limit(stack, api, Scope(kind="user", id=person.user_id), session_limit=2)
    assert await person.count() == 4
    made = await create(person)
    assert await living(person) == {before[-1].session.name, made.session.name}


async def test_whoever_had_to_make_room_is_told_why_everywhere(stack: Stack, api: Api, person: Person) -> None:
    """In lists, in the user's own list, in the events, and where its tokens are refused."""
    await limit(stack, api, client_session_limit=1)
    first = await person.sign_in()
    second = await person.sign_in()
    told = types.LimitEnd(
        policy_field="client_session_limit", most=1, on_limit="end_oldest", new_session=second.session.name
    )
    request = sessions.GetSessionRequest(name=first.session.name)
    ended = (await api.sessions.GetSession(request)).session
    assert (ended.end_reason, ended.ended_by_limit) == (types.END_REASON_LIMIT, told)
    assert ended.end_time == second.session.create_time
    assert [one.ended_by_limit for one in await person.list(with_ended=True)] == [types.LimitEnd(), told]
    own = await Acting(api, second).sessions(show_ended=True)
    assert [one.ended_by_limit for one in own] == [types.LimitEnd(), told]
    event = next(one for one in await events_of(api, first.session.name) if one.type == "session.ended")
    assert event.reason == "LIMIT"
    assert dict(event.data) == {
        "limit": "client_session_limit",
        "most": "1",
        "on_limit": "end_oldest",
        "new_session": second.session.name.rpartition("/")[2],
    }
    for call in (refresh(api, first.tokens.refresh_token), verify(api, first.tokens.access_token)):
        failure = await failure_of(call)
        assert failure is not None
        assert (failure.code, failure.reason, failure.metadata) == (
            "UNAUTHENTICATED",
            "SESSION_ENDED",
            {"endReason": "LIMIT"},
        )


async def test_a_sign_in_asks_and_goes_on_with_what_is_chosen(stack: Stack, api: Api, person: Person) -> None:
    """The factor is not asked for again; while the user thinks it over, nothing is held."""
    await limit(stack, api, session_limit=2, on_limit="ask_user")
    first, second = await person.sign_in(), await person.sign_in()
    waiting = await person.sign_in()
    assert (waiting.login.state, waiting.login.end_at_least) == (WAITING, 1)
    assert {one.name for one in waiting.login.ending_choices} == {first.session.name, second.session.name}
    choice = waiting.login.ending_choices[0]
    assert (choice.device.browser, choice.client_id) == ("Firefox", "backend")
    assert choice.HasField("last_active_time")
    assert not waiting.HasField("tokens")
    seen = await api.authentication.GetLogin(authentication.GetLoginRequest(name=waiting.login.name))
    assert seen.login == waiting.login
    assert await living(person) == {first.session.name, second.session.name}
    done = await choose(api, waiting.login_token, first.session.name)
    assert done.login.state == authentication.LOGIN_STATE_COMPLETE
    assert await living(person) == {second.session.name, done.session.name}
    assert (await verify(api, done.tokens.access_token)).session == done.session.name
    assert await reason_of(verify(api, first.tokens.access_token)) == "SESSION_ENDED"
    request = sessions.GetSessionRequest(name=first.session.name)
    assert (await api.sessions.GetSession(request)).session.ended_by_limit.on_limit == "ask_user"
    assert await reason_of(choose(api, waiting.login_token, second.session.name)) == "LOGIN_COMPLETE"


async def test_a_choice_that_is_not_enough_ends_nothing_and_is_asked_for_again(
    stack: Stack, api: Api, person: Person
) -> None:
    """Somebody else was faster: each answer has a token of its own, and the last one counts."""
    before = [await person.sign_in() for _ in range(3)]
    await limit(stack, api, session_limit=2, on_limit="ask_user")
    waiting = await person.sign_in()
    assert waiting.login.end_at_least == 2
    names = [one.session.name for one in before]
    again = await choose(api, waiting.login_token, names[0])
    assert (again.login.state, again.login.end_at_least) == (WAITING, 2)
    assert await living(person) == set(names)
    assert await reason_of(choose(api, waiting.login_token, *names)) == "LOGIN_NOT_FOUND"
    done = await choose(api, again.login_token, *names)
    assert await living(person) == {done.session.name}


async def test_nothing_ends_where_a_place_has_become_free(stack: Stack, api: Api, person: Person) -> None:
    await limit(stack, api, session_limit=2, on_limit="ask_user")
    first, second = await person.sign_in(), await person.sign_in()
    waiting = await person.sign_in()
    await api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=first.session.name))
    done = await choose(api, waiting.login_token, second.session.name)
    assert await living(person) == {second.session.name, done.session.name}


async def test_only_the_users_own_sessions_can_be_chosen(stack: Stack, api: Api, person: Person) -> None:
    await limit(stack, api, session_limit=1, on_limit="ask_user")
    stranger = await new_person(api)
    theirs = await stranger.sign_in()
    mine = await person.sign_in()
    waiting = await person.sign_in()
    failure = await failure_of(choose(api, waiting.login_token, mine.session.name, theirs.session.name))
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "end_sessions.names[1]")
    waiting = await choose(api, waiting.login_token)
    assert waiting.login.state == WAITING, "none was chosen"
    assert await reason_of(submit(api, waiting.login_token, PASSWORD)) == "FIELD_INVALID"
    assert await living(stranger) == {theirs.session.name}
    fresh = await person.start()
    assert await reason_of(choose(api, fresh, mine.session.name)) == "FIELD_INVALID"


async def test_a_password_that_was_changed_meanwhile_lets_nobody_choose(stack: Stack, api: Api, person: Person) -> None:
    """Whoever has learned the old one, and waits, ends nothing with it."""
    await limit(stack, api, session_limit=1, on_limit="ask_user")
    mine = await person.sign_in()
    waiting = await person.sign_in()
    await stack.argus.passwords.set(
        api.tenant_id,
        person.user_id,
        "eleven quiet otters under a bridge",
        identifiers=[person.identifier],
        origin=origin(api.tenant_id),
    )
    assert await reason_of(choose(api, waiting.login_token, mine.session.name)) == "LOGIN_NOT_FOUND"
    assert await living(person) == {mine.session.name}


async def test_a_backend_is_told_the_choices_and_sends_its_users_choice(stack: Stack, api: Api, person: Person) -> None:
    """By the same request, once its user has said so."""
    await limit(stack, api, session_limit=2, on_limit="ask_user")
    first, second = await create(person), await create(person)
    failure = await failure_of(create(person))
    assert failure is not None
    assert (failure.code, failure.reason) == ("RESOURCE_EXHAUSTED", "SESSION_LIMIT_REACHED")
    ids = [one.session.name.rpartition("/")[2] for one in (first, second)]
    assert failure.metadata == {
        "limit": "2",
        "policyField": "session_limit",
        "onLimit": "ask_user",
        "endAtLeast": "1",
        "endingChoices": " ".join(ids),
    }
    made = await create(person, end_sessions=[second.session.name])
    assert await living(person) == {first.session.name, made.session.name}
    stranger = await new_person(api)
    refused = await failure_of(create(stranger, end_sessions=[first.session.name]))
    assert refused is not None
    assert (refused.reason, refused.field) == ("FIELD_INVALID", "end_sessions[0]")


async def test_a_user_that_is_disabled_while_it_chooses_gets_in_no_more(stack: Stack, api: Api, person: Person) -> None:
    await limit(stack, api, session_limit=1, on_limit="ask_user")
    mine = await person.sign_in()
    waiting = await person.sign_in()
    await api.users.DisableUser(users.DisableUserRequest(name=person.name))
    assert await reason_of(choose(api, waiting.login_token, mine.session.name)) == "FACTOR_REFUSED"


async def test_a_refused_sign_in_says_in_the_audit_which_limit_it_was(stack: Stack, api: Api, person: Person) -> None:
    await limit(stack, api, session_limit=1, on_limit="deny")
    await person.sign_in()
    request_id = new_id()
    request = authentication.SubmitFactorRequest(parent=api.parent, login_token=await person.start(), password=PASSWORD)
    failure = await failure_of(api.authentication.SubmitFactor(request, metadata=(("x-request-id", request_id),)))
    assert failure is not None
    assert failure.metadata == {"limit": "1", "policyField": "session_limit", "onLimit": "deny"}
    events = await stack.argus.audit.of_request(api.tenant_id, request_id)
    reached = next(one for one in events if one.type == "session.limit_reached")
    assert reached.data["limit"] == "session_limit"
    assert reached.data["most"] == "1"


async def test_the_session_that_is_trusted_least_makes_room(stack: Stack, api: Api, person: Person) -> None:
    """By the trust that its device gave it, and what was reported of that since; not by age."""
    await limit(stack, api, session_limit=2, on_limit="end_lowest_trust")
    token = (first := await person.sign_in()).device_token
    known = await person.sign_in(device_token=token)  # a device that shows its token is trusted more
    await person.api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=first.session.name))
    newer = await person.sign_in()
    newest = await person.sign_in()
    assert newer.session.name not in await living(person)
    assert await living(person) == {known.session.name, newest.session.name}
    posture = devices.Posture(
        source=devices.POSTURE_SOURCE_MDM,
        integrity=devices.INTEGRITY_VERDICT_FAILED,
        measured_time=known.session.create_time,
    )
    name = f"{person.name}/devices/{known.session.device.name}"
    await api.devices.ReportPosture(devices.ReportPostureRequest(name=name, posture=posture))
    last = await person.sign_in()
    assert await living(person) == {newest.session.name, last.session.name}
