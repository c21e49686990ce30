"""Sign-ins take one factor after the other, until the level that is wanted is reached; each code counts once."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import token_service_pb2 as tokens
from tests.support.authenticator import app_of
from tests.support.factor_scene import ACR, STEP, Scene, kinds, new_scene
from tests.support.features import origin
from tests.support.people import PASSWORD, new_person, reason_of, submit, verify
from tests.support.stack import Stack


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    return await new_scene(stack)


async def test_whoever_has_an_app_is_asked_for_it(scene: Scene) -> None:
    """The password alone gives neither tokens nor a session; with the code the level is 2, and it is so everywhere."""
    app = await scene.app()
    begun = await scene.start()
    assert kinds(begun.login) == ["PASSWORD", "WEBAUTHN"]
    first = await submit(scene.api, begun.login_token, PASSWORD)
    assert first.login.state == authentication.LOGIN_STATE_FACTOR_REQUIRED
    assert kinds(first.login) == ["TOTP"]
    assert not first.HasField("tokens")
    assert await scene.person.count() == 0
    assert await reason_of(submit(scene.api, begun.login_token, PASSWORD)) == "LOGIN_NOT_FOUND"
    done = await scene.hand_in(first.login_token, totp=app.code(scene.now))
    assert done.login.state == authentication.LOGIN_STATE_COMPLETE
    assert (done.session.acr, list(done.session.amr)) == (f"{ACR}2", ["pwd", "otp", "mfa"])
    verified = await verify(scene.api, done.tokens.access_token)
    assert (verified.acr, list(verified.amr)) == (f"{ACR}2", ["pwd", "otp", "mfa"])
    told = await scene.api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=done.tokens.access_token))
    assert (told.acr, list(told.amr)) == (f"{ACR}2", ["pwd", "otp", "mfa"])
    assert (
        verified.auth_time.ToDatetime()
        == told.auth_time.ToDatetime()
        == done.session.auth_time.ToDatetime().replace(microsecond=0)
    )
    assert await scene.events("factor.proved") == 1


async def test_a_wrong_code_leaves_the_login_as_it_was(scene: Scene) -> None:
    app = await scene.app()
    first = await scene.past_password()
    for code in (app.wrong_code(scene.now), "12345", "１２３４５６", "-00001", "abcdef"):
        assert await reason_of(scene.hand_in(first.login_token, totp=code)) == "FACTOR_REFUSED"
    assert (await scene.hand_in(first.login_token, totp=app.code(scene.now))).HasField("tokens")


async def test_one_step_of_drift_counts_either_way_and_two_do_not(scene: Scene) -> None:
    app = await scene.app()
    await scene.next_step()
    first = await scene.past_password()
    for steps in (-2, 2):
        code = app.code(scene.now, steps=steps)
        assert await reason_of(scene.hand_in(first.login_token, totp=code)) == "FACTOR_REFUSED"
    await scene.hand_in(first.login_token, totp=app.code(scene.now, steps=-1))
    first = await scene.past_password()
    await scene.hand_in(first.login_token, totp=app.code(scene.now, steps=1))


async def test_l08_a_code_counts_once_and_so_does_its_step(scene: Scene) -> None:
    """endpoint-attacks L08 (ASVS 6.5.1): the code twice, and the code of the step before after that of the present."""
    app = await scene.app()
    await scene.next_step()
    code = app.code(scene.now)
    await scene.hand_in((await scene.past_password()).login_token, totp=code)
    again = (await scene.past_password()).login_token
    assert await reason_of(scene.hand_in(again, totp=code)) == "FACTOR_REFUSED"
    assert await reason_of(scene.hand_in(again, totp=app.code(scene.now, steps=-1))) == "FACTOR_REFUSED"
    await scene.stack.advance(STEP)
    assert await reason_of(scene.hand_in(again, totp=code)) == "FACTOR_REFUSED"
    await scene.hand_in(again, totp=app.code(scene.now))


async def test_l08_of_64_parallel_uses_one_succeeds(scene: Scene) -> None:
    """endpoint-attacks L08, from a device each, so that no throttle stands in the way."""
    app = await scene.app()
    factors, now = scene.stack.argus.kinds, scene.now
    user = (scene.api.tenant_id, scene.person.user_id)
    checks = await asyncio.gather(*(factors.totp.check(*user, app.code(now)) for _ in range(64)))
    assert all(one.credential_id for one in checks)
    assert sum(await asyncio.gather(*(factors.totp.use(user[0], one) for one in checks))) == 1


async def test_of_parallel_submits_of_one_code_one_succeeds(scene: Scene) -> None:
    app = await scene.app()
    logins = [(await scene.past_password()).login_token for _ in range(9)]
    code = app.code(scene.now)
    answers = await asyncio.gather(*(reason_of(scene.hand_in(one, totp=code)) for one in logins))
    assert sorted(answers) == ["", *["FACTOR_REFUSED"] * 8]
    assert await scene.person.count() == 1


async def test_the_code_that_enrols_counts_no_second_time(scene: Scene) -> None:
    begun = await scene.api.credentials.StartTotpEnrolment(
        credentials.StartTotpEnrolmentRequest(parent=scene.person.name, display_name="Phone")
    )
    app = app_of(begun.uri)
    assert "<svg" in begun.qr_svg
    assert begun.uri.startswith("otpauth://totp/")
    confirm = credentials.ConfirmTotpEnrolmentRequest(
        parent=scene.person.name, enrolment_id=begun.enrolment_id, code=app.code(scene.now)
    )
    confirmed = await scene.api.credentials.ConfirmTotpEnrolment(confirm)
    assert (confirmed.credential.kind, confirmed.credential.display_name) == (credentials.CREDENTIAL_KIND_TOTP, "Phone")
    assert await reason_of(scene.api.credentials.ConfirmTotpEnrolment(confirm)) == "ENROLMENT_NOT_FOUND"
    first = await scene.past_password()
    assert await reason_of(scene.hand_in(first.login_token, totp=app.code(scene.now))) == "FACTOR_REFUSED"


async def test_nothing_counts_before_it_is_confirmed(scene: Scene) -> None:
    begun = await scene.api.credentials.StartTotpEnrolment(
        credentials.StartTotpEnrolmentRequest(parent=scene.person.name)
    )
    assert list(await scene.credentials()) == [credentials.CREDENTIAL_KIND_PASSWORD]
    assert (await scene.past_password()).login.state == authentication.LOGIN_STATE_COMPLETE
    app = app_of(begun.uri)
    confirm = credentials.ConfirmTotpEnrolmentRequest(
        parent=scene.person.name, enrolment_id=begun.enrolment_id, code=app.wrong_code(scene.now)
    )
    assert await reason_of(scene.api.credentials.ConfirmTotpEnrolment(confirm)) == "FACTOR_REFUSED"
    another = await new_person(scene.api)
    confirm = credentials.ConfirmTotpEnrolmentRequest(
        parent=another.name, enrolment_id=begun.enrolment_id, code=app.code(scene.now)
    )
    assert await reason_of(scene.api.credentials.ConfirmTotpEnrolment(confirm)) == "ENROLMENT_NOT_FOUND"
    await scene.stack.advance(timedelta(minutes=10))
    confirm = credentials.ConfirmTotpEnrolmentRequest(
        parent=scene.person.name, enrolment_id=begun.enrolment_id, code=app.code(scene.now)
    )
    assert await reason_of(scene.api.credentials.ConfirmTotpEnrolment(confirm)) == "ENROLMENT_NOT_FOUND"


async def test_recovery_codes_stand_in_once_each(scene: Scene) -> None:
    await scene.app()
    codes = await scene.codes()
    assert len(set(codes)) == 10
    for left, code in ((9, codes[0]), (8, codes[1].lower().replace("-", " "))):
        first = await scene.past_password()
        assert kinds(first.login) == ["TOTP", "RECOVERY_CODE"]
        done = await scene.hand_in(first.login_token, recovery_code=code)
        assert done.session.acr == f"{ACR}2"
        assert (await scene.credentials())[credentials.CREDENTIAL_KIND_RECOVERY_CODES].recovery_codes_left == left
    first = await scene.past_password()
    assert await reason_of(scene.hand_in(first.login_token, recovery_code=codes[0])) == "FACTOR_REFUSED"
    fresh = await scene.codes()
    assert await reason_of(scene.hand_in(first.login_token, recovery_code=codes[2])) == "FACTOR_REFUSED"
    tries = await asyncio.gather(
        *(reason_of(scene.hand_in(first.login_token, recovery_code=fresh[0])) for _ in range(5))
    )
    assert tries.count("") == 1


async def test_of_64_parallel_uses_of_a_recovery_code_one_succeeds(scene: Scene) -> None:
    code = (await scene.codes())[0]
    recovery_codes, user = scene.stack.argus.kinds.recovery_codes, (scene.api.tenant_id, scene.person.user_id)
    checks = await asyncio.gather(*(recovery_codes.check(*user, code) for _ in range(64)))
    assert all(one.credential_id for one in checks)
    uses = (recovery_codes.use(*user, one, origin=origin(user[0])) for one in checks)
    assert sum(await asyncio.gather(*uses)) == 1
    assert await recovery_codes.left(*user) == 9


async def test_recovery_codes_alone_ask_for_nothing(scene: Scene) -> None:
    await scene.codes()
    assert (await scene.past_password()).login.state == authentication.LOGIN_STATE_COMPLETE


async def test_no_factor_is_taken_that_is_not_a_challenge(scene: Scene) -> None:
    """The second factor comes after the first, and nobody skips it."""
    app = await scene.app()
    code = (await scene.codes())[0]
    begun = await scene.start()
    for factor in (
        {"totp": app.code(scene.now)},
        {"recovery_code": code},
        {"email_code": "1"},
    ):
        assert await reason_of(scene.hand_in(begun.login_token, **factor)) == "FIELD_INVALID"
    first = await submit(scene.api, begun.login_token, PASSWORD)
    assert await reason_of(submit(scene.api, first.login_token, PASSWORD)) == "FIELD_INVALID"
    await scene.hand_in(first.login_token, totp=app.code(scene.now))


async def test_a_level_that_is_asked_for_is_enrolled_for(scene: Scene) -> None:
    """Where the user has no factor for it, the login asks to enrol one, and its first code completes it."""
    first = await scene.past_password(acr_values=(f"{ACR}2",))
    assert first.login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED
    assert kinds(first.login) == ["WEBAUTHN", "TOTP"]
    assert await scene.person.count() == 0
    assert await reason_of(scene.hand_in(first.login_token, totp="000000")) == "FIELD_INVALID"
    request = authentication.StartEnrolmentRequest(
        parent=scene.api.parent, login_token=first.login_token, kind=authentication.FACTOR_KIND_TOTP
    )
    forgotten = app_of((await scene.api.authentication.StartEnrolment(request)).uri)
    begun = await scene.api.authentication.StartEnrolment(request)
    app = app_of(begun.uri)
    for code in (forgotten.code(scene.now), app.wrong_code(scene.now)):
        assert await reason_of(scene.hand_in(first.login_token, totp=code)) == "FACTOR_REFUSED"
    done = await scene.hand_in(first.login_token, totp=app.code(scene.now))
    assert (done.session.acr, list(done.session.amr)) == (f"{ACR}2", ["pwd", "otp", "mfa"])
    assert kinds((await scene.past_password()).login) == ["TOTP"]


async def test_nothing_is_enrolled_before_what_is_there_was_proved(scene: Scene) -> None:
    """Else the password alone would be enough to add a factor of one's own."""
    await scene.app()
    first = await scene.past_password(acr_values=(f"{ACR}2",))
    request = authentication.StartEnrolmentRequest(
        parent=scene.api.parent, login_token=first.login_token, kind=authentication.FACTOR_KIND_TOTP
    )
    failure = await failure_of(scene.api.authentication.StartEnrolment(request))
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "kind")


