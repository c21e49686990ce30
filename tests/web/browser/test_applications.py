"""Applications on origins of their own: CORS for exactly those, and cookies for those that other sites embed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from argus.base.settings import Settings, SettingsError
from argus.server.private_stack import stack_over
from tests.support.browsers import Browser, Jar
from tests.support.people import PASSWORD, Person
from tests.support.stack import Stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from argus.server.api import Api
    from argus.storage.embedded import StoreUrls

APP = "https://app.example.com"
PARTNER = "https://shop.partner.example:8443"
CROSS = {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}
_PATHS = ["", "/sign-in", "/factor", "/step-up", "/refresh", "/cancel", "/sign-out"]


@pytest.fixture(scope="module")
async def embedding(stack: Stack, api: Api, stores: StoreUrls) -> AsyncIterator[Stack]:
    """A server beside the other one, which lets two applications of a tenant in, and has partitioned cookies."""
    async with stack_over(
        stores,
        clock=stack.private.clock,
        key_encryption_key=stack.argus.settings.key_encryption_key,
        base_url="https://id.example.com",
        app_origins=f"{api.tenant_id}={APP}, {api.tenant_id}={PARTNER}",
        partitioned_cookies=True,
    ) as private:
        other = Stack(private)
        yield other
        await other.close()


@pytest.fixture
async def app(embedding: Stack, api: Api, http: httpx.AsyncClient) -> Browser:
    """A browser with the application open."""
    browser = Browser(embedding, api.tenant_id, http=http)
    browser.origin = APP
    return browser


@pytest.mark.parametrize(("origin", "site"), [(APP, "same-site"), (PARTNER, "cross-site")])
async def test_asvs_3_4_2_an_application_signs_in_goes_on_and_signs_out(
    app: Browser, person: Person, origin: str, site: str
) -> None:
    """Its script may read every answer, refusals too; the answers name it alone."""
    app.origin = origin
    headers = {**CROSS, "sec-fetch-site": site}
    answers = [
        await app.ask("/sign-in", {"identifier": person.identifier}, headers=headers),
        await app.ask("/factor", {"password": "wrong " + PASSWORD}, headers=headers),
        await app.ask("/factor", {"password": PASSWORD}, headers=headers),
        await app.ask("/refresh", {}, headers=headers),
        await app.ask("", method="GET", headers=headers),
        await app.ask("/sign-out", headers=headers),
    ]
    assert [one.status_code for one in answers] == [200, 401, 200, 200, 200, 200]
    for one in answers:
        assert one.headers["access-control-allow-origin"] == origin
        assert one.headers["access-control-allow-credentials"] == "true"
        assert one.headers["vary"] == "Origin"
    assert answers[4].json()["state"] == "active"


@pytest.mark.parametrize("path", _PATHS)
async def test_asvs_3_4_2_a_preflight_names_the_origin_and_never_all(app: Browser, path: str) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-argus-csrf"}
    answer = await app.http.options(app.url + path, headers={"origin": APP, **asked})
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == APP
    assert {"content-type", "dpop", "x-argus-csrf"} == set(answer.headers["access-control-allow-headers"].split(", "))
    for origin in ("https://evil.example", "null", "*", f"{APP}:443", f"{APP}/", APP.upper(), "http://app.example.com"):
        refused = await app.http.options(app.url + path, headers={"origin": origin, **asked})
        assert refused.status_code == 403, origin
        assert not [name for name in refused.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("check", "headers"),
    [
        ("ORIGIN", {"origin": None}),
        ("ORIGIN", {"origin": "https://app.example.com.evil.example"}),
        ("ORIGIN", {"origin": f"{APP} {PARTNER}"}),
        ("FETCH_SITE", {"sec-fetch-site": "none"}),
        ("FETCH_SITE", {"sec-fetch-site": "same-origin"}),
        ("FETCH_MODE", {"sec-fetch-mode": "navigate"}),
        ("FETCH_MODE", {"sec-fetch-mode": "no-cors"}),
        ("HEADER", {"x-argus-csrf": None}),
        ("CONTENT_TYPE", {"content-type": "text/plain"}),
    ],
)
async def test_what_no_application_of_the_tenant_sends_is_refused(
    app: Browser, check: str, headers: dict[str, str | None]
) -> None:
    refused = await app.ask("/sign-in", {"identifier": "a"}, headers={**CROSS, **headers})
    assert (refused.status_code, refused.json()["metadata"]) == (403, {"check": check})


async def test_an_origin_is_one_tenants_alone(embedding: Stack, http: httpx.AsyncClient) -> None:
    other = Browser(embedding, (await embedding.new_tenant()).tenant_id, http=http)
    other.origin = APP
    refused = await other.ask("/sign-in", {"identifier": "a"}, headers=CROSS)
    assert (refused.status_code, refused.json()["metadata"]) == (403, {"check": "ORIGIN"})
    assert "access-control-allow-origin" not in refused.headers


async def test_partitioned_cookies_are_none_s_but_their_sites(
    embedding: Stack, api: Api, person: Person, app: Browser
) -> None:
    """All of them, those that are forgotten too: else a browser would keep two of a name."""
    begun = await app.send("/sign-in", {"identifier": person.identifier}, headers=CROSS)
    found = Jar().take(begun)
    app.jar.take(begun)
    done = await app.ask("/factor", {"password": PASSWORD}, headers=CROSS)
    found += Jar().take(done) + Jar().take(await app.send("/sign-out", headers=CROSS))
    assert {one.name.removeprefix("__Host-argus_").partition(".")[0] for one in found} == {
        "login",
        "at",
        "rt",
        "device",
    }
    for one in found:
        assert (one.attributes["samesite"], one.attributes["partitioned"]) == ("None", "")
    page = await app.http.get(f"{app.url.removesuffix('/session')}/sign-in?lang=de", follow_redirects=False)
    assert all("Partitioned" in one for one in page.headers.get_list("set-cookie"))


@pytest.mark.parametrize(
    "value",
    [
        *("https://app.example.com", "acme=*", "acme=https://*.example.com", "acme=http://app.example.com"),
        *("acme=https://app.example.com/", "acme=https://App.example.com", "acme=https://app.example.com:443"),
        *("acme=null", "Acme=https://a.example", "acme=https://a@b.example", "acme=http://localhost:80"),
    ],
)
def test_settings_that_name_no_origin_are_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="APP_ORIGINS"):
        Settings.load(environ={"ARGUS_APP_ORIGINS": value})


def test_settings_name_several() -> None:
    value = "acme=https://a.example, acme=https://b.example:8443 ,beta=http://localhost:5173"
    found = Settings.load(environ={"ARGUS_APP_ORIGINS": value}).origins_by_tenant
    assert found == {
        "acme": {"https://a.example", "https://b.example:8443"},
        "beta": {"http://localhost:5173"},
    }
