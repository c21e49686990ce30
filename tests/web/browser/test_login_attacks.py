"""The login rows of `endpoint-attacks.csv` over HTTP. Each test's name begins with its row."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from argus.base.origin import Origin
from argus.threats.guessing.model import CLOSING_FAILURES
from tests.support.browsers import Browser
from tests.support.factor_scene import new_scene
from tests.support.people import PASSWORD, WRONG_PASSWORD, Person, new_person

if TYPE_CHECKING:
    import httpx

    from argus.server.api import Api
    from tests.support.stack import Stack

FULLWIDTH = 0xFEE0
CYRILLIC = "а"


@pytest.fixture
async def api(stack: Stack) -> Api:
    """A tenant of its own for each: addresses have budgets, too."""
    return await stack.new_tenant()


async def test_l01_known_unknown_and_disabled_users_look_alike(
    stack: Stack, api: Api, browser: Browser, person: Person
) -> None:
    """Status, headers and body; how long it takes is measured by `make timing`."""
    disabled = await new_person(api)
    origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id="test")
    await stack.argus.user_lifecycle.disable(api.tenant_id, disabled.user_id, origin=origin)
    seen = []
    for identifier, password in (
        (person.identifier, WRONG_PASSWORD),
        ("nobody@example.com", WRONG_PASSWORD),
        (disabled.identifier, PASSWORD),
        (disabled.identifier, WRONG_PASSWORD),
    ):
        one = browser.copied()
        begun = await one.ask("/sign-in", {"identifier": identifier})
        refused = await one.ask("/factor", {"password": password})
        body = {name: value for name, value in refused.json().items() if name != "request_id"}
        headers = {name for name in refused.headers if name != "date"}
        lengths = [len(value) for value in one.jar.values()]
        begun_login = {name: value for name, value in begun.json()["login"].items() if name != "expire_time"}
        begun_login["challenges"] = [_without_chance(one) for one in begun_login["challenges"]]
        seen.append((begun.status_code, begun_login, refused.status_code, body, headers, lengths))
    assert all(one == seen[0] for one in seen)
    assert seen[0][2] == 401


def _without_chance(challenge: dict[str, Any]) -> dict[str, Any]:
    """Without the random bytes that passkeys sign."""
    options = {name: value for name, value in challenge.get("options", {}).items() if name != "challenge"}
    return {"kind": challenge["kind"], "options": options}


async def test_l01_whoever_is_closed_to_looks_like_nobody(stack: Stack, http: httpx.AsyncClient) -> None:
    """Throttled at the same failure, with the same answer and the same time to wait; each costs the same hashes."""
    seen: list[list[tuple[int, str, str | None]]] = []
    costs = []
    for prefix in ("", "nobody-"):
        api = await stack.new_tenant()  # the address has a budget, too
        one, before = Browser(stack, api.tenant_id, http=http), stack.argus.passwords.hashes_done
        await one.ask("/sign-in", {"identifier": prefix + (await new_person(api)).identifier})
        answers = [await one.ask("/factor", {"password": WRONG_PASSWORD}) for _ in range(12)]
        seen.append([(a.status_code, a.json()["reason"], a.headers.get("retry-after")) for a in answers])
        costs.append(stack.argus.passwords.hashes_done - before)
    assert seen[0] == seen[1]
    assert seen[0][-1][:2] == (429, "GUESSING_THROTTLED")
    assert costs[0] == costs[1]


async def test_l02_names_have_one_form_or_are_refused(browser: Browser, person: Person) -> None:
    """Twins of a name are either the same name or somebody else, never an error of ours."""
    name, _, domain = person.identifier.partition("@")
    for twin in (
        person.identifier.upper(),
        f"  {person.identifier} ",
        "".join(chr(ord(one) + FULLWIDTH) if "!" <= one <= "~" else one for one in person.identifier),
    ):
        one = browser.copied()
        answer = await one.sign_in(twin)
        assert answer.status_code in {200, 401}, twin
    for other in (f"{name}\u200b@{domain}", f"\u202e{person.identifier}", f"{CYRILLIC}{person.identifier}"):
        one = browser.copied()
        begun = await one.ask("/sign-in", {"identifier": other})
        assert begun.status_code in {200, 400}
        if begun.status_code == 200:
            refused = await one.ask("/factor", {"password": PASSWORD})
            assert refused.json()["reason"] == "FACTOR_REFUSED", ascii(other)
    for odd in ("a\x00b", "x" * 65_536, "\ud800"):
        refused = await browser.ask("/sign-in", {"identifier": odd})
        assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")


async def test_l03_a_password_of_a_megabyte_is_refused_unread(browser: Browser, person: Person) -> None:
    """Before anything is hashed; and one that is a little too long as well."""
    await browser.ask("/sign-in", {"identifier": person.identifier})
    for length in (1 << 20, 60_000, 4097):
        refused = await browser.ask("/factor", {"password": "x" * length})
        assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")


async def test_l04_one_password_for_many_users_locks_none_of_them(careful: Stack, http: httpx.AsyncClient) -> None:
    """Each of those who were tried, from ten addresses, gets in. Nothing counts passwords yet."""
    api = await careful.new_tenant()
    people = [await new_person(api) for _ in range(30)]
    for number, one in enumerate(people):
        address = {"x-forwarded-for": f"203.0.113.{number % 10}"}
        sprayer = Browser(careful, api.tenant_id, http=http)
        await sprayer.ask("/sign-in", {"identifier": one.identifier}, headers=address)
        refused = await sprayer.ask("/factor", {"password": "Spring2026 spring2026"}, headers=address)
        assert refused.json()["reason"] == "FACTOR_REFUSED"
    for one in people:
        own = Browser(careful, api.tenant_id, http=http)
        assert (await own.sign_in(one.identifier)).status_code == 200


async def test_l06_who_fails_a_thousand_times_for_a_victim_keeps_its_known_device_out_of_nothing(
    stack: Stack, browser: Browser, person: Person, http: httpx.AsyncClient
) -> None:
    """A hundred of the failures are as slow as the throttle wants them, so that the password is closed to strangers."""
    assert (await browser.sign_in(person.identifier)).status_code == 200
    attacker = Browser(stack, browser.tenant_id, http=http)
    reasons: Counter[str] = Counter()
    for number in range(1000):
        if number % 9 == 0:
            await stack.advance(timedelta(minutes=15))
            await attacker.ask("/sign-in", {"identifier": person.identifier})
        reasons[(await attacker.ask("/factor", {"password": WRONG_PASSWORD})).json()["reason"]] += 1
    assert reasons.keys() == {"FACTOR_REFUSED", "GUESSING_THROTTLED"}
    assert reasons["FACTOR_REFUSED"] >= CLOSING_FAILURES
    await stack.advance(timedelta(minutes=15))
    stranger = Browser(stack, browser.tenant_id, http=http)
    assert (await stranger.sign_in(person.identifier)).json()["reason"] == "FACTOR_REFUSED", "closed to strangers"
    assert (await browser.sign_in(person.identifier)).status_code == 200


async def test_l08_a_code_counts_once(stack: Stack, http: httpx.AsyncClient) -> None:
    """Of 64 browsers that hand the same code in at once; then that of the step before is over, too."""
    scene = await new_scene(stack)
    app = await scene.app()
    await scene.next_step()
    browsers = [Browser(stack, scene.api.tenant_id, http=http) for _ in range(8)]
    for one in browsers:
        assert (await one.sign_in(scene.person.identifier)).json()["login"]["state"] == "FACTOR_REQUIRED"
    code = {"totp": app.code(scene.now)}
    answers = await asyncio.gather(*(browsers[number % 8].send("/factor", code) for number in range(64)))
    assert sum(one.status_code == 200 and "session" in one.json() for one in answers) == 1
    assert await scene.person.count() == 1
    fresh = Browser(stack, scene.api.tenant_id, http=http)
    await fresh.sign_in(scene.person.identifier)
    assert (await fresh.ask("/factor", code)).json()["reason"] in {"FACTOR_REFUSED", "GUESSING_THROTTLED"}


async def test_l09_a_client_chooses_no_ids(browser: Browser, person: Person) -> None:
    """Ids of a session, a device or a login that were planted before are not those that come of it."""
    planted = {
        browser.name("device"): "AAAAAAAAAAAAAAAAAAAAAA.planted",
        browser.name("login"): "AAAAAAAAAAAAAAAAAAAAAA.planted",
        browser.name("rt"): "eyJ.planted.token",
    }
    browser.jar.update(planted)
    await browser.sign_in(person.identifier)
    assert not set(planted.values()) & set(browser.jar.values())
    (session,) = await person.list()
    assert "AAAAAAAA" not in session.name + session.device.name
    for member in ("sid", "session_id", "device_id", "login_id"):
        assert (await browser.ask("/sign-in", {"identifier": "a", member: "x"})).json()["reason"] == "FIELD_INVALID"


async def test_l10_no_step_is_skipped(stack: Stack, http: httpx.AsyncClient) -> None:
    """After the password alone there is no session: nothing to refresh, to step up, or to see."""
    scene = await new_scene(stack)
    await scene.app()
    browser = Browser(stack, scene.api.tenant_id, http=http)
    half = await browser.sign_in(scene.person.identifier)
    assert half.json()["login"]["state"] == "FACTOR_REQUIRED"
    assert set(browser.jar) == {browser.name("login")}
    for path in ("/refresh", "/step-up"):
        assert (await browser.send(path, {})).json()["reason"] == "TOKEN_INVALID"
    for kind in ("rt", "at"):
        browser.jar[browser.name(kind)] = browser.jar[browser.name("login")]
    assert (await browser.send("/refresh", {})).json()["reason"] == "TOKEN_INVALID"
    assert (await browser.status())["state"] == "refresh"
    assert await scene.person.count() == 0
