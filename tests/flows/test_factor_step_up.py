"""Step-ups ask for all that the wanted level takes, and can be for one action alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import token_service_pb2 as tokens
from tests.support.authenticator import app_of
from tests.support.factor_scene import ACR, Scene, kinds, new_scene
from tests.support.features import origin
from tests.support.people import PASSWORD, new_client, reason_of, refresh, submit, terminate, verify
from tests.support.stack import Stack

ACTION = "transfer 100 EUR to DE02 1203 0000 0000 2020 51"
BANK = "https://bank.example.com"


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    return await new_scene(stack)


async def test_a_session_rises_to_the_level_that_a_call_demands(scene: Scene) -> None:
    """RFC 9470: refused with acr_values, stepped up with them, accepted; the refresh tokens after it know, too."""
    weak = await scene.person.sign_in()
    app = await scene.app()
    demanding = tokens.VerifyAccessTokenRequest(access_token=weak.tokens.access_token, acr_values=[f"{ACR}2"])
    failure = await failure_of(scene.api.tokens.VerifyAccessToken(demanding))
    assert failure is not None
    assert (failure.reason, failure.metadata["acrValues"]) == ("STEP_UP_REQUIRED", f"{ACR}2")
    begun = await scene.start_step_up(weak.tokens.refresh_token, acr_values=[failure.metadata["acrValues"]])
    assert kinds(begun.login) == ["PASSWORD", "WEBAUTHN"]
    first = await submit(scene.api, begun.login_token, PASSWORD)
    assert kinds(first.login) == ["TOTP"]
    assert (await verify(scene.api, weak.tokens.access_token)).acr == f"{ACR}1"
    done = await scene.hand_in(first.login_token, totp=app.code(scene.now))
    assert done.session.name == weak.session.name
    demanding.access_token = done.tokens.access_token
    risen = await scene.api.tokens.VerifyAccessToken(demanding)
    assert (risen.acr, list(risen.amr)) == (f"{ACR}2", ["pwd", "otp", "mfa"])
    assert risen.auth_time.ToDatetime() >= weak.session.auth_time.ToDatetime().replace(microsecond=0)
    assert (
        await reason_of(
            scene.api.tokens.RefreshToken(tokens.RefreshTokenRequest(refresh_token=weak.tokens.refresh_token))
        )
        == "STEP_UP_REQUIRED"
    )
    refreshed = await scene.api.tokens.RefreshToken(tokens.RefreshTokenRequest(refresh_token=done.tokens.refresh_token))
    assert (await verify(scene.api, refreshed.tokens.access_token)).acr == f"{ACR}2"


async def test_a_step_up_never_falls_below_what_the_user_has(scene: Scene) -> None:
    """Whoever has a refresh token and the password is asked for the second factor all the same."""
    app = await scene.app()
    strong = await scene.signed_in(app)
    begun = await scene.start_step_up(strong.tokens.refresh_token)
    first = await submit(scene.api, begun.login_token, PASSWORD)
    assert first.login.state == authentication.LOGIN_STATE_FACTOR_REQUIRED
    assert await reason_of(scene.hand_in(first.login_token, totp=app.code(scene.now))) == "FACTOR_REFUSED"
    await scene.next_step()
    done = await scene.hand_in(first.login_token, totp=app.code(scene.now))
    assert done.session.acr == f"{ACR}2"


async def test_max_age_is_met_by_a_step_up(scene: Scene) -> None:
    old = await scene.person.sign_in()
    await scene.stack.advance(timedelta(minutes=4))
    fresh = tokens.VerifyAccessTokenRequest(access_token=old.tokens.access_token)
    fresh.max_age.FromTimedelta(timedelta(minutes=2))
    failure = await failure_of(scene.api.tokens.VerifyAccessToken(fresh))
    assert failure is not None
    assert (failure.reason, failure.metadata["maxAgeSeconds"]) == ("STEP_UP_REQUIRED", "120")
    begun = await scene.start_step_up(old.tokens.refresh_token)
    done = await submit(scene.api, begun.login_token, PASSWORD)
    fresh.access_token = done.tokens.access_token
    assert (await scene.api.tokens.VerifyAccessToken(fresh)).session == old.session.name


async def test_a_step_up_enrols_where_nothing_reaches_the_level(scene: Scene) -> None:
    weak = await scene.person.sign_in()
    begun = await scene.start_step_up(weak.tokens.refresh_token, acr_values=[f"{ACR}2"])
    first = await submit(scene.api, begun.login_token, PASSWORD)
    assert first.login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED
    made = await scene.api.authentication.StartEnrolment(
        authentication.StartEnrolmentRequest(
            parent=scene.api.parent, login_token=first.login_token, kind=authentication.FACTOR_KIND_TOTP
        )
    )
    done = await scene.hand_in(first.login_token, totp=app_of(made.uri).code(scene.now))
    assert (done.session.name, done.session.acr) == (weak.session.name, f"{ACR}2")


async def test_an_action_is_confirmed_once_to_whoever_carries_it_out(scene: Scene) -> None:
    """Not another one, not elsewhere, not for another session, not by another tenant's word, and not twice."""
    weak, other = await scene.person.sign_in(), await scene.person.sign_in()
    begun = await scene.start_step_up(weak.tokens.refresh_token, action=ACTION, action_resource=BANK)
    done = await submit(scene.api, begun.login_token, PASSWORD)
    assert done.action_token

    async def spend(**changes: str) -> authentication.SpendActionTokenResponse:
        fields = {"session": weak.session.name, "action_token": done.action_token, "action": ACTION, "resource": BANK}
        request = authentication.SpendActionTokenRequest(**(fields | changes))
        return await scene.api.authentication.SpendActionToken(request)

    for changes in (
        {"action": ACTION.replace("100", "900")},
        {"resource": "https://shop.example.com"},
        {"resource": ""},
        {"session": other.session.name},
        {"action_token": done.action_token[:-1] + "!"},
    ):
        assert await reason_of(spend(**changes)) == "ACTION_TOKEN_INVALID"
    answers = await asyncio.gather(*(reason_of(spend()) for _ in range(8)))
    assert sorted(answers) == ["", *["ACTION_TOKEN_INVALID"] * 7]
    assert await scene.events("action.confirmed") == 1
    found = await scene.stack.argus.db.fetch_all(
        "SELECT data::text AS text FROM audit_events WHERE tenant_id = %s AND type LIKE 'action%%'",
        (scene.api.tenant_id,),
    )
    assert not any(done.action_token in row["text"] for row in found)