async def test_nothing_is_enrolled_by_a_login_from_before_a_factor(scene: Scene) -> None:
    """Nor beside it: a thief of the password who waits where it is asked to enrol, while the owner sets up an app."""
    started, waiting = [await scene.past_password(acr_values=(f"{ACR}2",)) for _ in range(2)]
    request = authentication.StartEnrolmentRequest(
        parent=scene.api.parent, login_token=started.login_token, kind=authentication.FACTOR_KIND_TOTP
    )
    stolen = app_of((await scene.api.authentication.StartEnrolment(request)).uri)
    await scene.app()
    assert await reason_of(scene.hand_in(started.login_token, totp=stolen.code(scene.now))) == "LOGIN_NOT_FOUND"
    request.login_token = waiting.login_token
    assert await reason_of(scene.api.authentication.StartEnrolment(request)) == "LOGIN_NOT_FOUND"
    assert await scene.person.count() == 0


async def test_a_policy_requires_a_level(scene: Scene) -> None:
    policies, tenant_id = scene.stack.argus.policies, scene.api.tenant_id
    user = Scope(kind="user", id=scene.person.user_id)
    await policies.set_document(tenant_id, user, {"required_acr": 2}, origin=origin(tenant_id))
    first = await scene.past_password()
    assert first.login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED
    app = await scene.app()
    done = await scene.hand_in((await scene.past_password()).login_token, totp=app.code(scene.now))
    assert done.session.acr == f"{ACR}2"
    await policies.set_document(tenant_id, user, {"required_acr": 3}, origin=origin(tenant_id))
    await scene.stack.advance(STEP)
    first = await scene.past_password()
    failure = await failure_of(scene.hand_in(first.login_token, totp=app.code(scene.now)))
    assert failure is not None
    assert (failure.reason, failure.metadata) == ("LEVEL_UNREACHABLE", {"requiredAcr": f"{ACR}3"})


