"""A reset by mail stands in for the password alone: whoever reads a user's mail still lacks the second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from tests.support.account_links import NEW_PASSWORD, Post
from tests.support.authenticator import App, enrol_app
from tests.support.factor_scene import Scene, kinds
from tests.support.passkey_scene import level
from tests.support.passkeys import authenticator_of, enrol_passkey, options_of, sign_in_by_passkey
from tests.support.people import new_person, submit

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.v1 import account_service_pb2 as accounts
    from tests.support.mails import MailServer
    from tests.support.stack import Stack
    from tests.support.virtual_authenticator import Authenticator

_SUBJECT: Final = "Set a new password"
FACTOR_REQUIRED: Final = authentication.LOGIN_STATE_FACTOR_REQUIRED


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def scene(stack: Stack, api: Api) -> Scene:
    return Scene(stack, api, await new_person(api))


@pytest.fixture
def post(stack: Stack, api: Api, mails: MailServer) -> Post:
    return Post(stack=stack, api=api, mails=mails)


async def reset(post: Post, scene: Scene) -> accounts.CompleteRecoveryResponse:
    """Sets a new password by the link in a mail."""
    address = scene.person.identifier
    await post.recover(address)
    await post.carry_out()
    await post.mails.until(lambda: any(one.subject == _SUBJECT for one in post.mails.of(address)))
    mail = next(one for one in post.mails.of(address) if one.subject == _SUBJECT)
    done: accounts.CompleteRecoveryResponse = await post.complete("recovery", mail.token)
    return done


async def second_step(scene: Scene) -> authentication.SubmitFactorResponse:
    """A sign-in with the new password, which is not enough."""
    first = await submit(scene.api, await scene.person.start(), NEW_PASSWORD)
    assert first.login.state == FACTOR_REQUIRED
    assert not first.HasField("tokens")
    assert not first.session.name
    return first


async def test_a_reset_is_still_asked_for_the_app(post: Post, scene: Scene) -> None:
    """Signs nobody in, ends what there was, keeps the app; the right code is needed as before."""
    app: App = await enrol_app(scene.api, scene.person.name, scene.now)
    before = await scene.signed_in(app)
    assert before.session.name
    kept = (await scene.credentials())[credentials.CREDENTIAL_KIND_TOTP]
    done = await reset(post, scene)
    assert {one.name for one, _ in done.ListFields()} == {"sessions_state"}
    assert await scene.person.list() == []
    assert (await scene.credentials())[credentials.CREDENTIAL_KIND_TOTP].name == kept.name
    await scene.next_step()
    first = await second_step(scene)
    assert "TOTP" in kinds(first.login)
    assert "PASSWORD" not in kinds(first.login)
    refused = await failure_of(scene.hand_in(first.login_token, totp=app.wrong_code(scene.now)))
    assert refused is not None
    assert refused.reason == "FACTOR_REFUSED"
    assert await scene.person.list() == []
    assert level(await scene.hand_in(first.login_token, totp=app.code(scene.now))) == (2, ["pwd", "otp", "mfa"])


async def test_a_reset_is_still_asked_for_the_passkey(post: Post, scene: Scene) -> None:
    """And gives no way past it: a code by mail, were it offered, is no second factor either."""
    device: Authenticator = await authenticator_of(scene.api)
    await enrol_passkey(scene.api, scene.person.name, device)
    await reset(post, scene)
    first = await second_step(scene)
    assert kinds(first.login) == ["WEBAUTHN"]
    answer = device.get(options_of(first.login))
    acr, amr = level(await scene.hand_in(first.login_token, webauthn_json=answer))
    assert (acr, "pwd" in amr, "mfa" in amr) == (2, True, True)
    # The passkey alone is as good as it was.
    assert level(await sign_in_by_passkey(scene.api, device))[0] == 2


async def test_a_reset_is_still_asked_for_a_recovery_code(post: Post, scene: Scene) -> None:
    """Codes are not made anew by it, and one that was used stays so."""
    await enrol_app(scene.api, scene.person.name, scene.now)
    codes = await scene.codes()
    for code in codes[:1]:
        first = await scene.past_password()
        assert (await scene.hand_in(first.login_token, recovery_code=code)).session.name
    await reset(post, scene)
    first = await second_step(scene)
    refused = await failure_of(scene.hand_in(first.login_token, recovery_code=codes[0]))
    assert refused is not None
    assert refused.reason == "FACTOR_REFUSED"
    assert level(await scene.hand_in(first.login_token, recovery_code=codes[1]))[0] == 2
