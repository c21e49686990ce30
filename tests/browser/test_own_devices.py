"""Devices with names, groups and places; trusted, forgotten; and the mail that asks whether it was really you."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from playwright.async_api import expect

from argus.networks.model import Credit
from argus.networks.service import write_credit
from tests.browser.conftest import PICTURES
from tests.browser.eyes import SIZES
from tests.support.account_links import NEW_PASSWORD
from tests.support.known_devices import MACHINE, WINDOWS_HINTS, arrive, listed
from tests.support.places import installed
from tests.support.vectors import vector_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.async_api import Browser

    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person
    from tests.support.account_links import Post
    from tests.support.stack import Stack

_BOXFORD: Final = "2.125.160.216"
_LINKOPING: Final = "89.160.20.112"
_PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 "
    "Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def places(site: Stack, tmp_path: Path) -> Iterator[None]:
    """Databases that know where some addresses are."""
    for name in ("GeoLite2-City-Test.mmdb", "GeoLite2-ASN-Test.mmdb"):
        shutil.copy(vector_path(f"geo/{name}"), tmp_path)
    (tmp_path / "ranges.txt").write_text(f"{_LINKOPING}/32 hosting\n")
    write_credit(
        tmp_path / "GeoLite2-City-Test.mmdb", Credit(text="Places by Example", url="https://places.example.com")
    )
    with installed(site.argus.networks, tmp_path):
        yield


async def test_devices_have_names_groups_and_places(person: Person, hands: Hands, eyes: Eyes, places: None) -> None:
    """Seen on the list and each on its page; a name given once stays with the device; trust ends by itself."""
    page = person.page
    await arrive(person.user, ip_address=_BOXFORD, client_hints=WINDOWS_HINTS)
    await arrive(person.user, ip_address=_LINKOPING, user_agent=_PHONE)
    gone = await arrive(person.user, ip_address=_BOXFORD, user_agent=_PHONE)
    await person.sign_in(hands)
    await hands.press(page, "Chrome on Windows", role="link")
    await person.sees("Chrome on Windows")
    for text in ("Windows 11", "Chrome 142.0.7444.60", "Boxford, GB"):
        await expect(page.get_by_text(text)).to_be_visible()
    await hands.write(page, "Name of the device", "Desk at the office")
    await hands.write(page, "Group", "work")
    await hands.press(page, "Save")
    await person.sees("Desk at the office")
    await hands.press(page, "Trust it")
    await expect(page.get_by_role("status")).to_have_text("The device is trusted.")
    await eyes.look(page, "own-device")
    await hands.press(page, "Trust it no longer")
    await expect(page.get_by_role("status")).to_have_text("The device is trusted no longer.")
    await hands.press(page, "All devices", role="link")
    ended = gone.session.name.rpartition("/")[2]
    await page.locator(f'form[action$="/{ended}/end"] button').click()
    await expect(page.get_by_text("work", exact=True)).to_be_visible()
    await expect(page.get_by_text("Linköping, SE · ")).to_be_visible()
    await expect(page.get_by_role("link", name="Places by Example")).to_have_attribute(
        "href", "https://places.example.com"
    )
    await expect(page.get_by_role("heading", name="Devices that were here before")).to_be_visible()
    await eyes.look(page, "own-devices")
    await hands.press(page, "Forget Mobile Safari on iOS")
    await expect(page.get_by_role("status")).to_have_text("The device is forgotten.")
    assert len(await listed(person.user)) == 3
    # The other phone stands in a network of servers, and gets no updates any more.
    await hands.press(page, "Mobile Safari on iOS", role="link")
    await expect(page.get_by_text("Bredband2 AB · server network")).to_be_visible()
    await expect(page.get_by_text("Gets no updates any more")).to_be_visible()
    await eyes.look(page, "own-device-odd")
    await hands.press(page, "Forget")
    await expect(page.get_by_role("link", name="Mobile Safari on iOS")).to_have_count(0)
    await hands.press(page, "Deutsch", role="link")
    await person.sees("Ihre Geräte")
    await eyes.look(page, "own-devices-de")
    await hands.press(page, "Desk at the office", role="link")
    await person.sees("Desk at the office")
    await eyes.look(page, "own-device-de")


async def test_the_page_s_script_says_what_the_machine_is_like(person: Person, hands: Hands, site: Stack) -> None:
    """Only hashes of it are kept; browsers are asked for the hints that they keep to themselves."""
    answers: list[dict[str, str]] = []

    async def note(url: str) -> None:
        async with httpx.AsyncClient() as client:
            answers.append(dict((await client.get(url)).headers))

    await note(f"{person.root}/sign-in")
    assert "Sec-CH-UA-Platform-Version" in answers[0]["accept-ch"]
    await person.sign_in(hands)
    rows = await site.argus.db.fetch_all(
        "SELECT component FROM device_prints WHERE tenant_id = %s", (person.tenant_id,)
    )
    # What this browser does not tell (how much memory there is, say) is not there.
    assert (
        {"timezone", "languages", "screen", "platform"}
        <= {row["component"] for row in rows}
        <= {
            *MACHINE,
            "color_depth",
            "max_touch_points",
        }
    )


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no-script"])
@pytest.mark.parametrize("language", ["en", "de"])
async def test_this_was_not_me(
    person: Person, chromium: Browser, post: Post, eyes: Eyes, places: None, *, has_script: bool, language: str
) -> None:
    """The mail's link leads to a page that asks; only its button signs the device out and closes the password."""
    texts = {
        "en": ("This wasn't me", "Sign that device out", "The device is signed out", "Set a new password"),
        "de": ("Das war ich nicht", "Dieses Gerät abmelden", "Das Gerät ist abgemeldet", "Neues Passwort setzen"),
    }[language]
    await arrive(person.user)
    intruder = await arrive(person.user, ip_address=_BOXFORD, user_agent=_PHONE, accept_language=language)
    mail = await post.mail(person.user.identifier)
    context = await chromium.new_context(java_script_enabled=has_script, locale=language)
    eyes.watch(context)
    page = await context.new_page()
    if has_script:
        await page.set_content(mail.html)
        await expect(page.get_by_text("Boxford, GB")).to_be_visible()
        for name, (width, height) in SIZES.items():
            await page.set_viewport_size({"width": width, "height": height})
            await page.screenshot(path=PICTURES / f"mail-new-device-{language}-{name}.png", full_page=True)
    async with httpx.AsyncClient(follow_redirects=True) as scanner:
        for _ in range(3):
            assert (await scanner.get(mail.link)).status_code == 200
    assert await person.user.count() == 2
    await page.goto(mail.link)
    await expect(page.get_by_role("heading", level=1)).to_have_text(texts[0])
    if has_script:
        assert mail.token not in page.url
        await eyes.look(page, f"not-me-{language}")
    else:
        await page.get_by_role("textbox").fill(mail.link)
    assert await person.user.count() == 2
    await page.get_by_role("button", name=texts[1]).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(texts[2])
    await expect(page.get_by_role("link", name=texts[3])).to_be_visible()
    if has_script:
        await eyes.look(page, f"not-me-done-{language}")
    assert intruder.session.name not in [one.name for one in await person.user.list()]
    assert await person.user.try_password(person.password) is not None
    notice = await post.mail(person.user.identifier)
    await post.complete("recovery", notice.token, NEW_PASSWORD)
    assert await person.user.try_password(NEW_PASSWORD) is None
    await context.close()
