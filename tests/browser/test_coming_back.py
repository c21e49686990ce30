"""Wherever somebody comes from or is led to first, they arrive where they wanted to be, and lose nothing on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from playwright.async_api import expect

from tests.browser.hands import BY_KEYS

if TYPE_CHECKING:
    from playwright.async_api import Request, Route

    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person
    from tests.support.stack import Stack

_NEW: Final = "nine patient herons by the old canal"
_ELSEWHERE: Final = "http://elsewhere.example"
_LED_TO: Final = (("/account", "Your devices"), ("/account/activity", "Activity"), ("/sign-in", "Your devices"))
_STALE: Final = timedelta(minutes=6)


@BY_KEYS
async def test_sign_in_leads_to_what_was_asked_for(person: Person, hands: Hands) -> None:
    """A page of the account that needs a sign-in first; nothing else is taken from an address."""
    await person.open("/account/activity")
    await person.sees("Sign in")
    await person.give_password(hands, "not the password of anybody")
    await person.give_password(hands)
    await person.sees("Activity")
    await person.sign_out(hands)
    for odd in ("//evil.example", "https://evil.example", "/account/../session", "/sign-out", "/account//evil"):
        await person.open(f"/sign-in?next={odd}")
        await person.give_password(hands)
        await person.sees("Your devices")
        await person.sign_out(hands)


async def test_a_link_of_another_site(site: Stack, person: Person, hands: Hands) -> None:
    """The browser keeps the strict cookies to itself at first, and whoever is signed in stays so all the same.

    The access token is over by then: only the refresh token, whose cookie is a strict one, says who is there.
    """
    await person.sign_in(hands)
    asked: list[Request] = []
    person.page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - it marks who listens
    for path, heading in _LED_TO:
        await site.advance(_STALE)
        asked.clear()
        await _follow_link(person, hands, path)
        await person.sees(heading)
        pages = [one.url for one in asked if one.is_navigation_request()]
        assert pages.count(f"{person.root}{path}") == 2, "led from there, and asked for once more from here"
    assert await person.user.count() == 1


@BY_KEYS
async def test_a_link_of_another_site_for_strangers(person: Person, hands: Hands) -> None:
    """Nobody is there: after one more request they are asked who they are, and arrive."""
    await _follow_link(person, hands, "/account/security")
    await person.sees("Sign in")
    await person.give_password(hands)
    await person.sees("Security")


@BY_KEYS
async def test_a_form_of_another_site(person: Person, hands: Hands, eyes: Eyes) -> None:
    """It ends nothing, and says so on a page that leads back."""
    eyes.expected = ("Failed to load resource: the server responded with a status of 403",)
    await person.sign_in(hands)
    html = f'<form method="post" action="{person.root}/account/devices/end-all"><button>Win</button></form>'
    await _elsewhere(person, html)
    await hands.press(person.page, "Win")
    await person.sees("The request did not come from this page")
    await eyes.look(person.page, "cross-site")
    assert await person.user.count() == 1
    await hands.press(person.page, "Go to your account", role="link")
    await person.sees("Your devices")


async def test_nobody_frames_a_page(person: Person, eyes: Eyes) -> None:
    """A click that was meant for another page reaches none of ours."""
    eyes.expected = ("Framing ",)
    await _elsewhere(person, f'<iframe src="{person.root}/sign-in" title="Framed"></iframe>')
    await person.page.wait_for_load_state("networkidle")
    framed = person.page.frame_locator("iframe").get_by_role("heading", name="Sign in")
    await expect(framed).to_have_count(0)


async def test_a_stale_proof_is_asked_for_before_anything_is_typed(
    site: Stack, person: Person, hands: Hands, eyes: Eyes
) -> None:
    """The page of the password asks for it first, and is there afterwards."""
    page = person.page
    await person.sign_in(hands)
    await site.advance(_STALE)
    await person.open("/account/security")
    await hands.press(page, "Change the password", role="link")
    await person.sees("Confirm that it's you")
    await hands.press(page, "Continue")
    await hands.write(page, "Password", person.password)
    await hands.press(page, "Continue")
    await person.sees("Change the password")
    await hands.write(page, "New password", _NEW)
    await hands.press(page, "Change the password")
    await expect(page.get_by_role("status")).to_have_text("The password is changed.")


async def test_a_proof_that_goes_stale_while_somebody_types(
    site: Stack, person: Person, hands: Hands, eyes: Eyes
) -> None:
    """What was typed is kept nowhere: the page says so, and leads back to the empty form."""
    page = person.page
    await person.sign_in(hands)
    await person.open("/account/security/password")
    await hands.write(page, "New password", _NEW)
    await site.advance(_STALE)
    await hands.press(page, "Change the password")
    await person.sees("Confirm that it's you")
    await expect(page.get_by_text("What you have typed was not kept.")).to_be_visible()
    assert _NEW not in page.url + await page.content()
    await eyes.look(page, "confirm-lost")
    await hands.press(page, "Continue")
    await hands.write(page, "Password", person.password)
    await eyes.look(page, "step-up")
    await hands.press(page, "Continue")
    await person.sees("Change the password")
    await expect(page.get_by_label("New password", exact=True)).to_have_value("")


async def _elsewhere(person: Person, html: str) -> None:
    """Opens a page of another site."""

    async def answer(route: Route) -> None:
        body = f"<!doctype html><title>Elsewhere</title><style>:focus {{ outline: 3px solid }}</style>{html}"
        await route.fulfill(body=body, content_type="text/html")

    await person.context.route(f"{_ELSEWHERE}/**", answer)
    await person.page.goto(f"{_ELSEWHERE}/")


async def _follow_link(person: Person, hands: Hands, path: str) -> None:
    await _elsewhere(person, f'<a href="{person.root}{path}">There</a>')
    await hands.press(person.page, "There", role="link")
