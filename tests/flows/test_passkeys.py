"""Passkeys over gRPC, with an authenticator of the tests' own: sign-in, second factor, step-up, refusals."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import device_service_pb2 as devices
from tests.support.passkey_scene import ACR, COMPLETE, FACTOR_REQUIRED, Scene, kinds, level, new_scene
from tests.support.passkeys import (
    allowed_by,
    authenticator_of,
    enrol_passkey,
    hand_in,
    options_of,
    set_rules,
    sign_in_by_passkey,
    start_passkey_login,
)
from tests.support.people import PASSWORD, new_person, reason_of, submit, verify
from tests.support.stack import Stack
from tests.support.virtual_authenticator import Maker


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    return await new_scene(stack)


async def test_a_passkey_alone_signs_its_user_in(scene: Scene) -> None:
    """Nobody is named: the authenticator finds the credential, and it says whose it is."""
    made = await scene.enrol(display_name="Phone")
    assert (made.display_name, made.discoverable, made.backup_eligible) == ("Phone", True, False)
    begun = await start_passkey_login(scene.api)
    assert kinds(begun.login) == ["WEBAUTHN"]
    assert allowed_by(begun.login) == []
    done = await scene.sign_in()
    assert level(done) == (2, ["mfa", "hwk", "user"])
    assert done.session.name.startswith(scene.person.name)
    verified = await verify(scene.api, done.tokens.access_token)
    assert (verified.acr, list(verified.amr)) == (f"{ACR}2", ["mfa", "hwk", "user"])
    assert (await scene.passkeys())[0].HasField("last_use_time")


async def test_a_synced_passkey_is_software(scene: Scene) -> None:
    scene.authenticator.is_syncable = scene.authenticator.is_synced = True
    made = await scene.enrol()
    assert (made.backup_eligible, made.backed_up) == (True, True)
    assert level(await scene.sign_in()) == (2, ["mfa", "swk", "user"])


async def test_a_security_key_is_the_second_factor(scene: Scene) -> None:
    """After the password the options name the user's keys; before it they name none."""
    scene.authenticator.verifies_user = False
    made = await scene.enrol(use=credentials.PASSKEY_USE_SECOND_FACTOR)
    begun = await start_passkey_login(scene.api, scene.person.identifier)
    assert (kinds(begun.login), allowed_by(begun.login)) == (["PASSWORD", "WEBAUTHN"], [])
    first = await submit(scene.api, begun.login_token, PASSWORD)
    assert first.login.state == FACTOR_REQUIRED
    assert not first.HasField("tokens")
    assert (kinds(first.login), allowed_by(first.login)) == (["WEBAUTHN"], [made.webauthn_id])
    answer = scene.authenticator.get(options_of(first.login))
    done = await hand_in(scene.api, first.login_token, webauthn_json=answer)
    assert level(done) == (2, ["pwd", "mfa", "hwk"])


async def test_a_key_that_verifies_nobody_is_one_factor(scene: Scene) -> None:
    """As the first factor it is not enough for whoever has a password: that is asked for, too."""
    scene.authenticator.verifies_user = False
    await scene.enrol(use=credentials.PASSKEY_USE_SECOND_FACTOR)
    first = await scene.sign_in()
    assert (first.login.state, kinds(first.login)) == (FACTOR_REQUIRED, ["PASSWORD"])
    assert level(await submit(scene.api, first.login_token, PASSWORD)) == (2, ["pwd", "mfa", "hwk"])


async def test_a_pin_that_somebody_set_later_proves_nothing(scene: Scene) -> None:
    """Until the user has proved another factor beside it (`uvInitialized` of WebAuthn Level 3)."""
    scene.authenticator.verifies_user = False
    await scene.enrol(use=credentials.PASSKEY_USE_SECOND_FACTOR)
    scene.authenticator.verifies_user = True
    first = await scene.sign_in()
    assert first.login.state == FACTOR_REQUIRED
    await submit(scene.api, first.login_token, PASSWORD)
    assert (await scene.sign_in()).login.state == FACTOR_REQUIRED
    begun = await start_passkey_login(scene.api, scene.person.identifier)
    after = await submit(scene.api, begun.login_token, PASSWORD)
    await hand_in(scene.api, after.login_token, webauthn_json=scene.authenticator.get(options_of(after.login)))
    assert level(await scene.sign_in()) == (2, ["mfa", "hwk", "user"])


