"""What the settings of browsers change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.presets.scene import set_policy
from tests.support.browsers import Browser, Jar
from tests.support.people import PASSWORD, Person, new_person

if TYPE_CHECKING:
    import httpx

    from tests.support.stack import Stack


@pytest.fixture
async def visitor(careful: Stack, http: httpx.AsyncClient) -> tuple[Browser, Person]:
    """A browser of a tenant of the other server."""
    api = await careful.new_tenant()
    return Browser(careful, api.tenant_id, http=http), await new_person(api)


async def lives(browser: Browser, person: Person) -> dict[str, str | None]:
    """How long the cookies of a sign-in are to be kept."""
    await browser.ask("/sign-in", {"identifier": person.identifier})
    done = await browser.send("/factor", {"password": PASSWORD})
    found = {one.name.removeprefix("__Host-argus_").partition(".")[0]: one for one in Jar().take(done)}
    return {kind: one.attributes.get("max-age") for kind, one in found.items()}


async def test_cookies_of_a_session_last_until_the_browser_is_closed(browser: Browser, person: Person) -> None:
    assert await lives(browser, person) == {"rt": None, "at": None, "login": "0", "device": str(400 * 24 * 3600)}


async def test_they_are_kept_as_long_as_their_tokens_where_that_is_set(visitor: tuple[Browser, Person]) -> None:
    found = await lives(*visitor)
    assert 24 * 3600 - 60 <= int(found["rt"] or 0) <= 24 * 3600
    assert 200 <= int(found["at"] or 0) <= 300


@pytest.mark.parametrize(("is_kept", "same_site"), [(True, "strict"), (False, "lax"), (True, "lax"), (False, "strict")])
async def test_a_policy_says_how_cookies_are_kept(
    stack: Stack, http: httpx.AsyncClient, is_kept: bool, same_site: str
) -> None:
    """Of a sign-in and of a refresh alike; the refresh token never comes along from another site."""
    api = await stack.new_tenant()
    document = {"remember_me": is_kept, "cookie_same_site": same_site}
    await set_policy(stack, api.tenant_id, document)
    browser, person = Browser(stack, api.tenant_id, http=http), await new_person(api)
    signed_in = await browser.sign_in(person.identifier)
    refreshed = await browser.send("/refresh")
    for answer in (signed_in, refreshed):
        set_cookies = {one.name.removeprefix("__Host-argus_").partition(".")[0]: one for one in Jar().take(answer)}
        assert set_cookies["at"].attributes["samesite"] == same_site.capitalize()
        assert ("max-age" in set_cookies["at"].attributes) == is_kept
    assert refreshed.status_code == 200
    for one in Jar().take(signed_in):
        if one.name.startswith("__Host-argus_rt"):
            assert one.attributes["samesite"] == "Strict"
            assert ("max-age" in one.attributes) == is_kept


async def test_an_address_is_what_the_door_sees(browser: Browser, person: Person) -> None:
    """Whatever a browser says of itself, under its own names or the door's."""
    lies: dict[str, str | None] = {"x-forwarded-for": "203.0.113.9", "x-argus-door-peer": "203.0.113.9"}
    await browser.ask("/sign-in", {"identifier": person.identifier}, headers=lies)
    assert (await browser.ask("/factor", {"password": PASSWORD}, headers=lies)).status_code == 200
    (session,) = await person.list()
    assert session.ip_address == "127.0.0.1"
    assert (session.device.os, session.device.browser, session.device.type) == ("Linux", "Firefox", "desktop")


async def test_behind_a_proxy_that_is_named_it_is_what_the_proxy_sees(visitor: tuple[Browser, Person]) -> None:
    browser, person = visitor
    seen: dict[str, str | None] = {"x-forwarded-for": "198.51.100.1, 203.0.113.9, 10.1.2.3"}
    await browser.ask("/sign-in", {"identifier": person.identifier}, headers=seen)
    assert (await browser.ask("/factor", {"password": PASSWORD}, headers=seen)).status_code == 200
    (session,) = await person.list()
    assert session.ip_address == "203.0.113.9"


async def test_asvs_3_4_1_over_https_browsers_never_try_without(
    careful: Stack, stack: Stack, http: httpx.AsyncClient
) -> None:
    """On every answer, errors too; and not where http is all that there is."""
    for path in ("/healthz", "/nothing", "/t/nobody/session", "/argus-session.json"):
        said = (await http.get(careful.server.http_url + path)).headers
        assert said["strict-transport-security"] == "max-age=63072000; includeSubDomains", path
        assert "strict-transport-security" not in (await http.get(stack.server.http_url + path)).headers


async def test_the_origin_is_that_of_the_base_url(visitor: tuple[Browser, Person]) -> None:
    """Not the host that a request names: that is for whoever sends it to say."""
    browser, person = visitor
    host = browser.url.split("/")[2]
    for origin in (f"http://{host}", f"https://{host}", "https://id.example.com:443", "http://id.example.com"):
        refused = await browser.ask("/sign-in", {"identifier": person.identifier}, headers={"origin": origin})
        assert refused.status_code == 403, origin
    assert (await browser.ask("/sign-in", {"identifier": person.identifier})).status_code == 200


async def test_a_tenant_that_is_not_there_is_not_found(stack: Stack, http: httpx.AsyncClient) -> None:
    for tenant_id in ("nobody", "Nobody", "a'--", "%2e%2e"):
        answer = await http.post(f"{stack.server.http_url}/t/{tenant_id}/session/refresh")
        assert answer.status_code == 404
        assert "set-cookie" not in answer.headers