async def test_who_has_lost_the_app_is_let_in_again(scene: Scene) -> None:
    """The way back: an administrator deletes the credential."""
    await scene.app()
    found = (await scene.credentials())[credentials.CREDENTIAL_KIND_TOTP]
    await scene.api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=found.name))
    assert (await scene.past_password()).login.state == authentication.LOGIN_STATE_COMPLETE


async def test_secrets_lie_encrypted(scene: Scene) -> None:
    """Neither PostgreSQL nor Redis has the secret or a recovery code."""
    app, codes = await scene.app(), await scene.codes()
    begun = await scene.api.credentials.StartTotpEnrolment(
        credentials.StartTotpEnrolmentRequest(parent=scene.person.name)
    )
    rows = [
        *await scene.stack.argus.db.fetch_all("SELECT encode(ciphertext, 'escape') AS text FROM totp_secrets"),
        *await scene.stack.argus.db.fetch_all("SELECT encode(code_hmac, 'escape') AS text FROM recovery_codes"),
    ]
    assert rows
    for row in rows:
        assert app.secret not in row["text"]
        assert not any(code.replace("-", "") in row["text"] for code in codes)
    redis = scene.stack.argus.redis.client
    async for key in redis.scan_iter(match="a1:te:*"):
        assert begun.secret not in str(await redis.get(key))


