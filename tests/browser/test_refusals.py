"""Where there is no page, or none can be shown: the reader is told so kindly, and led on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import expect

from argus.base.ids import new_id
from tests.browser.hands import BY_KEYS
from tests.browser.person import new_person
from tests.support.own_stores import without_postgresql
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from argus.storage.embedded import EmbeddedStores
    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person

_NOTED: Final = "Failed to load resource: the server responded with a status of "
_LONG: Final = 60
_MUCH: Final = "a" * 70_000


@BY_KEYS
async def test_nothing_is_there(person: Person, hands: Hands, eyes: Eyes) -> None:
    """Of a tenant, of an account, of nobody; what a form leads to is no page either."""
    eyes.expected = (f"{_NOTED}404", f"{_NOTED}405")
    page = person.page
    await person.open("/no-such-page")
    await person.sees("There is nothing here")
    await eyes.look(page, "not-found")
    await person.sign_in(hands)
    for path in (f"/account/devices/{new_id()}", f"/account/security/{new_id()}", "/account/security/passwords/1"):
        await person.open(path)
        await person.sees("There is nothing here")
    await person.open("/account/devices/end-all")
    await person.sees("There is nothing here")
    await person.open("/account/security/passkeys/finish")
    await person.sees("There is nothing to see at this address")
    await eyes.look(page, "no-page")
    await hands.press(page, "Go to your account", role="link")
    await person.sees("Your devices")
    for address in ("/", "/t/nobody-has-this-id/sign-in", "/t/", "/t/%3Cb%3E/sign-in"):
        await page.goto(person.root.rpartition("/t/")[0] + address)
        await person.sees("There is nothing here")
    await eyes.look(page, "nowhere")


@BY_KEYS
async def test_too_much(person: Person, hands: Hands, eyes: Eyes) -> None:
    """A form of more than 64 KiB is not read to its end."""
    eyes.expected = (f"{_NOTED}413",)
    await person.open("/recovery")
    await person.page.get_by_label("E-mail or user name").fill(_MUCH)
    await hands.press(person.page, "Send the link")
    await person.sees("That was too much at once")
    await eyes.look(person.page, "too-long")


@BY_KEYS
async def test_too_many_tries(site: Stack, person: Person, hands: Hands, eyes: Eyes) -> None:
    """The form says how long to wait, and so does the answer."""
    eyes.expected = (f"{_NOTED}429",)
    while (wait := await _wait_after_a_try(person)) < _LONG:
        await site.advance(timedelta(seconds=wait))
    await person.open("/sign-in")
    async with person.page.expect_response("**/sign-in") as asked:
        await person.give_password(hands)
    answer = await asked.value
    assert answer.status == 429
    assert int((await answer.all_headers())["retry-after"]) >= 1
    await expect(person.page.get_by_role("alert").first).to_contain_text("Too many tries.")
    await expect(person.page.get_by_label("E-mail or user name")).to_have_value(person.user.identifier)
    await eyes.look(person.page, "throttled")


async def _wait_after_a_try(person: Person) -> int:
    """Seconds to wait after a further wrong password."""
    refused = await person.user.try_password()
    assert refused is not None
    return int(refused.metadata.get("retryAfterSeconds", 0))


async def test_a_sign_in_that_took_too_long(person: Person, hands: Hands, eyes: Eyes) -> None:
    """It leads back to the beginning, and to where it was to lead."""
    eyes.expected = (f"{_NOTED}404",)
    await person.open("/sign-in/factor?next=/account/security")
    await person.sees("That took too long")
    await eyes.look(person.page, "login-over")
    await hands.press(person.page, "Sign in", role="link")
    await person.give_password(hands)
    await person.sees("Security")


@BY_KEYS
@pytest.mark.timeout(180)
async def test_a_store_that_is_away(
    own_site: Stack, own_stores: EmbeddedStores, chromium: Browser, hands: Hands, eyes: Eyes
) -> None:
    """Nobody is signed out: the same page is there once the store is back."""
    eyes.expected = (f"{_NOTED}503",)
    context = await chromium.new_context(locale="en-GB")
    eyes.watch(context)
    person = await new_person(own_site, await own_site.new_tenant(), context)
    await person.sign_in(hands)
    async with without_postgresql(own_stores, own_site.private):
        for path in ("/account/activity", "/sign-in"):
            await person.open(path)
            await person.sees("Something on our side is not working")
        await person.open("/account/activity")
        await eyes.look(person.page, "unavailable")
    await hands.press(person.page, "Try again", role="link")
    await person.sees("Activity")
    await context.close()
