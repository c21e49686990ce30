"""Users change what they prove themselves with: after a fresh proof, and never so that nothing is left."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.policies.model import Scope
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import types_pb2 as types
from tests.support.authenticator import App, app_of
from tests.support.factor_scene import Scene, new_scene
from tests.support.features import origin
from tests.support.oneself import Acting
from tests.support.passkeys import authenticator_of
from tests.support.people import new_person
from tests.support.virtual_authenticator import Authenticator

if TYPE_CHECKING:
    from tests.support.stack import Stack

NEW_PASSWORD: Final = "fourteen tidy geese behind the barn"
# Whatever changes a factor, as a request that would be good but for the age of the proof.
CHANGES: Final[dict[str, dict[str, Any]]] = {
    "ChangeOwnPassword": {"password": NEW_PASSWORD},
    "DeleteOwnCredential": {"name": "credential"},
    "StartOwnTotpEnrolment": {},
    "ConfirmOwnTotpEnrolment": {"enrolment_id": "x" * 22, "code": "123456"},
    "ReplaceOwnRecoveryCodes": {},
    "StartOwnPasskeyEnrolment": {},
    "ConfirmOwnPasskeyEnrolment": {"enrolment_id": "x" * 22, "response_json": "{}"},
}


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    return await new_scene(stack)


async def acting(scene: Scene) -> Acting:
    """A new session by password."""
    return Acting(scene.api, await scene.person.sign_in())


async def enrol_app(scene: Scene, own: Acting, **how: Any) -> App:
    """The user enrols an authenticator app."""
    begun = await own.do("StartOwnTotpEnrolment", display_name="My phone")
    app = app_of(begun.uri)
    code = app.code(scene.now, steps=-1)
    await own.do("ConfirmOwnTotpEnrolment", enrolment_id=begun.enrolment_id, code=code, **how)
    return app


async def enrol_passkey(own: Acting, device: Authenticator, **how: Any) -> str:
    """The user enrols a passkey; returns its name."""
    begun = await own.do("StartOwnPasskeyEnrolment")
    answer = device.create(begun.options_json)
    made = await own.do(
        "ConfirmOwnPasskeyEnrolment", enrolment_id=begun.enrolment_id, response_json=answer, display_name="Key", **how
    )
    return str(made.passkey.name)


async def step_up(scene: Scene, own: Acting, app: App) -> None:
    """Steps up by password and app, in a step of which no code was used."""
    await scene.next_step()
    begun = await scene.start_step_up(own.refresh_token, acr_values=["urn:argus:acr:2"])
    first = await scene.hand_in(begun.login_token, password="seven quiet otters under a bridge")
    done = await scene.hand_in(first.login_token, totp=app.code(scene.now))
    own.access_token, own.refresh_token = done.tokens.access_token, done.tokens.refresh_token


async def own_credentials(own: Acting) -> dict[int, credentials.Credential]:
    """The user's credentials by kind."""
    return {one.kind: one for one in (await own.do("ListOwnCredentials")).credentials}


@pytest.mark.parametrize("rpc", CHANGES)
async def test_asvs_7_5_1_a_change_needs_a_proof_of_the_last_five_minutes(rpc: str, scene: Scene) -> None:
    own = await acting(scene)
    fields = dict(CHANGES[rpc])
    if "name" in fields:
        fields["name"] = (await own_credentials(own))[credentials.CREDENTIAL_KIND_PASSWORD].name
    await scene.stack.advance(timedelta(minutes=5, seconds=1))
    await own.refresh()
    failure = await own.refused(rpc, **fields)
    assert (failure.reason, failure.metadata["cause"]) == ("STEP_UP_REQUIRED", "AUTH_AGE")
    assert failure.metadata["maxAgeSeconds"] == "300"
    await own.step_up()
    reason = (await own.refused(rpc, **fields)).reason if fields.keys() & {"name", "code", "response_json"} else ""
    assert reason in {"", "ENROLMENT_NOT_FOUND", "LAST_CREDENTIAL", "PASSKEY_REFUSED"}