async def test_a_key_is_no_other_factor_beside_itself(scene: Scene) -> None:
    """Whoever finds a key and sets a PIN on it is asked for another one of its owner, and hands in the same twice."""
    scene.authenticator.verifies_user = False
    await scene.enrol(use=credentials.PASSKEY_USE_SECOND_FACTOR)
    await scene.enrol(await authenticator_of(scene.api))
    scene.authenticator.verifies_user = True
    first = await scene.sign_in()
    assert (first.login.state, kinds(first.login)) == (FACTOR_REQUIRED, ["PASSWORD", "WEBAUTHN"])
    answer = scene.authenticator.get(options_of(first.login))
    again = await hand_in(scene.api, first.login_token, webauthn_json=answer)
    assert again.login.state == FACTOR_REQUIRED
    assert (await scene.sign_in()).login.state == FACTOR_REQUIRED


async def test_a_step_up_by_passkey_raises_the_session(scene: Scene) -> None:
    signed_in = await scene.person.sign_in()
    assert signed_in.session.acr == f"{ACR}1"
    await scene.enrol()
    request = authentication.StartStepUpRequest(
        parent=scene.api.parent, refresh_token=signed_in.tokens.refresh_token, acr_values=[f"{ACR}2"]
    )
    begun = await scene.api.authentication.StartStepUp(request)
    assert allowed_by(begun.login) == []
    answer = scene.authenticator.get(options_of(begun.login))
    done = await hand_in(scene.api, begun.login_token, webauthn_json=answer)
    assert level(done) == (2, ["mfa", "hwk", "user"])
    assert done.session.name == signed_in.session.name
    assert (await verify(scene.api, done.tokens.access_token)).acr == f"{ACR}2"


async def test_nobody_steps_up_with_a_passkey_of_somebody_else(scene: Scene) -> None:
    other = await new_person(scene.api)
    await enrol_passkey(scene.api, other.name, scene.authenticator)
    signed_in = await scene.person.sign_in()
    request = authentication.StartStepUpRequest(parent=scene.api.parent, refresh_token=signed_in.tokens.refresh_token)
    begun = await scene.api.authentication.StartStepUp(request)
    answer = scene.authenticator.get(options_of(begun.login))
    assert await reason_of(hand_in(scene.api, begun.login_token, webauthn_json=answer)) == "FACTOR_REFUSED"
    named = sign_in_by_passkey(scene.api, scene.authenticator, scene.person.identifier)
    assert await reason_of(named) == "FACTOR_REFUSED"
    unknown = sign_in_by_passkey(scene.api, scene.authenticator, "nobody@example.com")
    assert await reason_of(unknown) == "FACTOR_REFUSED"


async def test_level_3_needs_a_proved_make_and_a_key_that_stays(scene: Scene) -> None:
    maker = Maker()
    await set_rules(scene.api, attestation=credentials.PASSKEY_ATTESTATION_DIRECT, attestation_roots=[maker.root])
    scene.authenticator.maker = maker
    assert (await scene.enrol()).attested
    assert level(await scene.sign_in()) == (3, ["mfa", "hwk", "user"])
    synced = await authenticator_of(scene.api, maker=maker, is_syncable=True)
    assert (await scene.enrol(synced)).attested
    assert level(await scene.sign_in(synced)) == (2, ["mfa", "swk", "user"])


@pytest.mark.parametrize(
    ("traits", "kind"),
    [
        ({}, "hardware"),
        ({"transports": ("hybrid", "internal")}, "hardware"),
        # A security key, a phone beside it, and a browser that does not say.
        ({"transports": ("nfc", "usb"), "attachment": "cross-platform"}, "cookie"),
        ({"transports": ("hybrid", "internal"), "attachment": "cross-platform"}, "cookie"),
        ({"transports": ("usb",)}, "cookie"),
        ({"attachment": None}, "cookie"),
        ({"attachment": "teleport"}, "cookie"),
        # A key that can leave it, and one of a make that nobody proved.
        ({"is_syncable": True}, "cookie"),
        ({"maker": None}, "cookie"),
    ],
)
async def test_a_device_is_known_by_hardware_that_its_maker_vouches_for(
    traits: dict[str, Any], kind: str, scene: Scene
) -> None:
    maker = Maker()
    if traits.get("maker", maker):
        await set_rules(scene.api, attestation=credentials.PASSKEY_ATTESTATION_DIRECT, attestation_roots=[maker.root])
    authenticator = await authenticator_of(scene.api, **{"maker": maker} | traits)
    await scene.enrol(authenticator)
    first = await scene.sign_in(authenticator)
    assert await key_of(scene, first) == "none"

    async def again() -> str:
        begun = await start_passkey_login(scene.api, scene.person.identifier, device_token=first.device_token)
        answer = authenticator.get(options_of(begun.login))
        return await key_of(scene, await hand_in(scene.api, begun.login_token, webauthn_json=answer))

    assert await again() == kind
    # It counts at the sign-ins that show it, and is no property of the device.
    authenticator.attachment = "cross-platform"
    assert await again() == "cookie"


