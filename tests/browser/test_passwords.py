"""Passwords: changed by whoever is signed in, reset by a link in a mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person
    from tests.support.mails import MailServer

_NEW = "nine patient herons by the old canal"


async def test_reset_a_password(person: Person, mails: MailServer, hands: Hands, eyes: Eyes) -> None:
    """The link works once; its secret leaves the address as soon as it was read."""
    page = person.page
    await person.open("/sign-in")
    await hands.press(page, "Forgot your password?", role="link")
    await person.sees("Reset your password")
    await hands.write(page, "E-mail or user name", person.user.identifier)
    await hands.press(page, "Send the link")
    await person.sees("Check your e-mail")
    await eyes.look(page, "recovery-sent")
    link = (await mails.next(person.user.identifier)).link
    await page.goto(link)
    await person.sees("Choose a new password")
    await expect(page).to_have_url(link.partition("#")[0])
    await hands.write(page, "New password", "short")
    await hands.press(page, "Save the password")
    await expect(page.get_by_role("alert").first).to_contain_text("That password is too short.")
    await hands.write(page, "New password", _NEW)
    await hands.press(page, "Save the password")
    await person.sees("The password is changed")
    await hands.press(page, "Sign in", role="link")
    await person.give_password(hands, _NEW)
    await person.sees("Your devices")
    await page.goto(link)
    await hands.write(page, "New password", person.password)
    await hands.press(page, "Save the password")
    await person.sees("The link does not work any more")


async def test_change_the_password(person: Person, hands: Hands, eyes: Eyes) -> None:
    """From the settings; what happened is in the activity."""
    page = person.page
    await person.sign_in(hands)
    await hands.press(page, "Security", role="link")
    await person.sees("Security")
    await hands.press(page, "Change the password", role="link")
    await person.sees("Change the password")
    await hands.write(page, "New password", _NEW)
    await hands.press(page, "Change the password")
    await expect(page.get_by_role("status")).to_have_text("The password is changed.")
    await hands.press(page, "Activity", role="link")
    await person.sees("Activity")
    await expect(page.get_by_text("Password changed", exact=True).first).to_be_visible()
    await eyes.look(page, "activity")
