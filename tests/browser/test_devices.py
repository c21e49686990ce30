"""Your devices: seen, renamed, ended; one, the others, all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.hands import BY_KEYS

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person

_PHONE = (
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Mobile Safari/537.36"
)


async def test_rename_and_end_a_device(person: Person, chromium: Browser, hands: Hands, eyes: Eyes) -> None:
    """A phone gets a name, and is signed out from the desktop; what it asks for next leads it to the sign-in."""
    phone_context = await chromium.new_context(user_agent=_PHONE, locale="en-GB")
    eyes.watch(phone_context)
    phone = await phone_context.new_page()
    await person.sign_in(hands, phone)
    await person.sign_in(hands)
    await eyes.look(person.page, "devices")
    await hands.press(person.page, "Chrome Mobile on Android", role="link")
    await person.sees("Chrome Mobile on Android")
    await eyes.look(person.page, "device")
    await hands.write(person.page, "Name of the device", "My phone")
    await hands.press(person.page, "Save")
    await person.sees("My phone")
    await expect(person.page.get_by_role("status")).to_have_text("It is saved.")
    await hands.press(person.page, "All devices", role="link")
    await hands.press(person.page, "Sign out My phone")
    await expect(person.page.get_by_role("status")).to_have_text("The device is signed out.")
    await expect(person.page.get_by_role("link", name="My phone")).to_have_count(0)
    await phone.reload()
    await person.sees("Sign in", phone)
    await phone_context.close()


async def test_sign_out_everywhere(person: Person, chromium: Browser, hands: Hands, eyes: Eyes) -> None:
    """The others first, then all: this device's cookies go, too."""
    other_context = await chromium.new_context(locale="en-GB")
    eyes.watch(other_context)
    other = await other_context.new_page()
    await person.sign_in(hands, other)
    await person.sign_in(hands)
    await hands.press(person.page, "Sign out all others")
    await expect(person.page.get_by_role("status")).to_have_text("All other devices are signed out.")
    await other.reload()
    await person.sees("Sign in", other)
    await person.give_password(hands, page=other)
    await person.sees("Your devices", other)
    await hands.press(other, "Sign out everywhere")
    await person.sees("You are signed out everywhere", other)
    await person.page.reload()
    await person.sees("Sign in")
    await other_context.close()


@BY_KEYS
async def test_markup_in_a_name_is_text(person: Person, hands: Hands, eyes: Eyes) -> None:
    """Whatever a device is called, it is shown as it was typed."""
    page, name = person.page, '<img src=x onerror="ran = 1"><script>ran = 1</script>&amp;'
    await person.sign_in(hands)
    await hands.press(page, "Firefox on Linux", role="link")
    await hands.write(page, "Name of the device", name)
    await hands.press(page, "Save")
    await person.sees(name)
    await hands.press(page, "All devices", role="link")
    await expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    assert await page.evaluate("typeof ran") == "undefined"
