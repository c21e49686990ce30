"""The life of a session in a browser: signed in, looked at, refreshed, stepped up, signed out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import client_service_pb2 as clients
from argus.v1 import types_pb2 as types
from tests.support.browsers import Browser, Jar
from tests.support.people import PASSWORD, WRONG_PASSWORD, Person, new_person, reason_of
from tests.support.theft import OUT_OF_STEP

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack


async def test_a_session_from_the_first_step_to_the_last(stack: Stack, browser: Browser, person: Person) -> None:
    assert await browser.status() == {"state": "none"}
    begun = await browser.ask("/sign-in", {"identifier": person.identifier})
    assert [one["kind"] for one in begun.json()["login"]["challenges"]] == ["password", "webauthn"]
    assert set(browser.jar) == {browser.name("login")}
    done = await browser.ask("/factor", {"password": PASSWORD})
    assert done.json()["login"] == {"state": "COMPLETE"}
    assert set(browser.jar) == {browser.name(kind) for kind in ("rt", "at", "device")}

    status = await browser.status()
    assert status["state"] == "active"
    assert status["session"]["name"] == done.json()["session"]["name"]
    assert status["session"]["client_id"] == "account"
    refreshed = await browser.refresh()
    assert refreshed.json()["session"]["name"] == done.json()["session"]["name"]
    assert 0 < refreshed.json()["expires_in"] <= 300

    gone = await browser.ask("/sign-out")
    assert (gone.status_code, gone.json()) == (200, {"state": "ended"})
    assert gone.headers["clear-site-data"] == '"cache", "storage"'
    assert set(browser.jar) == {browser.name("device")}
    assert await browser.status() == {"state": "none"}
    (session,) = await person.list(with_ended=True)
    assert (session.state, session.end_reason) == (types.SESSION_STATE_ENDED, types.END_REASON_SIGNED_OUT)


async def test_asvs_3_3_4_no_body_has_a_token(browser: Browser, person: Person) -> None:
    """JSON Web Tokens begin with the same characters; a login's secret is in its cookie alone."""
    answers = [await browser.ask("/sign-in", {"identifier": person.identifier})]
    login_token = browser.jar[browser.name("login")]
    answers.append(await browser.ask("/factor", {"password": PASSWORD}))
    answers += [await browser.refresh(), await browser.ask("", method="GET"), await browser.ask("/step-up", {})]
    for one in answers:
        assert one.status_code == 200
        assert "eyJ" not in one.text
        assert login_token not in one.text


async def test_signed_out_tokens_are_refused_whoever_kept_them(signed_in: Browser) -> None:
    """A copy of the jar is worth nothing afterwards."""
    thief = signed_in.copied()
    assert (await signed_in.ask("/sign-out")).status_code == 200
    refused = await thief.refresh()
    assert (refused.status_code, refused.json()["reason"]) == (401, "SESSION_ENDED")
    assert await thief.status() == {"state": "refresh"}
    assert (await thief.ask("/sign-out")).json() == {"state": "ended"}  # once more is once


async def test_an_expired_access_token_is_no_end(stack: Stack, signed_in: Browser) -> None:
    """Whoever holds a refresh token goes on with it."""
    await stack.advance(timedelta(minutes=6))
    assert await signed_in.status() == {"state": "refresh"}
    assert (await signed_in.refresh()).status_code == 200
    assert (await signed_in.status())["state"] == "active"


async def test_rotation_is_that_of_the_table(stack: Stack, signed_in: Browser) -> None:
    """The first refresh rotates; the next has nothing new to say, and sets no such cookie; later it rotates again."""
    name = signed_in.name("rt")
    first = signed_in.jar[name]
    await signed_in.refresh()
    second = signed_in.jar[name]
    assert second != first
    again = await signed_in.send("/refresh", {})
    assert [one.name for one in Jar().take(again)] == [signed_in.name("at")]
    await stack.advance(OUT_OF_STEP)
    assert (await signed_in.refresh()).status_code == 200
    assert signed_in.jar[name] != second


async def test_a_step_up_keeps_the_session_and_begins_a_family(stack: Stack, signed_in: Browser) -> None:
    before = await signed_in.status()
    stale = signed_in.copied()
    begun = await signed_in.ask("/step-up", {"acr_values": ["urn:argus:acr:1"]})
    assert begun.status_code == 200, begun.text
    done = await signed_in.ask("/factor", {"password": PASSWORD})
    assert done.json()["session"]["name"] == before["session"]["name"]
    assert (await signed_in.refresh()).status_code == 200
    refused = await stale.refresh()
    assert (refused.status_code, refused.json()["reason"]) == (401, "STEP_UP_REQUIRED")
    assert refused.json()["metadata"]["cause"] == "FAMILY_OLDER"
    assert 'error="insufficient_user_authentication"' in refused.headers["www-authenticate"]
    assert not refused.headers.get_list("set-cookie")
    assert (await signed_in.status())["state"] == "active"


async def test_a_step_up_for_one_action_gives_its_token(api: Api, signed_in: Browser) -> None:
    """Spent by who carries the action out, once, and for nothing else."""
    resource = "https://documents.example.com"
    begun = await signed_in.ask("/step-up", {"action": "delete 7", "action_resource": resource})
    assert begun.status_code == 200, begun.text
    done = (await signed_in.ask("/factor", {"password": PASSWORD})).json()
    request = authentication.SpendActionTokenRequest(
        session=done["session"]["name"], action_token=done["action_token"], action="delete 7", resource=resource
    )
    assert (await api.authentication.SpendActionToken(request)).client_id == "account"
    assert await reason_of(api.authentication.SpendActionToken(request)) != ""


