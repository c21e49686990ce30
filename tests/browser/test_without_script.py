"""JavaScript is off: everything but passkeys works all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from argus.base import clock as clocks
from tests.browser.authenticators import App

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.browser.eyes import Eyes
    from tests.browser.person import Person
    from tests.support.stack import Stack


async def test_a_walk_without_a_script(site: Stack, chromium: Browser, person: Person, eyes: Eyes) -> None:
    """Set up an app, sign in by password and code, see the devices, end one, read what happened, sign out."""
    context = await chromium.new_context(java_script_enabled=False, locale="en-GB")
    eyes.watch(context)
    page = await context.new_page()
    await person.user.sign_in()
    await person.open("/sign-in", page)
    assert await page.get_by_text("Sign in with a passkey").is_hidden()
    assert await page.get_by_label("Show the password").is_hidden()
    await _sign_in(person, page)
    await person.sees("Your devices", page)
    await _press(page, "Security", role="link")
    await _press(page, "Set up an authenticator app")
    secret = (await page.locator("#secret").inner_text()).replace(" ", "")
    app = App(secret, lambda: clocks.now(site.private.clock))
    await page.get_by_label("Code from your app").fill(app.next_code())
    await _press(page, "Switch on")
    await expect(page.get_by_role("status")).to_have_text("The authenticator app is set up.")
    await _press(page, "Sign out")
    await person.sees("You are signed out", page)
    await person.open("/sign-in", page)
    await _sign_in(person, page)
    await page.get_by_label("Code from your app").fill(app.next_code())
    await _press(page, "Continue")
    await person.sees("Your devices", page)
    await _press(page, "Sign out Firefox on Linux")
    await expect(page.get_by_role("status")).to_have_text("The device is signed out.")
    assert await person.user.count() == 1
    await _press(page, "Activity", role="link")
    await expect(page.get_by_text("Confirmed", exact=False).or_(page.get_by_text("Signed in")).first).to_be_visible()
    await _press(page, "Deutsch", role="link")
    await person.sees("Aktivität", page)
    await _press(page, "Abmelden")
    await person.sees("Sie sind abgemeldet", page)
    await context.close()


async def test_long_histories_go_on(chromium: Browser, person: Person, eyes: Eyes) -> None:
    """Page by page, to the very first: nothing is left out and nothing is there twice."""
    for _ in range(30):
        await person.user.sign_in()
    context = await chromium.new_context(java_script_enabled=False, locale="en-GB")
    eyes.watch(context)
    page = await context.new_page()
    await person.open("/sign-in", page)
    await _sign_in(person, page)
    await _press(page, "Activity", role="link")
    found: list[str] = []
    while True:
        found += await page.locator(".items .label").all_inner_texts()
        older = page.get_by_role("link", name="Older")
        if not await older.count():
            break
        await older.press("Enter")
    assert found.count("Signed in") == 31
    assert len(found) > 50
    assert found[-1] == "Password changed", "the first of all"
    await context.close()


async def _sign_in(person: Person, page: Page) -> None:
    await page.get_by_label("E-mail or user name").fill(person.user.identifier)
    await page.get_by_label("Password", exact=True).fill(person.password)
    await _press(page, "Sign in")


async def _press(page: Page, name: str, *, role: str = "button") -> None:
    """`Keyboard` asks the page where the focus is, which nobody answers without a script."""
    await page.get_by_role(role, name=name, exact=True).press("Enter")  # type: ignore[arg-type]  # one of its roles
