"""A policy that asks for more than a password, and passkeys that are offered where the name is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from argus.base import clock as clocks
from tests.browser.authenticators import App, authenticator_of

if TYPE_CHECKING:
    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person
    from tests.support.account_links import Post
    from tests.support.stack import Stack


async def test_an_app_is_set_up_on_the_way_in(
    site: Stack, person: Person, post: Post, hands: Hands, eyes: Eyes
) -> None:
    """A wrong code leaves the app as it was set up: nobody scans twice. Then on to what was asked for."""
    page = person.page
    await post.set_policy(required_acr=2)
    await person.open("/account/security")
    await person.give_password(hands)
    await person.sees("Set up a second factor")
    await eyes.look(page, "enrol")
    await hands.press(page, "Set up an authenticator app")
    await person.sees("Authenticator app")
    await eyes.look(page, "enrol-totp")
    secret = await page.locator("#secret").inner_text()
    app = App(secret.replace(" ", ""), lambda: clocks.now(site.private.clock))
    await hands.write(page, "Code from your app", "000000")
    await hands.press(page, "Switch on")
    await expect(page.get_by_role("alert").first).to_contain_text("That did not fit.")
    assert await page.locator("#secret").inner_text() == secret
    await hands.write(page, "Code from your app", app.next_code())
    await hands.press(page, "Switch on")
    await person.sees("Security")
    await person.sign_out(hands)
    await person.open("/sign-in")
    await person.give_password(hands)
    await person.sees("Confirm that it's you")


async def test_a_passkey_is_added_on_the_way_in(person: Person, post: Post, hands: Hands, eyes: Eyes) -> None:
    """Called off at first; then it is there, and signs in by itself."""
    page = person.page
    authenticator = await authenticator_of(page)
    await authenticator.answer_by_itself(enabled=False)
    await post.set_policy(required_acr=2)
    await person.open("/sign-in")
    await person.give_password(hands)
    await person.sees("Set up a second factor")
    await hands.press(page, "Add a passkey")
    await person.sees("Add a passkey")
    await eyes.look(page, "enrol-passkey")
    await hands.press(page, "Cancel", role="link")
    await person.sees("Set up a second factor")
    await hands.press(page, "Add a passkey")
    await authenticator.answer_by_itself(enabled=True)
    await hands.press(page, "Create a passkey")
    await person.sees("Your devices")
    assert await authenticator.count() == 1


async def test_a_passkey_is_offered_in_the_field(person: Person, hands: Hands, eyes: Eyes) -> None:
    """Conditional mediation: whoever picks it where the name would be typed is in, without a further word."""
    page = person.page
    authenticator = await authenticator_of(page)
    await authenticator.answer_by_itself(enabled=False)
    await person.sign_in(hands)
    await person.open("/account/security")
    await hands.press(page, "Add a passkey")
    await authenticator.answer_by_itself(enabled=True)
    await hands.press(page, "Create a passkey")
    await expect(page.get_by_role("status")).to_have_text("The passkey is added.")
    await authenticator.answer_by_itself(enabled=False)
    await person.sign_out(hands)
    await person.open("/sign-in?next=/account/security")
    field = page.get_by_label("E-mail or user name", exact=True)
    assert await field.get_attribute("autocomplete") == "username webauthn"
    await expect(field).to_be_focused()
    await person.sees("Sign in")
    await authenticator.answer_by_itself(enabled=True)
    await page.reload()
    await person.sees("Security")