async def test_a_wrong_password_leaves_the_login_as_it_was(browser: Browser, person: Person) -> None:
    await browser.ask("/sign-in", {"identifier": person.identifier})
    refused = await browser.ask("/factor", {"password": WRONG_PASSWORD})
    assert (refused.status_code, refused.json()["reason"]) == (401, "FACTOR_REFUSED")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (await browser.ask("/factor", {"password": PASSWORD})).status_code == 200


async def test_a_cancelled_login_is_gone(browser: Browser, person: Person) -> None:
    await browser.ask("/sign-in", {"identifier": person.identifier})
    kept = browser.copied()
    assert (await browser.ask("/cancel")).status_code == 204
    assert not browser.jar
    assert (await browser.ask("/cancel")).status_code == 204
    refused = await kept.ask("/factor", {"password": PASSWORD})
    assert (refused.status_code, refused.json()["reason"]) == (404, "LOGIN_NOT_FOUND")


async def test_signing_in_again_ends_the_session_before(signed_in: Browser, person: Person) -> None:
    """ASVS 5.0, 7.2.4: nobody is to go on with what the browser has forgotten."""
    before = signed_in.copied()
    assert (await signed_in.sign_in(person.identifier)).status_code == 200
    assert (await before.refresh()).json()["reason"] == "SESSION_ENDED"
    assert await person.count() == 1


async def test_tenants_of_one_host_do_not_know_each_other(stack: Stack, signed_in: Browser, person: Person) -> None:
    """Their cookies have names of their own, and one of another tenant is none."""
    other = await stack.new_tenant()
    elsewhere = Browser(stack, other.tenant_id, http=signed_in.http, jar=signed_in.jar)
    assert await elsewhere.status() == {"state": "none"}
    moved = Browser(stack, other.tenant_id, http=signed_in.http)
    for kind in ("rt", "at", "device"):
        moved.jar[moved.name(kind)] = signed_in.jar[signed_in.name(kind)]
    assert await moved.status() == {"state": "refresh"}
    assert (await moved.refresh()).json()["reason"] == "TOKEN_INVALID"
    assert (await moved.ask("/sign-out")).json() == {"state": "ended"}
    assert (await signed_in.status())["state"] == "active"


async def test_scripts_see_the_access_token_where_the_policy_lets_them(
    stack: Stack, api: Api, signed_in: Browser
) -> None:
    """Else the request is refused before anything is spent."""
    token = signed_in.jar[signed_in.name("rt")]
    refused = await signed_in.refresh(access_token=True)
    assert (refused.status_code, refused.json()["reason"]) == (403, "FORBIDDEN_BY_POLICY")
    assert signed_in.jar[signed_in.name("rt")] == token
    origin = stack_origin(api)
    scope = Scope(kind="client", id="account")
    await stack.argus.policies.set_document(api.tenant_id, scope, {"script_access_token": True}, origin=origin)
    told = (await signed_in.refresh(access_token=True)).json()
    assert (told["access_token"], told["token_type"]) == (signed_in.jar[signed_in.name("at")], "Bearer")
    await stack.argus.policies.set_document(api.tenant_id, scope, {}, origin=origin)


@pytest.mark.parametrize("is_tenant_wide", [True, False])
async def test_the_edge_goes_on_after_all_sessions_were_ended(
    stack: Stack, http: httpx.AsyncClient, *, is_tenant_wide: bool
) -> None:
    """Its own tokens end with them, and it gets new ones by itself."""
    api = await stack.new_tenant()
    person = await new_person(api)
    browser = Browser(stack, api.tenant_id, http=http)
    await browser.sign_in(person.identifier)
    if is_tenant_wide:
        await stack.argus.tenant_lifecycle.terminate_sessions(api.tenant_id, origin=stack_origin(api))
    else:
        await stack.argus.client_lifecycle.terminate_sessions(api.tenant_id, "account", origin=stack_origin(api))
    await stack.argus.snapshot.refresh()
    refused = await browser.refresh()
    assert (refused.status_code, refused.json()["reason"]) == (401, "SESSION_ENDED")
    assert (await browser.sign_in(person.identifier)).status_code == 200
    assert (await browser.refresh()).status_code == 200


async def test_without_its_client_browsers_are_not_served(stack: Stack, http: httpx.AsyncClient) -> None:
    """An administrator may disable it, and not delete it or give it a secret."""
    api = await stack.new_tenant()
    person = await new_person(api)
    browser = Browser(stack, api.tenant_id, http=http)
    await browser.sign_in(person.identifier)
    name = f"{api.parent}/clients/account"
    assert await reason_of(api.clients.DeleteClient(clients.DeleteClientRequest(name=name))) == "FIELD_INVALID"
    rotated = api.clients.RotateClientSecret(clients.RotateClientSecretRequest(name=name))
    assert await reason_of(rotated) == "FIELD_INVALID"
    request = clients.UpdateClientRequest(client=clients.Client(name=name, disabled=True))
    request.update_mask.paths.append("disabled")
    await api.clients.UpdateClient(request)
    await stack.argus.snapshot.refresh()
    for answer in (await browser.refresh(), await browser.ask("/sign-in", {"identifier": person.identifier})):
        assert (answer.status_code, answer.json()["reason"]) == (403, "CALLER_DISABLED")


def stack_origin(api: Api) -> Origin:
    return Origin(tenant_id=api.tenant_id, actor="system:test", request_id="test")