async def test_who_proved_a_password_that_was_replaced_begins_anew(scene: Scene) -> None:
    """A thief of the password who is asked for a second factor, or to enrol one, can't go on after it was set anew."""
    enrolling = await scene.past_password(acr_values=(f"{ACR}2",))
    begun = await scene.api.authentication.StartEnrolment(
        authentication.StartEnrolmentRequest(
            parent=scene.api.parent, login_token=enrolling.login_token, kind=authentication.FACTOR_KIND_TOTP
        )
    )
    request = credentials.SetPasswordRequest(parent=scene.person.name, password="eleven calm seals on a wet rock")
    await scene.api.credentials.SetPassword(request)
    stolen = app_of(begun.uri).code(scene.now)
    assert await reason_of(scene.hand_in(enrolling.login_token, totp=stolen)) == "LOGIN_NOT_FOUND"
    assert set(await scene.credentials()) == {credentials.CREDENTIAL_KIND_PASSWORD}
    app = await scene.app()
    waiting = await submit(scene.api, (await scene.start()).login_token, request.password)
    await scene.api.credentials.SetPassword(request)
    assert await reason_of(scene.hand_in(waiting.login_token, totp=app.code(scene.now))) == "LOGIN_NOT_FOUND"
    assert await scene.person.count() == 0


async def test_a_login_that_counts_no_more_spends_no_code(scene: Scene) -> None:
    """Its password was replaced meanwhile: the recovery code that is handed in there is good for the next login."""
    await scene.app()
    codes, waiting = await scene.codes(), await scene.past_password()
    request = credentials.SetPasswordRequest(parent=scene.person.name, password=PASSWORD)
    await scene.stack.advance(timedelta(seconds=1))
    await scene.api.credentials.SetPassword(request)
    assert await reason_of(scene.hand_in(waiting.login_token, recovery_code=codes[0])) == "LOGIN_NOT_FOUND"
    anew = await scene.past_password()
    assert (await scene.hand_in(anew.login_token, recovery_code=codes[0])).HasField("tokens")
