"""Trust as it is kept: what moves it, where it is told, and the floors that policies set under it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import device_service_pb2 as devices
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from tests.support.factor_scene import ACR, Scene
from tests.support.known_devices import arrive, name_of
from tests.support.people import WRONG_PASSWORD, Person, context, new_person, refresh, step_up, verify
from tests.support.policies import set_policy

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.v1 import types_pb2 as types
    from tests.support.stack import Stack


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def explained(api: Api, *, session: str = "", device: str = "") -> devices.ExplainTrustResponse:
    request = devices.ExplainTrustRequest(session=session) if session else devices.ExplainTrustRequest(device=device)
    response = await api.devices.ExplainTrust(request)
    total = sum(term.weight for term in response.terms)
    assert 100 / (1 + math.exp(-total)) == pytest.approx(response.score, abs=1e-6)
    return response


async def shown(api: Api, session: types.Session) -> int:
    """The score in the session as it is read."""
    return int((await api.sessions.GetSession(sessions.GetSessionRequest(name=session.name))).session.trust_score)


def device_of(person: Person, session: types.Session) -> str:
    return f"{person.name}/devices/{session.device.name}"


async def report(stack: Stack, api: Api, person: Person, session: types.Session, verdict: int) -> None:
    """Says of a session's device whether it was tampered with."""
    posture = devices.Posture(source=devices.POSTURE_SOURCE_MDM, integrity=verdict)  # type: ignore[arg-type]
    posture.measured_time.FromMilliseconds(stack.private.clock.now_ms())
    await api.devices.ReportPosture(devices.ReportPostureRequest(name=device_of(person, session), posture=posture))


async def test_verify_sessions_and_explanations_tell_the_same_score(api: Api, person: Person) -> None:
    done = await person.sign_in()
    told = (await verify(api, done.tokens.access_token)).trust_score
    # −1 + 1.5·ln 2 − 1.5: one login, no token shown, no network known.
    assert told == round(100 / (1 + math.exp(2.5 - 1.5 * math.log(2))))
    assert (done.session.HasField("trust_score"), done.session.trust_score) == (True, told)
    assert await shown(api, done.session) == told
    assert round((await explained(api, session=done.session.name)).score) == told
    assert round((await explained(api, device=device_of(person, done.session))).score) == told


async def test_a_device_that_shows_its_token_is_trusted_more_with_each_login(api: Api, person: Person) -> None:
    first = await person.sign_in()
    scores = [(await explained(api, session=first.session.name)).score]
    for _ in range(3):
        done = await person.sign_in(device_token=first.device_token)
        scores.append((await explained(api, session=done.session.name)).score)
    assert scores == sorted(set(scores))


async def test_failures_on_a_device_lower_it_and_the_sessions_on_it(api: Api, person: Person) -> None:
    token = (await person.sign_in()).device_token
    done = await person.sign_in(device_token=token)
    before = (await verify(api, done.tokens.access_token)).trust_score
    for _ in range(3):
        assert await person.try_password(WRONG_PASSWORD, device_token=token)
    after = (await verify(api, done.tokens.access_token)).trust_score
    assert after < before
    assert after == await shown(api, done.session)
    # A stranger's tries, without the device's token, do not count against it.
    assert await person.try_password(WRONG_PASSWORD)
    assert (await verify(api, done.tokens.access_token)).trust_score == after


async def test_a_session_fades_and_a_step_up_restores_it(stack: Stack, api: Api, person: Person) -> None:
    done = await person.sign_in()
    fresh = (await explained(api, session=done.session.name)).score
    await stack.advance(timedelta(hours=4))
    newer = await refresh(api, done.tokens.refresh_token)
    faded = await explained(api, session=done.session.name)
    assert faded.score == pytest.approx(fresh * 0.5**0.5, rel=1e-3)
    assert (await verify(api, newer.tokens.access_token)).trust_score == round(faded.score)
    assert [term.code for term in faded.terms][-1] == "PROOF_AGE"
    stepped = await step_up(api, newer.tokens.refresh_token)
    # Restored, and the passed step-up counts for the device.
    assert (await verify(api, stepped.tokens.access_token)).trust_score >= round(fresh)