async def test_a_user_enrols_an_app_and_recovery_codes(scene: Scene) -> None:
    """From then on a fresh proof is one with the app; other sessions end, the one that changes goes on."""
    own, other = await acting(scene), await acting(scene)
    app = await enrol_app(scene, own)
    assert (await other.refused("GetSelf")).reason == "SESSION_ENDED"
    failure = await own.refused("ReplaceOwnRecoveryCodes")
    assert (failure.reason, failure.metadata["cause"]) == ("STEP_UP_REQUIRED", "ACR")
    assert failure.metadata["acrValues"] == "urn:argus:acr:2"
    await step_up(scene, own, app)
    made = await own.do("ReplaceOwnRecoveryCodes")
    assert (len(made.codes), made.credential.recovery_codes_left) == (10, 10)
    found = await own_credentials(own)
    assert found[credentials.CREDENTIAL_KIND_TOTP].display_name == "My phone"
    assert found[credentials.CREDENTIAL_KIND_RECOVERY_CODES].recovery_codes_left == 10
    kinds = await own.kinds()
    assert kinds[0] == "RECOVERY_CODES_REPLACED"
    assert "CREDENTIAL_ADDED" in kinds
    added = next(one for one in await own.events() if one.credential_kind == credentials.CREDENTIAL_KIND_TOTP)
    assert added.by_user


async def test_a_wrong_code_enrols_nothing(scene: Scene) -> None:
    own, other = await acting(scene), await acting(scene)
    begun = await own.do("StartOwnTotpEnrolment")
    wrong = app_of(begun.uri).wrong_code(scene.now)
    failure = await own.refused("ConfirmOwnTotpEnrolment", enrolment_id=begun.enrolment_id, code=wrong)
    assert failure.reason == "FACTOR_REFUSED"
    assert list(await own_credentials(own)) == [credentials.CREDENTIAL_KIND_PASSWORD]
    await other.do("GetSelf")


async def test_nobody_confirms_what_somebody_else_has_begun(scene: Scene) -> None:
    own = await acting(scene)
    theirs = Acting(scene.api, await (await new_person(scene.api)).sign_in())
    begun = await theirs.do("StartOwnTotpEnrolment")
    code = app_of(begun.uri).code(scene.now)
    failure = await own.refused("ConfirmOwnTotpEnrolment", enrolment_id=begun.enrolment_id, code=code)
    assert failure.reason == "ENROLMENT_NOT_FOUND"
    passkey = await theirs.do("StartOwnPasskeyEnrolment")
    answer = (await authenticator_of(scene.api)).create(passkey.options_json)
    request: dict[str, Any] = {"enrolment_id": passkey.enrolment_id, "response_json": answer}
    assert (await own.refused("ConfirmOwnPasskeyEnrolment", **request)).reason == "ENROLMENT_NOT_FOUND"


async def test_the_last_way_in_stays(scene: Scene) -> None:
    """A password may go once there is a passkey, and then the passkey may not."""
    own = await acting(scene)
    password = (await own_credentials(own))[credentials.CREDENTIAL_KIND_PASSWORD].name
    failure = await own.refused("DeleteOwnCredential", name=password)
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "LAST_CREDENTIAL")
    device = await authenticator_of(scene.api)
    passkey = await enrol_passkey(own, device)
    # The level that the user can reach now is the passkey's.
    assert (await own.refused("DeleteOwnCredential", name=password)).metadata["acrValues"] == "urn:argus:acr:2"
    await by_passkey(scene, own, device)
    await own.do("DeleteOwnCredential", name=password)
    assert list(await own_credentials(own)) == [credentials.CREDENTIAL_KIND_WEBAUTHN]
    assert (await own.refused("DeleteOwnCredential", name=passkey)).reason == "LAST_CREDENTIAL"
    assert "CREDENTIAL_DELETED" in await own.kinds()


async def test_two_at_once_leave_one_way_in(scene: Scene) -> None:
    """Each would be the last without the other."""
    own = await acting(scene)
    device = await authenticator_of(scene.api)
    passkey = await enrol_passkey(own, device)
    password = (await own_credentials(own))[credentials.CREDENTIAL_KIND_PASSWORD].name
    await by_passkey(scene, own, device)
    outcomes = await asyncio.gather(
        *(own.do("DeleteOwnCredential", name=name) for name in (password, passkey)), return_exceptions=True
    )
    assert sum(isinstance(one, BaseException) for one in outcomes) == 1
    assert len(await own_credentials(own)) == 1