async def key_of(scene: Scene, done: authentication.SubmitFactorResponse) -> str:
    """By what kind of key trust knows the device of a session."""
    name = f"{scene.person.name}/devices/{done.session.device.name}"
    explained = await scene.api.devices.ExplainTrust(devices.ExplainTrustRequest(device=name))
    return next(term.seen for term in explained.terms if term.code == "KEY")


@pytest.mark.parametrize("policy", ["STEP_UP", "IGNORE", "REFUSE"])
async def test_a_copy_shows_by_its_counter(policy: str, scene: Scene) -> None:
    """Each policy does what it says, and the event tells of it whatever the policy.

    A copy that tries until its counter has caught up needs the password all the same, and so does the original, once.
    """
    number = credentials.PasskeyCounterPolicy.Value(f"PASSKEY_COUNTER_POLICY_{policy}")
    await set_rules(scene.api, counter_policy=number)
    await scene.enrol()
    clone = scene.authenticator.copy()
    await scene.sign_in()
    await scene.sign_in()
    if policy == "REFUSE":
        assert await reason_of(scene.sign_in(clone)) == "FACTOR_REFUSED"
    else:
        caught = await scene.sign_in(clone)
        assert caught.login.state == (COMPLETE if policy == "IGNORE" else FACTOR_REQUIRED)
        assert kinds(caught.login) == ([] if policy == "IGNORE" else ["PASSWORD"])
    (told,) = await scene.events("credential.passkey_counter_stalled")
    assert told["outcome"] == ("failure" if policy == "REFUSE" else "success")
    assert (told["data"]["stored"], told["data"]["presented"]) == ("2", "1")
    if policy != "IGNORE":
        clone.counter = 7
        assert (await scene.sign_in(clone)).login.state == FACTOR_REQUIRED
        scene.authenticator.counter = 8
        begun = await start_passkey_login(scene.api, scene.person.identifier)
        first = await submit(scene.api, begun.login_token, PASSWORD)
        answer = scene.authenticator.get(options_of(first.login))
        assert level(await hand_in(scene.api, first.login_token, webauthn_json=answer))[0] == 2
    assert level(await scene.sign_in())[0] == 2


@pytest.mark.parametrize("policy", ["STEP_UP", "REFUSE"])
async def test_a_copy_alone_lets_nobody_in(policy: str, scene: Scene) -> None:
    """Of a user without a password nothing else would be asked; the original beside a new password ends the doubt."""
    number = credentials.PasskeyCounterPolicy.Value(f"PASSKEY_COUNTER_POLICY_{policy}")
    await set_rules(scene.api, counter_policy=number)
    await scene.enrol()
    await _delete_password(scene)
    clone = scene.authenticator.copy()
    await scene.sign_in()
    await scene.sign_in()
    assert await reason_of(scene.sign_in(clone)) == "FACTOR_REFUSED"
    # Neither the copy that has caught up, nor the original: nobody can tell them apart.
    clone.counter, scene.authenticator.counter = 7, 8
    assert await reason_of(scene.sign_in(clone)) == "FACTOR_REFUSED"
    assert await reason_of(scene.sign_in()) == "FACTOR_REFUSED"
    assert [one["outcome"] for one in await scene.events("credential.passkey_counter_stalled")] == ["failure"] * 3
    request = credentials.SetPasswordRequest(parent=scene.person.name, password=PASSWORD)
    await scene.api.credentials.SetPassword(request)
    assert kinds((await scene.sign_in(clone)).login) == ["PASSWORD"]
    scene.authenticator.counter = 20
    begun = await start_passkey_login(scene.api, scene.person.identifier)
    first = await submit(scene.api, begun.login_token, PASSWORD)
    answer = scene.authenticator.get(options_of(first.login))
    assert level(await hand_in(scene.api, first.login_token, webauthn_json=answer))[0] == 2
    await _delete_password(scene)
    assert level(await scene.sign_in())[0] == 2