async def test_what_is_reported_of_a_device_bites_its_sessions_at_once(stack: Stack, api: Api, person: Person) -> None:
    token = (await person.sign_in()).device_token
    done = await person.sign_in(device_token=token)
    before = (await verify(api, done.tokens.access_token)).trust_score
    await report(stack, api, person, done.session, devices.INTEGRITY_VERDICT_FAILED)
    assert (await verify(api, done.tokens.access_token)).trust_score == 10
    terms = (await explained(api, device=device_of(person, done.session))).terms
    assert [(term.code, term.cap) for term in terms if term.HasField("cap")] == [("INTEGRITY_BAD", 10)]
    await report(stack, api, person, done.session, devices.INTEGRITY_VERDICT_UNSPECIFIED)
    assert (await verify(api, done.tokens.access_token)).trust_score == before


async def test_trust_outlives_redis(stack: Stack, api: Api, person: Person) -> None:
    done = await person.sign_in()
    before = (await verify(api, done.tokens.access_token)).trust_score
    keys = stack.argus.keyspace
    await stack.argus.redis.client.delete(keys.session_key(done.session.name.rpartition("/")[2]))
    assert (await verify(api, done.tokens.access_token)).trust_score == before


async def test_below_the_floor_that_denies_nothing_goes(stack: Stack, api: Api, person: Person) -> None:
    """At sign-in, refresh and verify; whoever is above it passes."""
    done = await person.sign_in()
    await set_policy(stack, api, trust_deny_below=15)
    await verify(api, done.tokens.access_token)
    await set_policy(stack, api, trust_deny_below=60)
    for call in (verify(api, done.tokens.access_token), refresh(api, done.tokens.refresh_token), person.sign_in()):
        failure = await failure_of(call)
        assert failure is not None
        assert (failure.reason, failure.code) == ("TRUST_TOO_LOW", "PERMISSION_DENIED")
        assert (failure.metadata["score"], failure.metadata["floor"]) == ("19", "60")
        assert failure.metadata["nextStep"] == "ANOTHER_DEVICE"
    missed = (await explained(api, session=done.session.name)).missed_floors
    assert [(one.scope, one.floor, one.denies) for one in missed] == [("", 60, True)]


async def test_what_a_step_up_mends_says_so(stack: Stack, api: Api, person: Person) -> None:
    done = await person.sign_in()
    await set_policy(stack, api, trust_deny_below=15)
    await stack.advance(timedelta(hours=7))
    failure = await failure_of(verify(api, done.tokens.access_token))
    assert failure is None or failure.reason != "TRUST_TOO_LOW"  # its token is too old by then
    failure = await failure_of(refresh(api, done.tokens.refresh_token))
    assert failure is not None
    assert (failure.reason, failure.metadata["nextStep"]) == ("TRUST_TOO_LOW", "STEP_UP")
    stepped = await step_up(api, done.tokens.refresh_token)
    await verify(api, stepped.tokens.access_token)


async def test_below_the_floor_a_second_factor_stands_for_the_device(stack: Stack) -> None:
    """A password alone is not enough there, neither at sign-in nor at a step-up."""
    scene = Scene(stack, api := await stack.new_tenant(), await new_person(api))
    done = await scene.person.sign_in()
    app = await scene.app()
    assert done.login.state == authentication.LOGIN_STATE_COMPLETE
    await set_policy(stack, api, trust_step_up_below=60)
    for call in (verify(api, done.tokens.access_token), refresh(api, done.tokens.refresh_token)):
        failure = await failure_of(call)
        assert failure is not None
        assert (failure.reason, failure.metadata["cause"]) == ("STEP_UP_REQUIRED", "TRUST")
        assert (failure.metadata["score"], failure.metadata["floor"]) == ("19", "60")
        assert failure.metadata["acrValues"] == f"{ACR}2"
    begun = await scene.person.sign_in()
    assert begun.login.state == authentication.LOGIN_STATE_FACTOR_REQUIRED
    await scene.next_step()
    request = authentication.SubmitFactorRequest(
        parent=api.parent, login_token=begun.login_token, totp=app.code(scene.now), client_context=context()
    )
    second = await api.authentication.SubmitFactor(request)
    assert second.session.acr == f"{ACR}2"
    await verify(api, second.tokens.access_token)
    await refresh(api, second.tokens.refresh_token)