async def test_an_action_token_is_gone_with_its_session_and_in_five_minutes(scene: Scene) -> None:
    backend = await new_client(scene.api, scene.stack.private)
    for ending in ("late", "ended"):
        weak = await scene.person.sign_in()
        begun = await scene.start_step_up(weak.tokens.refresh_token, action=ACTION)
        done = await submit(scene.api, begun.login_token, PASSWORD)
        if ending == "late":
            await scene.stack.advance(timedelta(minutes=5, seconds=1))
        else:
            await terminate(scene.api, weak.session.name)
        request = authentication.SpendActionTokenRequest(
            session=weak.session.name, action_token=done.action_token, action=ACTION
        )
        expected = {"late": "ACTION_TOKEN_INVALID", "ended": "SESSION_ENDED"}[ending]
        assert await reason_of(backend.authentication.SpendActionToken(request)) == expected
    await backend.close()


async def test_no_action_no_token(scene: Scene) -> None:
    weak = await scene.person.sign_in()
    done = await submit(scene.api, (await scene.start_step_up(weak.tokens.refresh_token)).login_token, PASSWORD)
    assert not done.action_token


async def test_a_raised_level_asks_living_sessions_to_step_up(scene: Scene) -> None:
    """At their next refresh; the session itself goes on, and whoever has nothing for the level enrols it."""
    weak = await scene.person.sign_in()
    policies, tenant_id = scene.stack.argus.policies, scene.api.tenant_id
    document = {"required_acr": 2}
    await policies.set_document(tenant_id, Scope(kind="tenant", id=tenant_id), document, origin=origin(tenant_id))
    await scene.stack.argus.snapshot.refresh()
    failure = await failure_of(refresh(scene.api, weak.tokens.refresh_token))
    assert failure is not None
    assert (failure.reason, failure.metadata) == ("STEP_UP_REQUIRED", {"cause": "ACR", "acrValues": f"{ACR}2"})
    assert await scene.person.count() == 1
    begun = await scene.start_step_up(weak.tokens.refresh_token, acr_values=[failure.metadata["acrValues"]])
    first = await submit(scene.api, begun.login_token, PASSWORD)
    enrolling = await scene.api.authentication.StartEnrolment(
        authentication.StartEnrolmentRequest(
            parent=scene.api.parent, login_token=first.login_token, kind=authentication.FACTOR_KIND_TOTP
        )
    )
    done = await scene.hand_in(first.login_token, totp=app_of(enrolling.uri).code(scene.now))
    assert done.session.name == weak.session.name
    renewed = await refresh(scene.api, done.tokens.refresh_token)
    assert (await verify(scene.api, renewed.tokens.access_token)).acr == f"{ACR}2"
