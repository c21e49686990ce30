"""Rows L06, L09 and L10 of `endpoint-attacks.csv`; L08 is in tests/flows/test_factors.py."""

from __future__ import annotations

from datetime import timedelta

import pytest

from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.threats.guessing.model import CLOSING_FAILURES
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import session_service_pb2 as sessions
from tests.support.factor_scene import ACR, Scene, kinds, new_scene
from tests.support.features import origin
from tests.support.people import PASSWORD, WRONG_PASSWORD, new_person, reason_of, submit
from tests.support.policies import set_document
from tests.support.stack import Stack

FREE = 10


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    return await new_scene(stack)


async def test_l06_who_fails_for_a_victim_keeps_its_known_device_out_of_nothing(scene: Scene) -> None:
    """Ten hundred failures: most are not even looked at. The victim's device gets in, with both factors."""
    app = await scene.app()
    await scene.next_step()
    first = await scene.past_password()
    device = (await scene.hand_in(first.login_token, totp=app.code(scene.now))).device_token
    begun = await scene.start()
    refused = [await failure_of(submit(scene.api, begun.login_token, WRONG_PASSWORD)) for _ in range(1000)]
    reasons = {one.reason for one in refused if one is not None}
    assert reasons == {"FACTOR_REFUSED", "GUESSING_THROTTLED"}
    assert sum(one is not None and one.reason == "FACTOR_REFUSED" for one in refused) <= FREE + 20
    assert await reason_of(scene.past_password()) == "GUESSING_THROTTLED"
    await scene.next_step()
    mine = await scene.past_password(device_token=device)
    assert (await scene.hand_in(mine.login_token, totp=app.code(scene.now))).HasField("tokens")


async def test_l06_who_knows_the_password_and_guesses_codes_keeps_the_victim_out_of_nothing(scene: Scene) -> None:
    """The budget of the second factor is its own: no right password clears it. A known device has one apart."""
    app = await scene.app()
    device = (await scene.signed_in(app)).device_token
    # However long the tries take here.
    await set_document(scene.stack, scene.api.tenant_id, {"lockout_seconds": 900})
    answers = []
    for _ in range(FREE + 3):
        first = await scene.past_password()
        answers.append(await reason_of(scene.hand_in(first.login_token, totp=app.wrong_code(scene.now))))
    assert answers == [*["FACTOR_REFUSED"] * FREE, *["GUESSING_THROTTLED"] * 3]
    await scene.next_step()
    mine = await scene.past_password(device_token=device)
    assert (await scene.hand_in(mine.login_token, totp=app.code(scene.now))).HasField("tokens")


async def test_at_a_hundred_failures_an_app_is_closed_to_unknown_devices(scene: Scene) -> None:
    """NIST SP 800-63B-4, 3.2.2; the ways back: a known device, a recovery code, a new app, an administrator."""
    app, codes = await scene.app(), await scene.codes()
    device = (await scene.signed_in(app)).device_token
    wait = timedelta(minutes=15)
    first = await scene.past_password()
    for number in range(CLOSING_FAILURES):
        if number >= FREE:
            await scene.stack.advance(wait)
            first = await scene.past_password()
        assert await reason_of(scene.hand_in(first.login_token, totp=app.wrong_code(scene.now))) == "FACTOR_REFUSED"
    await scene.stack.advance(wait)
    first = await scene.past_password()
    assert await reason_of(scene.hand_in(first.login_token, totp=app.code(scene.now))) == "FACTOR_REFUSED"
    assert (await scene.hand_in(first.login_token, recovery_code=codes[0])).HasField("tokens")
    await scene.next_step()
    mine = await scene.past_password(device_token=device)
    assert (await scene.hand_in(mine.login_token, totp=app.code(scene.now))).HasField("tokens")
    fresh = await scene.app()
    first = await scene.past_password()
    assert (await scene.hand_in(first.login_token, totp=fresh.code(scene.now))).HasField("tokens")


async def test_l09_ids_are_always_new(scene: Scene) -> None:
    """Session fixation: what a client brings along becomes neither session nor device nor login (ASVS 7.2.4)."""
    stranger = await new_person(scene.api)
    brought = (await stranger.sign_in()).device_token
    seen: set[str] = set()
    for device_token in ("", "made.up", brought, brought):
        begun = await scene.start(device_token=device_token)
        done = await submit(scene.api, begun.login_token, PASSWORD)
        assert done.device_token not in {"", brought}
        ids = {begun.login.name, done.session.name, done.session.device.name, done.tokens.refresh_token}
        assert not ids & seen
        seen |= ids


async def test_l09_a_token_from_before_a_factor_is_worth_nothing_after_it(scene: Scene) -> None:
    """Who has begun a login for the victim does not get its session when the victim goes on with it."""
    app = await scene.app()
    begun = await scene.start()
    first = await submit(scene.api, begun.login_token, PASSWORD)
    for factor in ({"totp": app.code(scene.now)}, {"password": PASSWORD}):
        assert await reason_of(scene.hand_in(begun.login_token, **factor)) == "LOGIN_NOT_FOUND"
    done = await scene.hand_in(first.login_token, totp=app.code(scene.now))
    answers = [
        await reason_of(scene.hand_in(spent, password=PASSWORD)) for spent in (begun.login_token, first.login_token)
    ]
    assert answers == ["LOGIN_NOT_FOUND", "LOGIN_COMPLETE"]
    shown = await scene.api.authentication.GetLogin(authentication.GetLoginRequest(name=done.login.name))
    assert kinds(shown.login) == []
    assert shown.login.state == authentication.LOGIN_STATE_COMPLETE


async def test_l10_no_step_is_skipped_by_create_session(scene: Scene, stack: Stack) -> None:
    """Who only signs in begins no session itself; who does vouches for what it may and the policy requires (2.3.1)."""
    await scene.app()
    own, modest = scene.api, await stack.private.new_tenant(max_asserted_acr=1)
    request = sessions.CreateSessionRequest(parent=(await new_person(modest)).name, acr=f"{ACR}2")
    assert await reason_of(modest.sessions.CreateSession(request)) == "ASSERTED_ACR_TOO_HIGH"
    signs_in = await stack.new_tenant(scopes=("login.run",))
    request = sessions.CreateSessionRequest(parent=f"{signs_in.parent}/users/somebody")
    failure = await failure_of(signs_in.sessions.CreateSession(request))
    assert failure is not None
    assert (failure.code, failure.reason) == ("PERMISSION_DENIED", "CALLER_SCOPE_MISSING")
    scope = Scope(kind="tenant", id=own.tenant_id)
    await stack.argus.policies.set_document(own.tenant_id, scope, {"required_acr": 2}, origin=origin(own.tenant_id))
    failure = await failure_of(own.sessions.CreateSession(sessions.CreateSessionRequest(parent=scene.person.name)))
    assert failure is not None
    assert (failure.reason, failure.metadata["acrValues"]) == ("STEP_UP_REQUIRED", f"{ACR}2")
    assert await scene.person.count() == 0
