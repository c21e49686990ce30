"""Every page that the router has, at each size, in each light, as axe sees it; and what all of them keep to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import expect

from argus.base import clock as clocks
from argus.server.browser import browser_edge
from argus.v1.session_service_pb2 import CreateSessionRequest
from argus.web.issuers import Issuers
from tests.browser.authenticators import App
from tests.browser.hands import BY_KEYS
from tests.support.people import context

if TYPE_CHECKING:
    from playwright.async_api import Response

    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person
    from tests.support.account_links import Post
    from tests.support.stack import Stack

_ROOT: Final = "/t/{tenant_id}"
# What is no page: the documents of a theme, JSON for scripts and browsers.
_NO_PAGES: Final = frozenset({"/theme.css", "/logo", "/session", "/.well-known/webauthn"})
_OUTSIDE: Final = (
    "/sign-in",
    "/sign-out",
    "/recovery",
    "/registration",
    "/verification",
    "/account/recovery",
    "/account/registration",
    "/account/verification",
    "/account/invitation",
    "/account/not-me",
)
_INSIDE: Final = (
    "/account",
    "/account/confirm",
    "/account/devices",
    "/account/devices/{session_id}",
    "/account/security",
    "/account/security/password",
    "/account/security/{credential_id}",
    "/account/notices",
    "/account/activity",
)
_ON_THE_WAY: Final = ("/sign-in/factor", "/sign-in/enrol", "/sign-in/sessions")


def test_all_of_them_are_known(site: Stack) -> None:
    """A page that is added to the router is added here, or nobody looks at it."""
    routes = browser_edge(
        site.argus, Issuers(key_sets=site.argus.engine.jwks, issuer_of=site.argus.tenants.issuer)
    ).routes
    shown = {
        one.path.removeprefix(_ROOT) for one in routes if "GET" in (one.methods or ()) and one.path.startswith(_ROOT)
    }
    assert shown - _NO_PAGES == {*_OUTSIDE, *_INSIDE, *_ON_THE_WAY}


@pytest.mark.timeout(300)
@BY_KEYS
async def test_each_of_them(site: Stack, person: Person, post: Post, hands: Hands, eyes: Eyes) -> None:
    """Seen by a stranger, on the way in and from inside: neither axe nor the console nor the policy complains."""
    page = person.page
    await post.set_policy(self_registration=True)
    for path in _OUTSIDE:
        await _look(person, eyes, path)
    await post.set_policy(self_registration=True, required_acr=2)
    await person.open("/sign-in")
    await person.give_password(hands)
    await person.sees("Set up a second factor")
    await _look(person, eyes, "/sign-in/enrol")
    await hands.press(page, "Set up an authenticator app")
    secret = (await page.locator("#secret").inner_text()).replace(" ", "")
    app = App(secret, lambda: clocks.now(site.private.clock))
    await hands.write(page, "Code from your app", app.next_code())
    await hands.press(page, "Switch on")
    await person.sees("Your devices")
    holes = {
        "session_id": (await person.user.list())[0].name.rpartition("/")[2],
        "credential_id": await _credential_id(person),
    }
    for path in _INSIDE:
        await _look(person, eyes, path, **holes)
    await person.sign_out(hands)
    await person.open("/sign-in")
    await person.give_password(hands)
    await person.sees("Confirm that it's you")
    await _look(person, eyes, "/sign-in/factor")
    await post.set_policy(session_limit=1, on_limit="ask_user")
    await person.user.api.sessions.CreateSession(
        CreateSessionRequest(parent=person.user.name, client_context=context())
    )
    await hands.write(page, "Code from your app", app.next_code())
    await hands.press(page, "Continue")
    await person.sees("Choose where to sign out")
    await _look(person, eyes, "/sign-in/sessions")
    await page.get_by_role("checkbox").focus()
    await page.keyboard.press("Space")
    await hands.press(page, "Sign out there and sign in here")
    await person.sees("Your devices")


async def _look(person: Person, eyes: Eyes, path: str, **holes: str) -> None:
    answer = await person.page.goto(f"{person.root}{path.format(**holes)}")
    assert answer is not None
    assert answer.status == 200, path
    await _check_headers(answer)
    await _check_fields(person)
    await eyes.look(person.page, f"page{re.sub(r'[^a-z]+', '-', path).rstrip('-')}")


async def _credential_id(person: Person) -> str:
    await person.open("/account/security")
    path = await person.page.get_by_role("link", name="Manage Authenticator app").get_attribute("href")
    assert path is not None
    return path.rpartition("/")[2]


async def _check_headers(answer: Response) -> None:
    """No cache keeps it, no frame holds it, no script but ours runs in it."""
    headers = await answer.all_headers()
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= set(policy)
    assert {"require-trusted-types-for 'script'", "trusted-types 'none'", "report-uri /csp-reports"} <= set(policy)
    assert not [one for one in policy if "unsafe" in one]


async def _check_fields(person: Person) -> None:
    """Each field says what it is for, for managers of passwords to know; passwords are hidden, and can be shown."""
    fields = person.page.locator("input:not([type=hidden], [type=checkbox])")
    for at in range(await fields.count()):
        one = fields.nth(at)
        purpose = await one.get_attribute("autocomplete")
        assert purpose, await one.get_attribute("name")
        if "password" in purpose:
            assert await one.get_attribute("type") == "password"
            assert await person.page.locator(f"button[data-reveal={await one.get_attribute('id')}]").count() == 1


async def test_what_is_typed_into_a_password_can_be_shown_and_pasted(person: Person, hands: Hands) -> None:
    """Hidden at first, shown when asked for, hidden again when it is sent."""
    page = person.page
    await person.open("/sign-in")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.evaluate("text => navigator.clipboard.writeText(text)", person.password)
    field = page.get_by_label("Password", exact=True)
    await field.focus()
    await page.keyboard.press("Control+v")
    await expect(field).to_have_value(person.password)
    await expect(field).to_have_attribute("type", "password")
    await hands.press(page, "Show the password")
    await expect(field).to_have_attribute("type", "text")
    await hands.press(page, "Show the password")
    await expect(field).to_have_attribute("type", "password")
    await hands.write(page, "E-mail or user name", person.user.identifier)
    await hands.press(page, "Sign in")
    await person.sees("Your devices")
