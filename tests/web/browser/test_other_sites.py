"""What other sites can make a browser send is refused with 403, and nothing is done or spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.browsers import Browser
from tests.support.people import PASSWORD, Person

if TYPE_CHECKING:
    from tests.support.stack import Stack

_ORIGIN = "http://localhost:8080"
_FOREIGN: list[tuple[str, dict[str, str | None]]] = [
    ("ORIGIN", {"origin": None}),
    ("ORIGIN", {"origin": "null"}),
    ("ORIGIN", {"origin": "https://evil.example"}),
    ("ORIGIN", {"origin": "http://localhost"}),
    ("ORIGIN", {"origin": "https://localhost:8080"}),
    ("ORIGIN", {"origin": "http://localhost:80800"}),
    ("ORIGIN", {"origin": "http://localhost:8080.evil.example"}),
    ("ORIGIN", {"origin": "HTTP://localhost:8080"}),
    ("ORIGIN", {"origin": f"{_ORIGIN} https://evil.example"}),
    ("ORIGIN", {"origin": f"{_ORIGIN}/"}),
    ("FETCH_SITE", {"sec-fetch-site": "cross-site"}),
    ("FETCH_SITE", {"sec-fetch-site": "same-site"}),
    ("FETCH_SITE", {"sec-fetch-site": "none"}),
    ("FETCH_SITE", {"sec-fetch-site": "unheard-of"}),
    ("FETCH_MODE", {"sec-fetch-mode": "navigate"}),
    ("FETCH_MODE", {"sec-fetch-mode": "no-cors"}),
    ("HEADER", {"x-argus-csrf": None}),
    ("CONTENT_TYPE", {"content-type": "text/plain"}),
    ("CONTENT_TYPE", {"content-type": "application/x-www-form-urlencoded"}),
    ("CONTENT_TYPE", {"content-type": "multipart/form-data; boundary=x"}),
    ("CONTENT_TYPE", {"content-type": "application/json-patch"}),
]
_PATHS = ["/sign-in", "/factor", "/step-up", "/refresh", "/cancel", "/sign-out"]


def test_the_cases_are_about_the_origin_that_is_served(stack: Stack) -> None:
    assert stack.argus.settings.base_url == _ORIGIN


@pytest.mark.parametrize("path", _PATHS)
@pytest.mark.parametrize(("check", "headers"), _FOREIGN)
async def test_f10_asvs_3_5_1_other_sites_get_403(
    signed_in: Browser, check: str, headers: dict[str, str | None], path: str
) -> None:
    before = dict(signed_in.jar)
    refused = await signed_in.ask(path, {}, headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (403, "CROSS_SITE_REQUEST")
    assert refused.json()["metadata"] == {"check": check}
    assert "set-cookie" not in refused.headers
    assert signed_in.jar == before


async def test_f10_no_rotation_is_spent(stack: Stack, signed_in: Browser) -> None:
    """The token that every other site had the browser present is the newest one still, and rotates."""
    token = signed_in.jar[signed_in.name("rt")]
    before = verdicts(stack)
    for _, headers in _FOREIGN:
        assert (await signed_in.ask("/refresh", {}, headers=headers)).status_code == 403
    assert verdicts(stack) == before
    assert (await signed_in.refresh()).status_code == 200
    assert verdicts(stack).get("rotation_verdicts{verdict=rotated}", 0) == 1 + before.get(
        "rotation_verdicts{verdict=rotated}", 0
    )
    assert signed_in.jar[signed_in.name("rt")] != token


async def test_a_form_of_another_site_can_do_nothing(signed_in: Browser) -> None:
    """As browsers send it: a navigation, with cookies where SameSite lets them through."""
    form: dict[str, str | None] = {
        "origin": "https://evil.example",
        "x-argus-csrf": None,
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document",
    }
    for path in _PATHS:
        assert (await signed_in.send(path, {}, headers=form)).status_code == 403
    assert (await signed_in.status())["state"] == "active"


async def test_login_csrf_nobody_is_signed_in_as_somebody_else(browser: Browser, person: Person) -> None:
    """Another site can neither begin a sign-in here nor finish one that it has begun itself."""
    attacker = browser.copied()
    await attacker.ask("/sign-in", {"identifier": person.identifier})
    assert (await browser.ask("/factor", {"password": PASSWORD})).json()["reason"] == "LOGIN_NOT_FOUND"
    evil = {"origin": "https://evil.example"}
    assert (await attacker.ask("/factor", {"password": PASSWORD}, headers=evil)).status_code == 403


async def test_asvs_3_7_5_old_browsers_are_served_by_their_origin(signed_in: Browser) -> None:
    """Those that send no `Sec-Fetch-*`."""
    old: dict[str, Any] = {"sec-fetch-site": None, "sec-fetch-mode": None, "sec-fetch-dest": None}
    assert (await signed_in.ask("/refresh", {}, headers=old)).status_code == 200


async def test_asvs_3_2_1_an_answer_is_no_page(signed_in: Browser) -> None:
    """Who follows a link to the endpoint gets a refusal; the answers could neither run nor be framed."""
    page = await signed_in.ask(
        "", method="GET", headers={"sec-fetch-mode": "navigate", "sec-fetch-site": "none", "x-argus-csrf": None}
    )
    assert page.status_code == 403
    for answer in (page, await signed_in.ask("", method="GET")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["content-type"] in {"application/json", "application/problem+json"}


async def test_asvs_3_5_3_get_changes_nothing(signed_in: Browser) -> None:
    """What changes something takes POST alone; the status sets no cookie."""
    for path in _PATHS:
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            assert (await signed_in.send(path, method=method)).status_code == 405
    answer = await signed_in.send("", method="GET")
    assert "set-cookie" not in answer.headers
    assert (await signed_in.send("", {})).status_code == 405


async def test_no_other_origin_may_ask_by_script(signed_in: Browser) -> None:
    """A preflight is not answered with leave, and whoever does without gets an answer that no script may read."""
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = await signed_in.http.options(f"{signed_in.url}/refresh", headers=asked)
    assert answer.status_code == 403
    for one in (answer, await signed_in.send("/refresh", {}, headers={"origin": "https://evil.example"})):
        assert not [name for name in one.headers if name.startswith("access-control-")]
        assert one.headers["vary"] == "Origin"


def verdicts(stack: Stack) -> dict[str, int]:
    """How often the table of rotation was asked, by what it said."""
    counted = stack.argus.engine.counters()
    return {name: count for name, count in counted.items() if name.startswith("rotation_verdicts")}
