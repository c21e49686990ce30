"""Signing in and out by password, and what every page keeps to."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from playwright.async_api import expect

from argus.v1 import tenant_service_pb2 as tenants
from tests.browser.hands import BY_KEYS
from tests.support.people import WRONG_PASSWORD

if TYPE_CHECKING:
    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person

# One pixel.
_LOGO: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


async def test_sign_in_and_out(person: Person, hands: Hands, eyes: Eyes) -> None:
    """A wrong password is told apart from nothing else; the right one leads in, and a sign-out leads out for good."""
    await person.open("/account")
    await person.sees("Sign in")
    await person.give_password(hands, WRONG_PASSWORD)
    await expect(person.page.get_by_role("alert").first).to_contain_text("That did not fit.")
    await eyes.look(person.page, "sign-in-refused")
    await person.give_password(hands)
    await person.sees("Your devices")
    await hands.press(person.page, "Sign out")
    await person.sees("You are signed out")
    await eyes.look(person.page, "signed-out")
    assert not {cookie["name"] for cookie in await person.context.cookies()} - {
        f"__Host-argus_device.{person.tenant_id}"
    }
    await person.page.go_back()
    await person.open("/account/devices")
    await person.sees("Sign in")


@BY_KEYS
async def test_an_unknown_user_reads_the_same(person: Person, hands: Hands) -> None:
    await person.open("/sign-in")
    await hands.write(person.page, "E-mail or user name", "nobody@example.com")
    await hands.write(person.page, "Password", WRONG_PASSWORD)
    await hands.press(person.page, "Sign in")
    await expect(person.page.get_by_role("alert").first).to_contain_text("That did not fit.")


async def test_everything_is_there_in_german(person: Person, hands: Hands, eyes: Eyes) -> None:
    """The choice is kept from page to page."""
    await person.open("/sign-in")
    await hands.press(person.page, "Deutsch", role="link")
    await person.sees("Anmelden")
    await eyes.look(person.page, "sign-in-german")
    await hands.write(person.page, "E-Mail oder Benutzername", person.user.identifier)
    await hands.write(person.page, "Passwort", person.password)
    await hands.press(person.page, "Anmelden")
    await person.sees("Ihre Geräte")
    await eyes.look(person.page, "devices-german")
    await hands.press(person.page, "Sicherheit", role="link")
    await person.sees("Sicherheit")
    await eyes.look(person.page, "security-german")
    assert await person.page.locator("html").get_attribute("lang") == "de"


@BY_KEYS
async def test_a_tenant_has_its_own_look(person: Person, hands: Hands, eyes: Eyes) -> None:
    """Name, logo and both accents, set by RPC; what axe says of contrast holds for them, too."""
    api, logo = person.user.api, base64.b64decode(_LOGO)
    theme = tenants.Theme(name=api.parent, title="Müller & Söhne", logo=logo, logo_type="image/png")
    theme.accent_light, theme.accent_dark = "#00624e", "#7fe0c4"
    await api.tenants.UpdateTheme(tenants.UpdateThemeRequest(theme=theme, update_mask=FieldMask(paths=["*"])))
    await person.open("/sign-in")
    await expect(person.page).to_have_title("Sign in · Müller & Söhne")
    await expect(person.page.locator("button.main")).to_have_css("background-color", "rgb(0, 98, 78)")
    shown = person.page.locator(".brand img")
    assert await shown.evaluate("image => image.complete && image.naturalWidth") == 1
    await eyes.look(person.page, "sign-in-themed")
    await person.give_password(hands)
    await person.sees("Your devices")
    await eyes.look(person.page, "devices-themed")


@pytest.mark.parametrize("attack", ["inline", "sink", "foreign"])
async def test_what_a_page_would_not_run(person: Person, eyes: Eyes, attack: str) -> None:
    """The watcher sees violations of the policy: injected scripts, sinks that take text, scripts of others."""
    await person.open("/sign-in")
    attacks = {
        "inline": "const s = document.createElement('script'); s.textContent = 'ran = true'; document.body.append(s)",
        "sink": "document.body.innerHTML = '<b>text</b>'",
        "foreign": "const s = document.createElement('script'); s.src = '//evil.example/'; document.body.append(s)",
    }
    with pytest.raises(Exception, match=r"Trusted(Script|HTML|ScriptURL)"):
        await person.page.evaluate(f"() => {{ {attacks[attack]} }}")
    assert await person.page.evaluate("window.ran === undefined")
    assert any(one.startswith("console") for one in eyes.seen), "the watcher is blind"
    await person.page.wait_for_load_state("networkidle")
    assert any("require-trusted-types-for" in one for one in eyes.seen if one.startswith("reported"))
    eyes.seen.clear()
