"""What administrators do for users who have lost something: it lets nobody in, and leaves a trace."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.credentials.model import CredentialKind
from argus.flows.factor_reset import FactorsReset
from argus.users.model import UserDisabledError
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import user_service_pb2 as users
from tests.support.account_links import NEW_PASSWORD, Post
from tests.support.factor_scene import ACR, Scene, kinds, new_scene
from tests.support.mails import MailServer
from tests.support.passkeys import authenticator_of, enrol_passkey
from tests.support.people import PASSWORD, reason_of, refresh, submit, terminate
from tests.support.stack import Stack

KIND = credentials.CredentialKind
PASSWORD_ALONE = {credentials.CREDENTIAL_KIND_PASSWORD}


@pytest.fixture
async def scene(stack: Stack) -> Scene:
    return await new_scene(stack)


@pytest.fixture
def post(scene: Scene, mails: MailServer) -> Post:
    return Post(stack=scene.stack, api=scene.api, mails=mails)


def administrator(scene: Scene) -> Origin:
    return Origin(tenant_id=scene.api.tenant_id, actor="cli:root", request_id=new_id(), method="argus users")


async def reset(scene: Scene, *kinds: CredentialKind, **how: Any) -> FactorsReset:
    """Takes kinds of factors away; none named: all."""
    chosen: dict[str, Any] = {"kinds": kinds} if kinds else {}
    return await scene.stack.argus.factor_reset.reset(
        scene.api.tenant_id, scene.person.user_id, origin=administrator(scene), **chosen, **how
    )


async def facts(scene: Scene, kind: str) -> list[dict[str, Any]]:
    rows = await scene.stack.argus.db.fetch_all(
        "SELECT actor, data FROM audit_events WHERE tenant_id = %s AND type = %s ORDER BY time",
        (scene.api.tenant_id, kind),
    )
    return [{"actor": row["actor"], **row["data"]} for row in rows]


async def test_all_that_was_lost_goes_and_the_password_stays(scene: Scene, post: Post) -> None:
    """Sessions end, the user is told, and the audit has who did it and why."""
    app = await scene.app()
    await scene.codes()
    await enrol_passkey(scene.api, scene.person.name, await authenticator_of(scene.api))
    living = await scene.signed_in(app)
    done = await reset(scene, comment="seen with passport")
    assert {one.kind for one in done.removed} == {"totp", "recovery_codes", "webauthn"}
    assert done.has_password
    assert set(await scene.credentials()) == PASSWORD_ALONE
    assert await reason_of(refresh(scene.api, living.tokens.refresh_token)) == "SESSION_ENDED"
    noted = [one for one in await facts(scene, "credential.deleted") if one.get("comment") == "seen with passport"]
    assert [(one["actor"], one["kind"]) for one in noted].count(("cli:root", "totp")) == 1
    assert len(noted) == 3
    # Three came, three went.
    told = [await post.mail(scene.person.identifier) for _ in range(6)]
    removed = [one for one in told if one.subject == "A way to sign in was removed"]
    assert len(removed) == len(noted)
    assert sum("authenticator app" in " ".join(one.text.split()) for one in removed) == 1
    assert (await scene.person.sign_in()).session.acr == f"{ACR}1"


async def test_of_what_was_not_lost_nothing_goes(scene: Scene) -> None:
    """Without the app the codes still stand in for it: the reset takes what it was told to."""
    await scene.app()
    codes = await scene.codes()
    assert [one.kind for one in (await reset(scene, "totp", terminate_sessions=False)).removed] == ["totp"]
    assert set(await scene.credentials()) == {*PASSWORD_ALONE, credentials.CREDENTIAL_KIND_RECOVERY_CODES}
    first = await scene.past_password(acr_values=(f"{ACR}2",))
    assert kinds(first.login) == ["RECOVERY_CODE"]
    assert (await scene.hand_in(first.login_token, recovery_code=codes[0])).session.acr == f"{ACR}2"


async def test_a_second_reset_finds_nothing(scene: Scene) -> None:
    await scene.app()
    outcomes = await asyncio.gather(reset(scene), reset(scene))
    assert sorted(len(one.removed) for one in outcomes) == [0, 1]
    with pytest.raises(ValueError, match="totp, recovery_codes, webauthn"):
        await reset(scene, "password")


async def test_who_has_no_password_is_told_of(scene: Scene) -> None:
    """A user of passkeys alone has nothing left to begin with: the administrator learns it."""
    await enrol_passkey(scene.api, scene.person.name, await authenticator_of(scene.api))
    password = (await scene.credentials())[credentials.CREDENTIAL_KIND_PASSWORD]
    await scene.api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=password.name))
    assert not (await reset(scene)).has_password


async def test_a_link_in_the_hand_sets_a_password_and_nothing_else(scene: Scene, post: Post) -> None:
    """Once, within the hour; it proves no address, and the second factor is asked for as before."""
    app = await scene.app()
    user_id = scene.person.user_id
    url, link = await scene.stack.argus.accounts.help.hand_link(
        scene.api.tenant_id, user_id, origin=administrator(scene)
    )
    page, _, token = url.partition("#")
    assert page.endswith(f"/t/{scene.api.tenant_id}/account/recovery")
    assert link.expire_time - link.create_time == timedelta(hours=1)
    assert (await post.look(token)).email == ""
    await post.complete("recovery", token)
    assert await reason_of(post.complete("recovery", token)) == "LINK_INVALID"
    user = (await scene.api.users.GetUser(users.GetUserRequest(name=scene.person.name))).user
    assert not user.identifiers[0].HasField("verify_time")
    assert await reason_of(scene.person.sign_in(password=PASSWORD)) == "FACTOR_REFUSED"
    begun = await scene.start()
    first = await submit(scene.api, begun.login_token, NEW_PASSWORD)
    assert first.login.state == authentication.LOGIN_STATE_FACTOR_REQUIRED
    assert not first.HasField("tokens")
    await scene.next_step()
    assert (await scene.hand_in(first.login_token, totp=app.code(scene.now))).session.acr == f"{ACR}2"
    (noted,) = await facts(scene, "account.link_handed_over")
    assert noted == {"actor": "cli:root", "link": link.link_id}
    assert token not in str(await facts(scene, "account.recovered"))


async def test_a_link_in_the_hand_ends_with_the_next_password(scene: Scene, post: Post) -> None:
    """Like those in mails: who sets a password makes all of them useless."""
    url, _ = await scene.stack.argus.accounts.help.hand_link(
        scene.api.tenant_id, scene.person.user_id, origin=administrator(scene)
    )
    request = credentials.SetPasswordRequest(parent=scene.person.name, password=NEW_PASSWORD)
    await scene.api.credentials.SetPassword(request)
    assert await reason_of(post.complete("recovery", url.partition("#")[2])) == "LINK_INVALID"


async def test_who_may_not_sign_in_gets_no_link(scene: Scene) -> None:
    helping, tenant_id = scene.stack.argus.accounts.help, scene.api.tenant_id
    await scene.api.users.DisableUser(users.DisableUserRequest(name=scene.person.name))
    for offer in (helping.hand_link, helping.send_link):
        with pytest.raises(UserDisabledError):
            await offer(tenant_id, scene.person.user_id, origin=administrator(scene))


async def test_a_link_is_sent_that_nobody_asked_for(scene: Scene, post: Post) -> None:
    living = await scene.person.sign_in()
    address = await scene.stack.argus.accounts.help.send_link(
        scene.api.tenant_id, scene.person.user_id, comment="called", origin=administrator(scene)
    )
    assert address == scene.person.identifier
    await post.complete("recovery", (await post.mail(address)).token)
    assert (await terminate(scene.api, living.session.name)).session.end_reason != 0
    assert (await scene.person.sign_in(password=NEW_PASSWORD)).session.name
    assert [one["comment"] for one in await facts(scene, "account.recovery_sent")] == ["called"]
