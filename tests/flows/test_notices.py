"""Users are told by mail what happens to their account: each thing once, with the change or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from argus.base import clock as clocks
from argus.base.events import EVENT_TYPES
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.flows.accounts.notices import TOLD
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import notification_service_pb2 as notifications
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.account_links import NEW_PASSWORD, new_address
from tests.support.authenticator import app_of
from tests.support.factor_scene import Scene
from tests.support.passkeys import authenticator_of, enrol_passkey
from tests.support.people import FIREFOX, Person, submit
from tests.support.policies import set_policy
from tests.support.readers import Reader, acting, new_reader

if TYPE_CHECKING:
    from tests.support.mails import MailServer
    from tests.support.stack import Stack

ADDED: Final = "A way to sign in was added"
REMOVED: Final = "A way to sign in was removed"
NEW_DEVICE: Final = "Sign-in on a new device"
NEW_PASSWORD_SET: Final = "Your password was changed"

# What no mail tells of: what is no change of the ways into an account, what has a mail of its own (links, codes,
# invitations), and what its user does all day.
NOT_MAILED: Final = frozenset(
    name
    for name in EVENT_TYPES
    if name.partition(".")[0]
    in {
        "account",
        "action",
        "audit",
        "caller",
        "channel",
        "client",
        "delivery",
        "factor",
        "group",
        "guessing",
        "invitation",
        "key",
        "link",
        "login",
        "mail",
        "policy",
        "preferences",
        "proof",
        "refresh",
        "session",
        "step_up",
        "template",
        "tenant",
        "theme",
        "token",
        "user",
    }
    # Where a limit ended it, those are told who want to be.
    and name != "session.ended"
) | {
    # Seen in the list of security events; a mail for each would teach people not to read any.
    "credential.passkey_renamed",
    "credential.renamed",
    "credential.passkey_backup_changed",
    "credential.passkey_counter_stalled",
    "credential.passkey_refused",
    "credential.recovery_code_used",
    "device.distrusted",
    "device.forgotten",
    "device.trusted",
    "device.updated",
    # Its user is told of `device.new`, the one that is news.
    "device.created",
    # For administrators and for what judges devices.
    "device.posture_reported",
    "device.signalled",
    # `device.reported` tells of it.
    "credential.closed",
    # Whose link it was has read the mail with it.
    "identifier.verified",
}


@pytest.fixture
async def reader(stack: Stack, mails: MailServer) -> Reader:
    return await new_reader(stack, mails)


@pytest.fixture
def scene(reader: Reader) -> Scene:
    return Scene(reader.post.stack, reader.post.api, reader.person)


def test_of_every_event_it_is_decided_whether_a_mail_tells_of_it() -> None:
    assert TOLD.keys() | NOT_MAILED == EVENT_TYPES.keys()
    assert not TOLD.keys() & NOT_MAILED


async def test_the_first_device_is_no_notice_and_each_further_one_is(reader: Reader) -> None:
    first = await reader.person.sign_in()
    assert await reader.told() == {}
    await reader.person.sign_in(device_token=first.device_token)
    assert await reader.told() == {}
    await reader.person.sign_in(ip="2001:db8::7")
    mail = await reader.only()
    assert mail.subject == NEW_DEVICE
    for part in (mail.text, mail.html):
        assert "Firefox on Linux" in part
        assert "2001:db8::7" in part
        assert f"{clocks.now(reader.post.stack.private.clock):%Y-%m-%d}" in part
        issuer = reader.post.stack.argus.tenants.issuer(reader.post.api.tenant_id)
        assert f"{issuer}/account/devices" in part
        assert f"{issuer}/recovery" in part


async def test_who_has_forgotten_all_devices_is_told_of_the_next_one(reader: Reader) -> None:
    own = await acting(reader)
    await own.do("ForgetOwnDevice", device_id=own.device_id)
    await reader.person.sign_in()
    assert await reader.told() == {NEW_DEVICE: 1}


async def test_an_app_that_comes_and_goes_is_told_of_by_whichever_way(reader: Reader, scene: Scene) -> None:
    own = await acting(reader)
    begun = await own.do("StartOwnTotpEnrolment", display_name="My phone")
    code = app_of(begun.uri).code(scene.now, steps=-1)
    ip = types.ClientContext(ip_address="192.0.2.9", user_agent=FIREFOX)
    await own.do(
        "ConfirmOwnTotpEnrolment",
        enrolment_id=begun.enrolment_id,
        code=code,
        keep_other_sessions=True,
        client_context=ip,
    )
    mail = await reader.only()
    assert mail.subject == ADDED
    assert all("an authenticator app, “My phone”" in " ".join(part.split()) for part in (mail.text, mail.html))
    assert "192.0.2.9" in mail.text
    assert "Firefox on Linux" in mail.text
    assert begun.secret not in mail.text + mail.html
    name = (await scene.credentials())[credentials.CREDENTIAL_KIND_TOTP].name
    request = credentials.DeleteCredentialRequest(name=name, request_id="twice")
    for _ in range(2):
        await reader.post.api.credentials.DeleteCredential(request)
    mail = await reader.only()
    assert mail.subject == REMOVED
    assert "By: an administrator or a service" in mail.text
    assert "“My phone”" in mail.text


async def test_recovery_codes_made_anew_are_told_of_without_them(reader: Reader, scene: Scene) -> None:
    codes = await scene.codes()
    mail = await reader.only()
    assert mail.subject == ADDED
    assert "recovery codes. Codes that you had" in " ".join(mail.text.split())
    assert not any(code in mail.text + mail.html for code in codes)


async def test_a_passkey_is_told_of_when_it_comes_and_goes(reader: Reader) -> None:
    api, name = reader.post.api, reader.person.name
    passkey = await enrol_passkey(api, name, await authenticator_of(api), display_name="Blue <key>")
    mail = await reader.only()
    assert mail.subject == ADDED
    assert "“Blue <key>”" in mail.text
    assert "“Blue &lt;key&gt;”" in mail.html
    passkey.display_name = "Red"
    mask = FieldMask(paths=["display_name"])
    await api.credentials.UpdatePasskey(credentials.UpdatePasskeyRequest(passkey=passkey, update_mask=mask))
    # Another name changes nothing about who can sign in: else whoever is in could fill the owner's mailbox with it.
    assert await reader.told() == {}
    await api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=passkey.name))
    assert await reader.told() == {REMOVED: 1}


async def test_a_factor_enrolled_at_sign_in_is_told_of(reader: Reader, scene: Scene) -> None:
    await reader.post.set_policy(required_acr=2)
    first = await scene.past_password()
    started = await _start_enrolment(scene, first.login_token)
    done = await scene.hand_in(first.login_token, totp=app_of(started).code(scene.now, steps=-1))
    assert done.session.name
    assert await reader.told() == {ADDED: 1}


async def _start_enrolment(scene: Scene, login_token: str) -> str:
    from argus.v1 import authentication_service_pb2 as authentication

    started = await scene.api.authentication.StartEnrolment(
        authentication.StartEnrolmentRequest(
            parent=scene.api.parent, login_token=login_token, kind=authentication.FACTOR_KIND_TOTP
        )
    )
    return str(started.uri)


async def test_a_changed_password_is_told_of_once(reader: Reader) -> None:
    own = await acting(reader)
    for _ in range(2):
        await own.do("ChangeOwnPassword", password=NEW_PASSWORD, request_id="once")
    assert await reader.told() == {NEW_PASSWORD_SET: 1}


async def test_tries_that_close_a_password_are_told_of_once(reader: Reader) -> None:
    """Of those before, the list of security events tells; a mail for each could be had by anybody."""
    for _ in range(2):
        origin = Origin(
            tenant_id=reader.post.api.tenant_id,
            actor="client:backend",
            request_id=new_id(),
            ip_address="192.0.2.66",
            user_agent=FIREFOX,
        )
        passwords = reader.post.stack.argus.passwords
        await passwords.close_to_unknown_devices(origin.tenant_id, reader.person.user_id, origin)
    mail = await reader.only()
    assert mail.subject == "Too many wrong tries at your account"
    assert "IP address: 192.0.2.66" in mail.text


async def test_a_first_password_is_told_of_where_there_was_another_way_in(reader: Reader) -> None:
    api, address = reader.post.api, new_address()
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=address)
    made = await api.users.CreateUser(users.CreateUserRequest(parent=api.parent, user=users.User(identifiers=[one])))
    first = credentials.SetPasswordRequest(parent=made.user.name, password=NEW_PASSWORD)
    await api.credentials.SetPassword(first)
    assert await reader.told(address) == {}
    (password,) = (
        await api.credentials.ListCredentials(credentials.ListCredentialsRequest(parent=made.user.name))
    ).credentials
    await enrol_passkey(api, made.user.name, await authenticator_of(api))
    await api.credentials.DeleteCredential(credentials.DeleteCredentialRequest(name=password.name))
    assert await reader.told(address) == {ADDED: 1, REMOVED: 1}
    await api.credentials.SetPassword(first)
    assert await reader.told(address) == {ADDED: 1}
    await api.credentials.SetPassword(first)
    assert await reader.told(address) == {NEW_PASSWORD_SET: 1}


async def test_registration_and_invitation_tell_nothing(reader: Reader) -> None:
    post = reader.post
    await post.set_policy(self_registration=True)
    for purpose in ("registration", "invitation"):
        mail = await post.link(purpose)
        await reader.mails(mail.recipient)
        await post.complete(purpose, mail.token)
        login = await Person(api=post.api, name="", identifier=mail.recipient).start()
        assert (await submit(post.api, login, NEW_PASSWORD)).session.name
        assert await reader.told(mail.recipient) == {}


async def test_an_address_that_comes_or_goes_is_told_of_there_and_at_the_others(reader: Reader) -> None:
    api, other = reader.post.api, new_address()
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=other)
    made = await api.users.CreateIdentifier(users.CreateIdentifierRequest(parent=reader.person.name, identifier=one))
    assert await reader.told() == {"An e-mail address was added": 1}
    assert await reader.told(other) == {"An e-mail address was added": 1}
    await api.users.DeleteIdentifier(users.DeleteIdentifierRequest(name=made.identifier.name))
    (mail,) = await reader.mails(other)
    assert (mail.subject, other in mail.text) == ("An e-mail address was removed", True)
    assert await reader.told() == {"An e-mail address was removed": 1}
    name = users.Identifier(kind=users.IDENTIFIER_KIND_USERNAME, value=f"u{other.partition('@')[0]}")
    await api.users.CreateIdentifier(users.CreateIdentifierRequest(parent=reader.person.name, identifier=name))
    assert await reader.told() == {"A user name was added": 1}


async def test_what_a_link_did_is_among_the_security_events(reader: Reader) -> None:
    own = await acting(reader)
    await reader.post.set_policy(recovery_ends_sessions=False)
    for ask, purpose in ((reader.post.verify, "verification"), (reader.post.recover, "recovery")):
        await ask(reader.person.identifier)
        mail = await reader.post.mail(reader.person.identifier)
        await reader.post.complete(purpose, mail.token)
    assert {"IDENTIFIER_VERIFIED", "ACCOUNT_RECOVERED", "PASSWORD_CHANGED"} <= set(await own.kinds())


async def test_what_does_not_happen_is_not_told(reader: Reader) -> None:
    """Neither what is only checked, nor what fails after it was recorded."""
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=new_address())
    await reader.post.api.users.CreateIdentifier(
        users.CreateIdentifierRequest(parent=reader.person.name, identifier=one, validate_only=True)
    )
    own = await acting(reader)
    failure = await own.refused("DeleteOwnCredential", name=await own.credential())
    assert failure.reason == "LAST_CREDENTIAL"
    assert await reader.told() == {}


@pytest.mark.parametrize("on_limit", ["end_oldest", "end_least_recent", "end_lowest_trust", "ask_user"])
async def test_who_wants_to_is_told_why_a_limit_ended_a_session(reader: Reader, on_limit: str) -> None:
    """Where and by which sign-in; nobody is told who has not asked to be, or who has chosen it, or ended it."""
    stack, api, person = reader.post.stack, reader.post.api, reader.person
    done = await person.sign_in()
    await set_policy(stack, api, session_limit=1, on_limit=on_limit)
    names = [done.session.name]
    for wants in (False, True):
        choice = [notifications.Preference(notice="session_limit", mail=wants)]
        await api.notifications.UpdatePreferences(
            notifications.UpdatePreferencesRequest(name=person.name, preferences=choice)
        )
        request = sessions.CreateSessionRequest(
            parent=person.name,
            client_context=types.ClientContext(ip_address="192.0.2.9", user_agent=FIREFOX),
            device_token=done.device_token,
            end_sessions=names,
        )
        names = [(await api.sessions.CreateSession(request)).session.name]
    await api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=names[0]))
    ended = [one for one in await person.list(with_ended=True) if one.end_reason == types.END_REASON_LIMIT]
    assert [one.ended_by_limit.on_limit for one in ended] == [on_limit] * 2
    events = await api.sessions.ListSecurityEvents(
        sessions.ListSecurityEventsRequest(parent=person.name, types=["session.ended"])
    )
    assert [one.reason for one in events.events] == ["ENDED_BY_ADMIN", "LIMIT", "LIMIT"]
    if on_limit == "ask_user":
        assert await reader.told() == {}
        return
    mail = await reader.only()
    assert mail.subject == "You were signed out on a device"
    for part in (mail.text, mail.html):
        assert "192.0.2.9" in part
        assert "on this device: Firefox on Linux." in " ".join(part.split())
