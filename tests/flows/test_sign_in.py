"""Signing in: one answer for whoever can't, tokens for whoever can, each login token good for one success."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.server.api import Api, Failure, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import client_service_pb2 as clients
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import user_service_pb2 as users
from tests.support.people import (
    FIREFOX,
    PASSWORD,
    WRONG_PASSWORD,
    Person,
    new_person,
    reason_of,
    start_login,
    submit,
    verify,
)

if TYPE_CHECKING:
    from tests.support.stack import Stack


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def test_a_right_password_gives_a_session_with_device_client_and_method(person: Person) -> None:
    done = await person.sign_in(ip="192.0.2.77", scope="documents.read")
    assert done.login.state == authentication.LOGIN_STATE_COMPLETE
    assert not done.login_token
    session = done.session
    assert session.name.startswith(person.name + "/sessions/")
    assert session.client_id == "backend"
    assert list(session.amr) == ["pwd"]
    assert session.acr == "urn:argus:acr:1"
    assert session.ip_address == "192.0.2.77"
    assert not session.HasField("location")
    device = session.device
    assert (device.type, device.os, device.browser) == ("desktop", "Linux", "Firefox")
    assert device.display_name == "Firefox on Linux"
    assert done.device_token.startswith(device.name + ".")
    verified = await verify(person.api, done.tokens.access_token)
    assert verified.session == session.name
    assert verified.sub == person.user_id
    assert list(verified.scopes) == ["documents.read"]
    assert done.tokens.refresh_token


async def test_a_device_with_its_token_is_the_same_device_and_gets_no_new_token(person: Person) -> None:
    first = await person.sign_in()
    second = await person.sign_in(device_token=first.device_token)
    assert second.session.device.name == first.session.device.name
    assert not second.device_token
    third = await person.sign_in(device_token=first.session.device.name + ".guessed")
    assert third.session.device.name != first.session.device.name


async def test_anothers_device_is_not_ones_own(api: Api, person: Person) -> None:
    other = await new_person(api)
    theirs = await other.sign_in()
    mine = await person.sign_in(device_token=theirs.device_token)
    assert mine.session.device.name != theirs.session.device.name


async def test_context_counts_only_from_those_who_may_assert_it(stack: Stack) -> None:
    full = await stack.new_tenant()
    person = await new_person(full)
    assert (await person.sign_in(ip="192.0.2.1")).session.ip_address == "192.0.2.1"
    client = await _second_client(stack, full, ["login.run", "documents.read"])
    modest = Person(api=client, name=person.name, identifier=person.identifier)
    done = await modest.sign_in(ip="192.0.2.2")
    assert done.session.ip_address == ""
    assert done.session.device.browser == ""


async def test_wrong_unknown_disabled_and_deleted_get_one_answer(api: Api, person: Person) -> None:
    disabled, deleted = await new_person(api), await new_person(api)
    await api.users.DisableUser(users.DisableUserRequest(name=disabled.name))
    await api.users.DeleteUser(users.DeleteUserRequest(name=deleted.name))
    nobody = Person(api=api, name="", identifier="nobody@example.com")
    answers = [
        await person.try_password(),
        await nobody.try_password(PASSWORD),
        await disabled.try_password(PASSWORD),
        await deleted.try_password(PASSWORD),
    ]
    shown = [_without_request_id(answer) for answer in answers]
    assert shown[0] is not None
    assert shown[0].reason == "FACTOR_REFUSED"
    assert shown.count(shown[0]) == len(shown)


async def test_known_and_unknown_cost_the_same_work(stack: Stack, api: Api, person: Person) -> None:
    """As many hashes, and as many audit rows; what a clock would show is the business of `make timing`."""
    nobody = Person(api=api, name="", identifier="nobody-at-all@example.com")
    costs = []
    async with stack.server.background.held():
        for one in (person, nobody):
            hashes, rows = stack.argus.passwords.hashes_done, await _audit_rows(stack, api)
            await one.try_password()
            costs.append((stack.argus.passwords.hashes_done - hashes, await _audit_rows(stack, api) - rows))
    assert costs[0] == costs[1]
    assert costs[0][0] == 1


async def test_the_audit_knows_what_was_the_matter(stack: Stack, api: Api, person: Person) -> None:
    disabled = await new_person(api)
    await api.users.DisableUser(users.DisableUserRequest(name=disabled.name))
    failures = {
        "WRONG_PASSWORD": await person.try_password(),
        "UNKNOWN_IDENTIFIER": await Person(api=api, name="", identifier="who@example.com").try_password(),
        "USER_DISABLED": await disabled.try_password(PASSWORD),
    }
    for reason, failure in failures.items():
        assert failure is not None
        events = await stack.argus.audit.of_request(api.tenant_id, failure.request_id)
        assert [(one.type, one.outcome, one.reason) for one in events] == [("factor.refused", "failure", reason)]


async def test_a_refused_factor_leaves_the_login_and_its_token(person: Person) -> None:
    login_token = await person.start()
    assert await reason_of(submit(person.api, login_token, WRONG_PASSWORD)) == "FACTOR_REFUSED"
    done = await submit(person.api, login_token, PASSWORD)
    assert done.login.state == authentication.LOGIN_STATE_COMPLETE
    assert await reason_of(submit(person.api, login_token, PASSWORD)) == "LOGIN_COMPLETE"


async def test_a_login_token_is_good_for_one_session_however_many_hand_it_in(person: Person) -> None:
    login_token = await person.start()
    outcomes = await asyncio.gather(*(reason_of(submit(person.api, login_token, PASSWORD)) for _ in range(8)))
    assert outcomes.count("") == 1
    assert set(outcomes) <= {"", "LOGIN_NOT_FOUND", "LOGIN_COMPLETE"}
    assert await person.count() == 1


async def test_a_login_ends_after_ten_minutes(stack: Stack, person: Person) -> None:
    login_token = await person.start()
    await stack.advance(timedelta(minutes=10, seconds=1))
    assert await reason_of(submit(person.api, login_token, PASSWORD)) == "LOGIN_NOT_FOUND"


async def test_a_cancelled_login_is_gone(person: Person) -> None:
    api = person.api
    begun = await api.authentication.StartLogin(
        authentication.StartLoginRequest(parent=api.parent, identifier=person.identifier)
    )
    name = begun.login.name
    read = await api.authentication.GetLogin(authentication.GetLoginRequest(name=name))
    assert read.login.state == authentication.LOGIN_STATE_FACTOR_REQUIRED
    await api.authentication.CancelLogin(authentication.CancelLoginRequest(name=name))
    assert await reason_of(submit(api, begun.login_token, PASSWORD)) == "LOGIN_NOT_FOUND"
    assert await reason_of(api.authentication.GetLogin(authentication.GetLoginRequest(name=name))) == "LOGIN_NOT_FOUND"


@pytest.mark.parametrize("token", ["", "x", "x.y", ".", "a" * 22 + "." + "b" * 43])
async def test_a_made_up_login_token_is_no_login(api: Api, token: str) -> None:
    expected = "FIELD_INVALID" if not token else "LOGIN_NOT_FOUND"
    assert await reason_of(submit(api, token, PASSWORD)) == expected


async def test_a_login_of_another_tenant_is_no_login_here(stack: Stack, person: Person) -> None:
    other = await stack.new_tenant()
    login_token = await person.start()
    assert await reason_of(submit(other, login_token, PASSWORD)) == "LOGIN_NOT_FOUND"


@pytest.mark.parametrize(
    ("request_fields", "field"),
    [
        ({"scope": "not.held"}, "scope"),
        ({"acr_values": ["urn:argus:acr:3"]}, "acr_values"),
        ({"acr_values": ["high"]}, "acr_values[0]"),
    ],
)
async def test_a_login_that_can_not_be_completed_is_not_begun(
    api: Api, request_fields: dict[str, object], field: str
) -> None:
    fields = {"parent": api.parent, "identifier": "a@example.com"} | request_fields
    failure = await failure_of(api.authentication.StartLogin(authentication.StartLoginRequest(**fields)))  # type: ignore[arg-type]
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", field)


async def test_identifiers_are_compared_in_their_canonical_form(person: Person) -> None:
    login_token = await start_login(person.api, f"  {person.identifier.upper()} ")
    assert (await submit(person.api, login_token, PASSWORD)).session.name


async def test_every_step_is_in_the_sessions_history(person: Person) -> None:
    done = await person.sign_in()
    request = sessions.ListSessionEventsRequest(parent=done.session.name)
    events = (await person.api.sessions.ListSessionEvents(request)).events
    assert {"session.created", "login.completed"} <= {event.type for event in events}
    assert FIREFOX not in str(events)


async def _audit_rows(stack: Stack, api: Api) -> int:
    row = await stack.argus.db.fetch_one(
        "SELECT count(*) AS n FROM audit_events WHERE tenant_id = %s", (api.tenant_id,)
    )
    assert row is not None
    return int(row["n"])


async def _second_client(stack: Stack, api: Api, scopes: list[str]) -> Api:
    request = clients.CreateClientRequest(
        parent=api.parent, client_id="modest", client=clients.Client(scopes=scopes, resource="https://modest.example")
    )
    made = await api.clients.CreateClient(request)
    return Api(
        stack.server.grpc_address,
        tenant_id=api.tenant_id,
        client_id="modest",
        client_secret=made.client_secret,
        clock=stack.private.clock,
    )


def _without_request_id(failure: Failure | None) -> Failure | None:
    return replace(failure, request_id="") if failure else None
