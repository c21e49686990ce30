"""What becomes of sessions when users are disabled, enabled and deleted, or get another password."""

import secrets

import pytest

from argus.policies.model import Scope
from argus.server.api import Api, failure_of
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import device_service_pb2 as devices
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.features import origin
from tests.support.people import PASSWORD, Person, new_person, reason_of, refresh, verify
from tests.support.stack import Stack

NEW_PASSWORD = "eight loud herons on a barge"


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    """A tenant of this file's own."""
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    """Somebody with a password."""
    return await new_person(api)


async def end_reasons(person: Person) -> list[int]:
    """Why the user's sessions ended."""
    return [session.end_reason for session in await person.list(with_ended=True)]


async def test_asvs_7_4_2_a_disabled_user_is_out_at_once(api: Api, person: Person) -> None:
    """All sessions end, no token is good any more, nobody signs in; enabling brings nothing back but the sign-in."""
    one, two = await person.sign_in(), await person.sign_in()
    disabled = await api.users.DisableUser(users.DisableUserRequest(name=person.name, comment="left us"))
    assert disabled.user.state == users.USER_STATE_DISABLED
    for done in (one, two):
        assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"
        assert await reason_of(refresh(api, done.tokens.refresh_token)) == "SESSION_ENDED"
    assert await end_reasons(person) == [types.END_REASON_USER_DISABLED] * 2
    assert await person.try_password(PASSWORD) is not None
    begin = sessions.CreateSessionRequest(parent=person.name)
    assert await reason_of(api.sessions.CreateSession(begin)) == "USER_DISABLED"
    again = await api.users.DisableUser(users.DisableUserRequest(name=person.name))
    assert again.user.state == users.USER_STATE_DISABLED
    enabled = await api.users.EnableUser(users.EnableUserRequest(name=person.name))
    assert enabled.user.state == users.USER_STATE_ACTIVE
    assert await reason_of(verify(api, one.tokens.access_token)) == "SESSION_ENDED"
    anew = await person.sign_in()
    assert (await verify(api, anew.tokens.access_token)).sub == person.user_id


async def test_a_deleted_user_is_gone(api: Api, person: Person) -> None:
    """Sessions end, identifier and password are free, nothing finds it."""
    done = await person.sign_in()
    delete = users.DeleteUserRequest(name=person.name, request_id=secrets.token_hex(8))
    await api.users.DeleteUser(delete)
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"
    assert await reason_of(refresh(api, done.tokens.refresh_token)) == "SESSION_ENDED"
    assert await reason_of(api.users.GetUser(users.GetUserRequest(name=person.name))) == "USER_NOT_FOUND"
    found = await api.users.ListUsers(users.ListUsersRequest(parent=api.parent, identifier=person.identifier))
    assert not found.users
    # Nor what it has signed in on.
    device = f"{person.name}/devices/{done.session.device.name}"
    assert await reason_of(api.devices.ExplainTrust(devices.ExplainTrustRequest(device=device))) == "DEVICE_NOT_FOUND"
    # The same request again is answered as the first time; a new one finds nobody.
    await api.users.DeleteUser(delete)
    assert await reason_of(api.users.DeleteUser(users.DeleteUserRequest(name=person.name))) == "USER_NOT_FOUND"
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=person.identifier)
    heir = await api.users.CreateUser(users.CreateUserRequest(parent=api.parent, user=users.User(identifiers=[one])))
    assert heir.user.name != person.name
    assert await person.try_password(PASSWORD) is not None


async def test_a_new_password_ends_the_sessions_if_that_is_wanted(api: Api, person: Person) -> None:
    """By default they go on; with `terminate_sessions` none does."""
    done = await person.sign_in()
    keep = credentials.SetPasswordRequest(parent=person.name, password=NEW_PASSWORD)
    await api.credentials.SetPassword(keep)
    assert (await verify(api, done.tokens.access_token)).sub == person.user_id
    assert await person.try_password(PASSWORD) is not None
    end = credentials.SetPasswordRequest(
        parent=person.name, password=PASSWORD, terminate_sessions=True, request_id=secrets.token_hex(8)
    )
    first = await api.credentials.SetPassword(end)
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"
    anew = await person.sign_in()
    # A repeat does nothing: the session that began meanwhile goes on.
    assert (await api.credentials.SetPassword(end)).credential.name == first.credential.name
    assert (await verify(api, anew.tokens.access_token)).sub == person.user_id


@pytest.mark.parametrize("rpc", ["DisableUser", "DeleteUser"])
async def test_validate_only_ends_nothing(api: Api, person: Person, rpc: str) -> None:
    """Everything is checked, nothing is kept, in neither store."""
    done = await person.sign_in()
    request = getattr(users, f"{rpc}Request")(name=person.name, validate_only=True)
    await getattr(api.users, rpc)(request)
    assert (await verify(api, done.tokens.access_token)).sub == person.user_id
    found = await api.users.GetUser(users.GetUserRequest(name=person.name))
    assert found.user.state == users.USER_STATE_ACTIVE
    missing = getattr(users, f"{rpc}Request")(name=f"{api.parent}/users/nobody", validate_only=True)
    assert await reason_of(getattr(api.users, rpc)(missing)) == "USER_NOT_FOUND"


async def test_a_refused_first_password_leaves_no_user(api: Api, stack: Stack) -> None:
    """Nothing half-written; the reason is given."""
    identifier = f"p{secrets.token_hex(8)}@example.com"
    one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=identifier)
    request = users.CreateUserRequest(
        parent=api.parent, user=users.User(identifiers=[one]), password=f"{identifier}2026"
    )
    async with stack.nothing_written(api.parent):
        failure = await failure_of(api.users.CreateUser(request))
    assert failure is not None
    assert (failure.reason, failure.field, failure.metadata["rule"]) == (
        "PASSWORD_REFUSED",
        "password",
        "CONTAINS_IDENTIFIER",
    )


async def test_a_stricter_minimum_of_a_group_holds_for_its_members(api: Api, stack: Stack, person: Person) -> None:
    """The password rule is a policy like any other."""
    group = f"g{secrets.token_hex(4)}"
    await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id=group))
    await stack.argus.policies.set_document(
        api.tenant_id, Scope(kind="group", id=group), {"password_min_alone": 40}, origin=origin(api.tenant_id)
    )
    request = credentials.SetPasswordRequest(parent=person.name, password=NEW_PASSWORD)
    await api.credentials.SetPassword(request)
    join = users.AddGroupMemberRequest(group=f"{api.parent}/groups/{group}", user=person.name)
    await api.users.AddGroupMember(join)
    failure = await failure_of(api.credentials.SetPassword(request))
    assert failure is not None
    assert (failure.metadata["rule"], failure.metadata["minLength"]) == ("TOO_SHORT", "40")
