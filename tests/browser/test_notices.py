"""The page of notices: switched off and on by keys, and without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwright.async_api import expect

from argus.notifications.preferences.model import OPTIONAL
from tests.browser.hands import BY_KEYS

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person

_BOX: Final = "Somebody signs in on a new device"


@BY_KEYS
async def test_a_notice_is_switched_off_and_on(person: Person, hands: Hands, eyes: Eyes) -> None:
    page = person.page
    await person.sign_in(hands)
    await hands.press(page, "Notices", role="link")
    await person.sees("Notices")
    await expect(page.get_by_text("The password was changed")).to_be_visible()
    assert await page.get_by_role("checkbox").count() == len(OPTIONAL)
    for is_on in (False, True):
        await page.get_by_role("checkbox", name=_BOX).press("Space")
        await hands.press(page, "Save")
        await expect(page.get_by_role("status")).to_have_text("Saved.")
        await expect(page.get_by_role("checkbox", name=_BOX)).to_be_checked(checked=is_on)
    await eyes.look(page, "notices")


async def test_it_needs_no_script(chromium: Browser, person: Person, eyes: Eyes) -> None:
    context = await chromium.new_context(java_script_enabled=False, locale="en-GB")
    eyes.watch(context)
    page = await context.new_page()
    await person.open("/sign-in?next=/account/notices", page)
    await page.get_by_label("E-mail or user name").fill(person.user.identifier)
    await page.get_by_label("Password", exact=True).fill(person.password)
    await page.get_by_role("button", name="Sign in", exact=True).press("Enter")
    await person.sees("Notices", page)
    await page.get_by_label(_BOX).uncheck()
    await _save(page)
    await expect(page.get_by_label(_BOX)).not_to_be_checked()
    await context.close()


async def _save(page: Page) -> None:
    await page.get_by_role("button", name="Save").press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Saved.")
