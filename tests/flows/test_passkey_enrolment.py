"""Passkeys over gRPC: what is registered, renamed and deleted, and what is not."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import user_service_pb2 as users
from tests.support.passkey_scene import ACR, Scene, kinds, level, new_scene
from tests.support.passkeys import (
    authenticator_of,
    confirm_enrolment,
    hand_in,
    options_of,
    set_rules,
    start_enrolment,
    start_passkey_login,
)
from tests.support.people import PASSWORD, new_person, reason_of, submit
from tests.support.stack import Stack
from tests.support.virtual_authenticator import Maker


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    return await new_scene(stack)


async def test_attestation_has_to_lead_to_a_root_of_the_tenant(scene: Scene) -> None:
    maker, stranger = Maker(), Maker()
    allowed = bytes(range(16))
    await set_rules(
        scene.api,
        attestation=credentials.PASSKEY_ATTESTATION_DIRECT,
        attestation_roots=[maker.root],
        aaguids=["00010203-0405-0607-0809-0A0B0C0D0E0F"],
    )
    for authenticator, rule in (
        (await authenticator_of(scene.api), "ATTESTATION"),
        (await authenticator_of(scene.api, maker=stranger, aaguid=allowed), "ATTESTATION"),
        (await authenticator_of(scene.api, maker=maker), "AAGUID"),
    ):
        begun = await start_enrolment(scene.api, scene.person.name)
        assert json.loads(begun.options_json)["attestation"] == "direct"
        assert await scene.refusal(authenticator.create(begun.options_json), begun.enrolment_id) == rule
    made = await scene.enrol(await authenticator_of(scene.api, maker=maker, aaguid=allowed))
    assert (made.attested, made.aaguid) == (True, "00010203-0405-0607-0809-0a0b0c0d0e0f")


async def test_an_enrolment_is_answered_once_and_soon(scene: Scene) -> None:
    begun = await start_enrolment(scene.api, scene.person.name)
    answer = scene.authenticator.create(begun.options_json)
    other = await new_person(scene.api)
    for user, wait in ((other.name, timedelta(0)), (scene.person.name, timedelta(minutes=5))):
        await scene.stack.advance(wait)
        call = confirm_enrolment(scene.api, user, begun.enrolment_id, answer)
        assert await reason_of(call) == "ENROLMENT_NOT_FOUND"
    begun = await start_enrolment(scene.api, scene.person.name)
    answer = scene.authenticator.create(begun.options_json)
    await confirm_enrolment(scene.api, scene.person.name, begun.enrolment_id, answer)
    again = confirm_enrolment(scene.api, scene.person.name, begun.enrolment_id, answer)
    assert await reason_of(again) == "ENROLMENT_NOT_FOUND"
    assert len(await scene.passkeys()) == 1


async def test_a_repeated_request_leads_to_the_same_passkey(scene: Scene) -> None:
    begun = await start_enrolment(scene.api, scene.person.name)
    asked = (scene.api, scene.person.name, begun.enrolment_id, scene.authenticator.create(begun.options_json))
    checked = await confirm_enrolment(*asked, validate_only=True)
    assert checked.webauthn_id
    assert not await scene.passkeys()
    first = await confirm_enrolment(*asked, request_id="once")
    assert await confirm_enrolment(*asked, request_id="once") == first
    assert [one.name for one in await scene.passkeys()] == [first.name]


async def test_a_credential_is_registered_for_one_user(scene: Scene) -> None:
    """Not for another one of any tenant of the relying party: whose it is would be anybody's guess."""
    made = await scene.enrol()
    elsewhere = await scene.stack.new_tenant()
    for api in (scene.api, elsewhere):
        other = await new_person(api)
        thief = await authenticator_of(api, next_id=made.webauthn_id)
        begun = await start_enrolment(api, other.name)
        call = confirm_enrolment(api, other.name, begun.enrolment_id, thief.create(begun.options_json))
        failure = await failure_of(call)
        assert failure is not None
        assert failure.metadata["rule"] == "CREDENTIAL_KNOWN"
        listed = await api.credentials.ListPasskeys(credentials.ListPasskeysRequest(parent=other.name))
        assert not listed.passkeys


async def test_presence_may_be_missing_only_where_the_browser_made_it_in_passing(scene: Scene) -> None:
    scene.authenticator.is_present = scene.authenticator.verifies_user = False
    begun = await start_enrolment(scene.api, scene.person.name, use=credentials.PASSKEY_USE_SECOND_FACTOR)
    answer = scene.authenticator.create(begun.options_json)
    assert await scene.refusal(answer, begun.enrolment_id) == "USER_PRESENCE"
    await scene.enrol(conditional=True)
    assert await reason_of(scene.sign_in()) == "FACTOR_REFUSED"