async def _delete_password(scene: Scene) -> None:
    """Leaves the user with passkeys alone."""
    found = await scene.api.credentials.ListCredentials(credentials.ListCredentialsRequest(parent=scene.person.name))
    (name,) = (one.name for one in found.credentials if one.kind == credentials.CREDENTIAL_KIND_PASSWORD)
    await scene.api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=name))


async def test_an_authenticator_that_does_not_count_is_no_copy(scene: Scene) -> None:
    await set_rules(scene.api, counter_policy=credentials.PASSKEY_COUNTER_POLICY_REFUSE)
    scene.authenticator.counter = None
    await scene.enrol()
    for _ in range(3):
        assert level(await scene.sign_in())[0] == 2
    assert not await scene.events("credential.passkey_counter_stalled")


async def test_backups_are_told_of(scene: Scene) -> None:
    scene.authenticator.is_syncable = True
    await scene.enrol()
    await scene.sign_in()
    scene.authenticator.is_synced = True
    await scene.sign_in()
    await scene.sign_in()
    (told,) = await scene.events("credential.passkey_backup_changed")
    assert told["data"]["backed_up"] == "true"
    assert (await scene.passkeys())[0].backed_up


@pytest.mark.parametrize(
    ("spoilt", "rule"),
    [
        ({"origin": "https://evil.example"}, "ORIGIN"),
        ({"crossOrigin": True}, "CROSS_ORIGIN"),
        ({"type": "webauthn.create"}, "TYPE"),
        ({"challenge": "AAAAAAAAAAAAAAAAAAAAAA"}, "CHALLENGE"),
    ],
)
async def test_a_sign_in_from_elsewhere_is_refused(spoilt: dict[str, Any], rule: str, scene: Scene) -> None:
    """The caller learns no more than that; the login goes on with new options."""
    await scene.enrol()
    begun = await start_passkey_login(scene.api)
    scene.authenticator.client_data = spoilt
    answer = scene.authenticator.get(options_of(begun.login))
    assert await reason_of(hand_in(scene.api, begun.login_token, webauthn_json=answer)) == "FACTOR_REFUSED"
    (told,) = await scene.events("factor.refused")
    assert told["data"]["rule"] == rule
    scene.authenticator.client_data = {}
    request = authentication.GetLoginRequest(name=begun.login.name)
    renewed = (await scene.api.authentication.GetLogin(request)).login
    assert options_of(renewed) != options_of(begun.login)
    done = await hand_in(scene.api, begun.login_token, webauthn_json=scene.authenticator.get(options_of(renewed)))
    assert level(done)[0] == 2


async def test_options_are_answered_once_and_soon(scene: Scene) -> None:
    await scene.enrol()
    begun = await start_passkey_login(scene.api)
    answer = scene.authenticator.get(options_of(begun.login))
    await hand_in(scene.api, begun.login_token, webauthn_json=answer)
    other = await start_passkey_login(scene.api)
    assert await reason_of(hand_in(scene.api, other.login_token, webauthn_json=answer)) == "FACTOR_REFUSED"
    late = await start_passkey_login(scene.api)
    answer = scene.authenticator.get(options_of(late.login))
    await scene.stack.advance(timedelta(minutes=5))
    assert await reason_of(hand_in(scene.api, late.login_token, webauthn_json=answer)) == "FACTOR_REFUSED"


async def test_options_that_nobody_has_answered_stay(scene: Scene) -> None:
    """Whoever reads the login takes nobody's options away."""
    begun = await start_passkey_login(scene.api)
    request = authentication.GetLoginRequest(name=begun.login.name)
    assert options_of((await scene.api.authentication.GetLogin(request)).login) == options_of(begun.login)


async def test_a_passkey_of_another_tenant_is_unknown(scene: Scene) -> None:
    await scene.enrol()
    elsewhere = await scene.stack.new_tenant()
    assert await reason_of(sign_in_by_passkey(elsewhere, scene.authenticator)) == "FACTOR_REFUSED"


async def test_the_first_options_are_the_same_for_everybody(scene: Scene) -> None:
    await scene.enrol()
    found = []
    for identifier in (scene.person.identifier, "nobody@example.com"):
        login = (await start_passkey_login(scene.api, identifier)).login
        options = json.loads(options_of(login))
        assert len(options.pop("challenge")) == 43
        found.append((kinds(login), options))
    assert found[0] == found[1]