async def test_a_deleted_factor_ends_other_sessions_unless_they_are_kept(scene: Scene) -> None:
    own = await acting(scene)
    app = await enrol_app(scene, own)
    other = Acting(scene.api, await scene.signed_in(app))
    await step_up(scene, own, app)
    totp = (await own_credentials(own))[credentials.CREDENTIAL_KIND_TOTP].name
    request: dict[str, Any] = {"name": totp, "keep_other_sessions": True, "request_id": "once"}
    kept = await own.do("DeleteOwnCredential", **request)
    assert (kept.ended_count, kept.sessions_state) == (0, types.TERMINATION_STATE_UNSPECIFIED)
    assert await own.do("DeleteOwnCredential", **request) == kept
    assert (await own.refused("DeleteOwnCredential", name=totp)).reason == "CREDENTIAL_NOT_FOUND"
    app = await enrol_app(scene, own, keep_other_sessions=True)
    assert {one.name for one in await own.sessions()} == {own.session, other.session}
    await step_up(scene, own, app)
    totp = (await own_credentials(own))[credentials.CREDENTIAL_KIND_TOTP].name
    ended = await own.do("DeleteOwnCredential", name=totp)
    assert (ended.ended_count, ended.sessions_state) == (1, types.TERMINATION_STATE_ENDED)
    assert [one.name for one in await own.sessions()] == [own.session]


async def test_a_user_renames_a_factor(scene: Scene) -> None:
    """Without a fresh proof: it changes nothing about who may come in."""
    own = await acting(scene)
    passkey = await enrol_passkey(own, await authenticator_of(scene.api))
    await scene.stack.advance(timedelta(minutes=10))
    await own.refresh()
    renamed = (await own.do("UpdateOwnCredential", name=passkey, display_name="Blue key")).credential
    assert (renamed.display_name, renamed.kind) == ("Blue key", credentials.CREDENTIAL_KIND_WEBAUTHN)
    assert (await own.kinds())[0] == "CREDENTIAL_RENAMED"
    failure = await own.refused("UpdateOwnCredential", name=passkey, display_name="x" * 101)
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "display_name")


async def by_passkey(scene: Scene, own: Acting, device: Authenticator) -> None:
    """Steps up by a passkey alone."""
    begun = await scene.start_step_up(own.refresh_token, acr_values=["urn:argus:acr:2"])
    options = next(one.webauthn_options_json for one in begun.login.challenges if one.webauthn_options_json)
    done = await scene.hand_in(begun.login_token, webauthn_json=device.get(options))
    own.access_token, own.refresh_token = done.tokens.access_token, done.tokens.refresh_token


async def test_what_the_policy_requires_stays(scene: Scene) -> None:
    """Under a required level the last factor that reaches it stays: else the password alone could enrol another one."""
    own = await acting(scene)
    app = await enrol_app(scene, own)
    await step_up(scene, own, app)
    tenant_id = scene.api.tenant_id
    await scene.stack.argus.policies.set_document(
        tenant_id, Scope(kind="tenant", id=tenant_id), {"required_acr": 2}, origin=origin(tenant_id)
    )
    names = {kind: one.name for kind, one in (await own_credentials(own)).items()}
    for kind in (credentials.CREDENTIAL_KIND_TOTP, credentials.CREDENTIAL_KIND_PASSWORD):
        failure = await own.refused("DeleteOwnCredential", name=names[kind])
        assert failure.reason == "LAST_CREDENTIAL"
    assert (await own.refused("DeleteOwnCredential", name=names[credentials.CREDENTIAL_KIND_TOTP])).metadata[
        "requiredAcr"
    ] == "urn:argus:acr:2"
    # Codes are used up: they are no factor to live by.
    await own.do("ReplaceOwnRecoveryCodes")
    assert (
        await own.refused("DeleteOwnCredential", name=names[credentials.CREDENTIAL_KIND_TOTP])
    ).reason == "LAST_CREDENTIAL"
    await enrol_passkey(own, await authenticator_of(scene.api))
    await own.do("DeleteOwnCredential", name=names[credentials.CREDENTIAL_KIND_TOTP])