async def test_a_passkey_is_renamed_and_deleted(scene: Scene) -> None:
    made = await scene.enrol()
    request = credentials.UpdatePasskeyRequest(passkey=credentials.Passkey(name=made.name, display_name="Köy 2"))
    request.update_mask.paths.append("display_name")
    assert (await scene.api.credentials.UpdatePasskey(request)).passkey.display_name == "Köy 2"
    listed = await scene.api.credentials.ListCredentials(credentials.ListCredentialsRequest(parent=scene.person.name))
    assert {(one.kind, one.display_name) for one in listed.credentials} == {
        (credentials.CREDENTIAL_KIND_PASSWORD, ""),
        (credentials.CREDENTIAL_KIND_WEBAUTHN, "Köy 2"),
    }
    await scene.api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=made.name))
    assert not await scene.passkeys()
    assert await reason_of(scene.sign_in()) == "FACTOR_REFUSED"
    assert await reason_of(scene.api.credentials.UpdatePasskey(request)) == "CREDENTIAL_NOT_FOUND"
    assert (await scene.person.sign_in()).session.acr == f"{ACR}1"


async def test_browsers_are_told_what_is_left(scene: Scene) -> None:
    kept, gone = await scene.enrol(), await scene.enrol(await authenticator_of(scene.api))
    await scene.api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=gone.name))
    request = credentials.GetPasskeySignalsRequest(parent=scene.person.name)
    told = await scene.api.credentials.GetPasskeySignals(request)
    accepted, details = json.loads(told.accepted_credentials_json), json.loads(told.user_details_json)
    assert accepted["allAcceptedCredentialIds"] == [kept.webauthn_id]
    assert accepted["userId"] == details["userId"]
    assert (details["name"], details["displayName"]) == (scene.person.identifier, scene.person.identifier)


async def test_creation_options_are_what_browsers_take(scene: Scene) -> None:
    made = await scene.enrol()
    options = json.loads((await start_enrolment(scene.api, scene.person.name)).options_json)
    assert options["rp"]["id"] == "localhost"
    assert options["authenticatorSelection"] == {
        "residentKey": "required",
        "requireResidentKey": True,
        "userVerification": "required",
    }
    assert [one["id"] for one in options["excludeCredentials"]] == [made.webauthn_id]
    assert [one["alg"] for one in options["pubKeyCredParams"]][:3] == [-7, -8, -257]
    handle = scene.authenticator.credentials[0].user_handle
    assert len(handle) == 32
    again = await authenticator_of(scene.api)
    await scene.enrol(again)
    assert again.credentials[0].user_handle == handle
    assert scene.person.user_id.encode() not in handle


async def test_what_is_no_answer_is_named_and_spends_nothing(scene: Scene) -> None:
    begun = await start_enrolment(scene.api, scene.person.name)
    answer = scene.authenticator.create(begun.options_json)
    for text in ("{}", "[]", "nope", answer.replace('"type": "public-key"', '"type": "password"'), answer + "x"):
        assert await scene.refusal(text, begun.enrolment_id) == "MALFORMED"
    await confirm_enrolment(scene.api, scene.person.name, begun.enrolment_id, answer)
    login = await start_passkey_login(scene.api)
    failure = await failure_of(hand_in(scene.api, login.login_token, webauthn_json="{"))
    assert failure is not None
    assert (failure.code, failure.field) == ("INVALID_ARGUMENT", "webauthn_json")
    answer = scene.authenticator.get(options_of(login.login))
    assert level(await hand_in(scene.api, login.login_token, webauthn_json=answer))[0] == 2


async def test_a_login_enrols_a_passkey_where_the_level_asks_for_one(scene: Scene) -> None:
    begun = await start_passkey_login(scene.api, scene.person.identifier, acr_values=[f"{ACR}2"])
    first = await submit(scene.api, begun.login_token, PASSWORD)
    assert first.login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED
    assert "WEBAUTHN" in kinds(first.login)
    request = authentication.StartEnrolmentRequest(
        parent=scene.api.parent, login_token=first.login_token, kind=authentication.FACTOR_KIND_WEBAUTHN
    )
    enrolment = await scene.api.authentication.StartEnrolment(request)
    answer = scene.authenticator.create(enrolment.webauthn_options_json)
    done = await hand_in(scene.api, first.login_token, webauthn_json=answer)
    assert level(done) == (2, ["pwd", "mfa", "hwk", "user"])
    assert level(await scene.sign_in())[0] == 2


async def test_a_disabled_user_is_refused_and_a_deleted_one_leaves_nothing(scene: Scene) -> None:
    await scene.enrol()
    await scene.api.users.DisableUser(users.DisableUserRequest(name=scene.person.name))
    assert await reason_of(scene.sign_in()) == "FACTOR_REFUSED"
    await scene.api.users.DeleteUser(users.DeleteUserRequest(name=scene.person.name))
    assert await reason_of(scene.sign_in()) == "FACTOR_REFUSED"
    for table in ("passkeys", "passkey_users", "credentials"):
        rows = await scene.stack.argus.db.fetch_all(
            f"SELECT 1 FROM {table} WHERE tenant_id = %s",
            (scene.api.tenant_id,),
        )
        assert not rows, table
