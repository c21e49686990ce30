"""The way out of contested: the session's user proves itself, and everything older is refused for good."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.server.api import Api
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.people import (
    PASSWORD,
    WRONG_PASSWORD,
    Person,
    new_person,
    reason_of,
    refresh,
    start_step_up,
    step_up,
    submit,
    verify,
)
from tests.support.theft import OUT_OF_STEP, cause_of, contest, events_of, state_of

if TYPE_CHECKING:
    from tests.support.stack import Stack


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def test_the_owner_takes_a_contested_session_back(stack: Stack, api: Api, person: Person) -> None:
    """All tokens of the contested family stay refused for good, the thief's and the owner's own; new ones rotate."""
    theft = await contest(stack, person)
    assert (await state_of(api, theft.session)).state == types.SESSION_STATE_CONTESTED
    assert await cause_of(refresh(api, theft.newest)) == "CONTESTED"
    assert await cause_of(verify(api, theft.access_token)) == "CONTESTED"

    done = await step_up(api, theft.newest)
    assert done.login.state == authentication.LOGIN_STATE_COMPLETE
    assert (done.login_token, done.device_token) == ("", "")
    assert (done.session.name, done.session.state) == (theft.session, types.SESSION_STATE_ACTIVE)

    for token in theft.refresh_tokens:
        assert await cause_of(refresh(api, token)) == "FAMILY_OLDER"
    assert await cause_of(verify(api, theft.access_token)) == "FAMILY_OLDER"
    assert (await verify(api, done.tokens.access_token)).session == theft.session
    newest = (await refresh(api, done.tokens.refresh_token)).tokens
    assert newest.refresh_token != done.tokens.refresh_token  # the first refresh of a family rotates
    await stack.advance(OUT_OF_STEP)
    newest = (await refresh(api, newest.refresh_token)).tokens
    assert (await verify(api, newest.access_token)).session == theft.session
    # The thief goes on knocking, and changes nothing.
    assert await cause_of(refresh(api, theft.old)) == "FAMILY_OLDER"
    await verify(api, newest.access_token)
    assert [one.name for one in await person.list()] == [theft.session]


async def test_the_token_that_was_replayed_is_proof_of_standing_too(stack: Stack, api: Api, person: Person) -> None:
    """Whoever has it, thief or owner, gets no further than the password."""
    theft = await contest(stack, person)
    login_token = await start_step_up(api, theft.old)
    assert await reason_of(submit(api, login_token, WRONG_PASSWORD)) == "FACTOR_REFUSED"
    assert (await state_of(api, theft.session)).state == types.SESSION_STATE_CONTESTED
    assert await cause_of(refresh(api, theft.newest)) == "CONTESTED"
    done = await submit(api, login_token, PASSWORD)
    assert await cause_of(refresh(api, theft.newest)) == "FAMILY_OLDER"
    await verify(api, done.tokens.access_token)


async def test_an_access_token_is_no_proof_of_standing(api: Api, person: Person) -> None:
    done = await person.sign_in()
    assert await reason_of(start_step_up(api, done.tokens.access_token)) == "TOKEN_INVALID"
    assert await reason_of(start_step_up(api, "no token")) == "TOKEN_INVALID"
    assert await reason_of(start_step_up(api, done.tokens.refresh_token[:-4] + "AAAA")) == "TOKEN_INVALID"


async def test_the_answer_to_whoever_holds_the_token_names_nobody(stack: Stack, api: Api, person: Person) -> None:
    """Neither the user nor its identifier nor the session; also not by reading the login."""
    theft = await contest(stack, person)
    request = authentication.StartStepUpRequest(parent=api.parent, refresh_token=theft.newest)
    begun = await api.authentication.StartStepUp(request)
    read = await api.authentication.GetLogin(authentication.GetLoginRequest(name=begun.login.name))
    assert read.login == begun.login
    assert begun.login.state == authentication.LOGIN_STATE_FACTOR_REQUIRED
    assert [one.kind for one in begun.login.challenges] == [
        authentication.FACTOR_KIND_PASSWORD,
        authentication.FACTOR_KIND_WEBAUTHN,
    ]
    shown = str(begun)
    for secret in (person.identifier, person.user_id, theft.session.rpartition("/")[2]):
        assert secret not in shown


async def test_no_other_users_password_will_do(stack: Stack, api: Api, person: Person) -> None:
    other = await new_person(api, password="nine patient herons on the shore")
    theft = await contest(stack, person)
    login_token = await start_step_up(api, theft.newest)
    assert await reason_of(submit(api, login_token, "nine patient herons on the shore")) == "FACTOR_REFUSED"
    theirs = await other.sign_in(password="nine patient herons on the shore")
    assert await reason_of(step_up(api, theirs.tokens.refresh_token, PASSWORD)) == "FACTOR_REFUSED"


async def test_a_step_up_without_need_gives_a_new_family_and_a_new_proof(
    stack: Stack, api: Api, person: Person
) -> None:
    """`max_age` is met again; the level is what was proved now, also where a backend had vouched for more."""
    vouched = await api.sessions.CreateSession(
        sessions.CreateSessionRequest(parent=person.name, acr="urn:argus:acr:1", amr=["otp", "pwd"])
    )
    await stack.advance(timedelta(minutes=4))
    wanted = tokens.VerifyAccessTokenRequest(access_token=vouched.tokens.access_token)
    wanted.max_age.FromTimedelta(timedelta(minutes=3))
    assert await cause_of(api.tokens.VerifyAccessToken(wanted)) == "AUTH_AGE"
    before = await state_of(api, vouched.session.name)
    done = await step_up(api, vouched.tokens.refresh_token)
    wanted.access_token = done.tokens.access_token
    verified = await api.tokens.VerifyAccessToken(wanted)
    assert (verified.session, list(verified.amr)) == (vouched.session.name, ["pwd"])
    assert done.tokens.scope == vouched.tokens.scope
    after = await state_of(api, vouched.session.name)
    assert (after.create_time, after.absolute_expire_time) == (before.create_time, before.absolute_expire_time)
    assert after.auth_time.seconds > before.auth_time.seconds
    assert after.idle_expire_time.seconds > before.idle_expire_time.seconds
    assert (after.acr, list(after.amr)) == ("urn:argus:acr:1", ["pwd"])


async def test_every_step_and_its_reason_is_in_the_sessions_history(stack: Stack, api: Api, person: Person) -> None:
    theft = await contest(stack, person)
    await reason_of(step_up(api, theft.newest, WRONG_PASSWORD))
    again = (await step_up(api, theft.newest)).tokens
    await step_up(api, theft.newest)
    await step_up(api, again.refresh_token)
    events = await events_of(api, theft.session)
    stepped = [one for one in events if one.type == "session.stepped_up"]
    assert sorted((one.data["family"], one.reason) for one in stepped) == [
        ("2", "CONTESTED"),
        ("3", "FAMILY_OLDER"),
        ("4", "FAMILY_OLDER"),
    ]
    assert ("factor.refused", "WRONG_PASSWORD") in [(one.type, one.reason) for one in events]
    assert [one.type for one in events].count("step_up.started") == 4


async def test_a_login_token_is_good_for_one_family_however_many_hand_it_in(api: Api, person: Person) -> None:
    done = await person.sign_in()
    login_token = await start_step_up(api, done.tokens.refresh_token)
    outcomes = await asyncio.gather(*(reason_of(submit(api, login_token, PASSWORD)) for _ in range(6)))
    assert outcomes.count("") == 1
    assert set(outcomes) <= {"", "LOGIN_NOT_FOUND", "LOGIN_COMPLETE"}
    stepped = [one for one in await events_of(api, done.session.name) if one.type == "session.stepped_up"]
    assert [one.data["family"] for one in stepped] == ["2"]


async def test_step_ups_at_once_leave_one_family(api: Api, person: Person) -> None:
    """One after the other; the last one's tokens are good, the others' are of an older family."""
    done = await person.sign_in()
    login_tokens = [await start_step_up(api, done.tokens.refresh_token) for _ in range(4)]
    answers = await asyncio.gather(*(submit(api, one, PASSWORD) for one in login_tokens), return_exceptions=True)
    made = [one for one in answers if isinstance(one, authentication.SubmitFactorResponse)]
    assert made
    for one in answers:
        if not isinstance(one, authentication.SubmitFactorResponse):
            assert "later step-up" in str(one), one
    good = [one for one in made if not await reason_of(verify(api, one.tokens.access_token))]
    assert len(good) == 1
    await refresh(api, good[0].tokens.refresh_token)
    for one in made:
        if one is not good[0]:
            assert await cause_of(refresh(api, one.tokens.refresh_token)) == "FAMILY_OLDER"
    stepped = [one for one in await events_of(api, done.session.name) if one.type == "session.stepped_up"]
    assert sorted(one.data["family"] for one in stepped) == ["2", "3", "4", "5"]


async def test_a_lost_answer_is_mended_by_a_further_step_up(stack: Stack, api: Api, person: Person) -> None:
    """The client holds tokens of the old family only; they lead to the next one."""
    theft = await contest(stack, person)
    await step_up(api, theft.newest)  # the answer is lost
    assert await cause_of(refresh(api, theft.newest)) == "FAMILY_OLDER"
    done = await step_up(api, theft.newest)
    assert (await verify(api, done.tokens.access_token)).session == theft.session


async def test_a_cancelled_step_up_leaves_the_session_as_it_was(stack: Stack, api: Api, person: Person) -> None:
    theft = await contest(stack, person)
    request = authentication.StartStepUpRequest(parent=api.parent, refresh_token=theft.newest)
    begun = await api.authentication.StartStepUp(request)
    await api.authentication.CancelLogin(authentication.CancelLoginRequest(name=begun.login.name))
    assert await reason_of(submit(api, begun.login_token, PASSWORD)) == "LOGIN_NOT_FOUND"
    assert await cause_of(refresh(api, theft.newest)) == "CONTESTED"