async def test_floors_of_scopes_are_asked_of_those_alone(stack: Stack, api: Api, person: Person) -> None:
    done = await person.sign_in()
    scope = (await verify(api, done.tokens.access_token)).scopes[0]
    await set_policy(stack, api, trust_floors=[{"scope": scope, "deny_below": 50}])
    await verify(api, done.tokens.access_token)
    request = tokens.VerifyAccessTokenRequest(access_token=done.tokens.access_token, required_scopes=[scope])
    failure = await failure_of(api.tokens.VerifyAccessToken(request))
    assert failure is not None
    assert (failure.reason, failure.metadata["floor"]) == ("TRUST_TOO_LOW", "50")
    refused = await failure_of(refresh(api, done.tokens.refresh_token))
    assert refused is not None
    assert refused.reason == "TRUST_TOO_LOW"


async def test_floors_of_actions_are_asked_of_those_alone(stack: Stack, api: Api, person: Person) -> None:
    done = await person.sign_in()
    await set_policy(stack, api, trust_floors=[{"action": "pay 5", "deny_below": 50}])

    def start(action: str) -> object:
        request = authentication.StartStepUpRequest(
            parent=api.parent, refresh_token=done.tokens.refresh_token, action=action, client_context=context()
        )
        return api.authentication.StartStepUp(request)

    failure = await failure_of(start("pay 5"))  # type: ignore[arg-type]  # a call of grpc.aio is awaitable
    assert failure is not None
    assert failure.reason == "TRUST_TOO_LOW"
    assert await failure_of(start("pay 4")) is None  # type: ignore[arg-type]  # as above


async def test_a_session_that_was_never_rated_counts_as_one_of_which_nothing_is_known(
    stack: Stack, api: Api, person: Person
) -> None:
    """It is neither fine nor refused for that alone: it has 30, and no score is told."""
    done = await person.sign_in()
    await stack.argus.db.execute_relaxed(
        "UPDATE sessions SET trust = NULL WHERE session_id = %s", (done.session.name.rpartition("/")[2],)
    )
    await stack.argus.redis.client.delete(stack.argus.keyspace.session_key(done.session.name.rpartition("/")[2]))
    assert not (await verify(api, done.tokens.access_token)).HasField("trust_score")
    await set_policy(stack, api, trust_deny_below=30)
    await verify(api, done.tokens.access_token)
    await set_policy(stack, api, trust_deny_below=31)
    failure = await failure_of(verify(api, done.tokens.access_token))
    assert failure is not None
    assert (failure.reason, failure.metadata["score"]) == ("TRUST_TOO_LOW", "30")


async def test_only_what_is_the_users_is_explained(api: Api, person: Person) -> None:
    done = await person.sign_in()
    other = await new_person(api)
    request = devices.ExplainTrustRequest(device=device_of(other, done.session))
    failure = await failure_of(api.devices.ExplainTrust(request))
    assert failure is not None
    assert failure.reason == "DEVICE_NOT_FOUND"
    ended = await failure_of(api.devices.ExplainTrust(devices.ExplainTrustRequest()))
    assert ended is not None
    assert ended.reason == "FIELD_INVALID"
    await api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=done.session.name))
    over = await failure_of(api.devices.ExplainTrust(devices.ExplainTrustRequest(session=done.session.name)))
    assert over is not None
    assert over.reason == "SESSION_NOT_ACTIVE"


async def test_trust_goes_by_the_patch_level_of_a_report_as_long_as_that_counts(
    stack: Stack, api: Api, person: Person
) -> None:
    """Then by what the device says of itself, as before."""
    name = name_of(person, await arrive(person))

    async def seen() -> list[str]:
        told = await api.devices.ExplainTrust(devices.ExplainTrustRequest(device=name))
        return [one.seen for one in told.terms if one.code == "PATCH_LEVEL"]

    own = await seen()
    posture = devices.Posture(source=devices.POSTURE_SOURCE_MDM, os="Windows", os_version="7")
    posture.measured_time.FromMilliseconds(stack.private.clock.now_ms())
    await api.devices.ReportPosture(devices.ReportPostureRequest(name=name, posture=posture))
    assert len(own) == 1
    assert await seen() != own
    await stack.advance(timedelta(hours=25))
    assert await seen() == own
