"""Second factors and passkeys: set up, used, asked for again, removed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from playwright.async_api import expect

from argus.base import clock as clocks
from tests.browser.authenticators import App, authenticator_of

if TYPE_CHECKING:
    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person
    from tests.support.stack import Stack


async def test_authenticator_app_and_recovery_codes(site: Stack, person: Person, hands: Hands, eyes: Eyes) -> None:
    """Set up an app and codes, sign in with each, and confirm by the app what a stale session may not do."""
    page = person.page
    await person.sign_in(hands)
    app = await _set_up_app(site, person, hands, eyes)
    codes = await _make_codes(person, hands, eyes, app)
    await person.sign_out(hands)
    await person.open("/sign-in")
    await person.give_password(hands)
    await person.sees("Confirm that it's you")
    await hands.write(page, "Code from your app", "000000")
    await hands.press(page, "Continue")
    await expect(page.get_by_role("alert").first).to_contain_text("That did not fit.")
    await hands.write(page, "Code from your app", app.next_code())
    await hands.press(page, "Continue")
    await person.sees("Your devices")
    await person.sign_out(hands)
    await person.open("/sign-in")
    await person.give_password(hands)
    await page.locator("summary").press("Enter")
    await hands.write(page, "Recovery code", codes[0])
    await page.get_by_label("Recovery code").press("Enter")
    await person.sees("Your devices")
    await hands.press(page, "Security", role="link")
    await expect(page.get_by_text("9 are left.")).to_be_visible()


async def test_passkey(site: Stack, person: Person, hands: Hands, eyes: Eyes) -> None:
    """Add one, sign in with it alone, confirm by it after a while, rename and remove it."""
    page = person.page
    # A browser that offers no passkeys in fields: by the button alone.
    await person.context.add_init_script("delete PublicKeyCredential.isConditionalMediationAvailable")
    authenticator = await authenticator_of(page)
    await authenticator.answer_by_itself(enabled=False)
    await person.sign_in(hands)
    await hands.press(page, "Security", role="link")
    await hands.press(page, "Add a passkey")
    await person.sees("Add a passkey")
    await eyes.look(page, "passkey")
    await hands.write(page, "Name", "Work laptop")
    await authenticator.answer_by_itself(enabled=True)
    await hands.press(page, "Create a passkey")
    await expect(page.get_by_role("status")).to_have_text("The passkey is added.")
    assert await authenticator.count() == 1
    await eyes.look(page, "security-passkey")
    await authenticator.answer_by_itself(enabled=False)
    await person.sign_out(hands)
    await person.open("/sign-in")
    await authenticator.answer_by_itself(enabled=True)
    await hands.press(page, "Sign in with a passkey")
    await person.sees("Your devices")
    await site.advance(timedelta(minutes=6))
    await hands.press(page, "Security", role="link")
    await hands.press(page, "Manage Work laptop", role="link")
    await person.sees("Work laptop")
    await hands.press(page, "Remove")
    await person.sees("Confirm that it's you")
    await eyes.look(page, "confirm")
    await hands.press(page, "Continue")
    await hands.press(page, "Use a passkey")
    await person.sees("Work laptop")
    await hands.press(page, "Remove")
    await expect(page.get_by_role("status")).to_have_text("It is removed.")


async def _set_up_app(site: Stack, person: Person, hands: Hands, eyes: Eyes) -> App:
    page = person.page
    await hands.press(page, "Security", role="link")
    await hands.press(page, "Set up an authenticator app")
    await person.sees("Authenticator app")
    await eyes.look(page, "totp")
    secret = await page.locator("figcaption .code").inner_text()
    app = App(secret.replace(" ", ""), lambda: clocks.now(site.private.clock))
    await hands.write(page, "Code from your app", "000000")
    await hands.press(page, "Switch on")
    await expect(page.get_by_role("alert").first).to_contain_text("That did not fit.")
    await hands.write(page, "Code from your app", app.next_code())
    await hands.press(page, "Switch on")
    await expect(page.get_by_role("status")).to_have_text("The authenticator app is set up.")
    return app


async def _make_codes(person: Person, hands: Hands, eyes: Eyes, app: App) -> list[str]:
    """The session was begun by a password alone: it has to show the new app first."""
    page = person.page
    await hands.press(page, "Make recovery codes")
    await person.sees("Confirm that it's you")
    await hands.press(page, "Continue")
    await hands.write(page, "Password", person.password)
    await hands.press(page, "Continue")
    await hands.write(page, "Code from your app", app.next_code())
    await hands.press(page, "Continue")
    await person.sees("Security")
    await hands.press(page, "Make recovery codes")
    await person.sees("Recovery codes")
    await eyes.look(page, "codes")
    codes = await page.locator("#codes li").all_inner_texts()
    assert len(set(codes)) == 10
    await hands.press(page, "I have kept them", role="link")
    return codes
