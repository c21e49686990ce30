"""Accounts by mail: registration, invitation, a verified address, a new password, a code in the place of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from playwright.async_api import expect

from argus.base import clock as clocks
from tests.browser.authenticators import App
from tests.browser.hands import BY_KEYS
from tests.support.account_links import new_address

if TYPE_CHECKING:
    from tests.browser.eyes import Eyes
    from tests.browser.hands import Hands
    from tests.browser.person import Person
    from tests.support.account_links import Post
    from tests.support.stack import Stack

_NEW: Final = "nine patient herons by the old canal"


async def test_registration(person: Person, post: Post, hands: Hands, eyes: Eyes) -> None:
    """Where the policy allows it; who has an account reads the same, and learns it from the mail alone."""
    page, address = person.page, new_address()
    await person.open("/sign-in")
    await expect(page.get_by_role("link", name="Create one")).to_have_count(0)
    await post.set_policy(self_registration=True)
    await page.reload()
    await hands.press(page, "Create one", role="link")
    await person.sees("Create an account")
    told = []
    for asked in (person.user.identifier, address):
        await person.open("/registration")
        await hands.write(page, "E-mail address", asked)
        await hands.press(page, "Send the link")
        await person.sees("Check your e-mail")
        told.append((await page.locator("main").inner_text()).replace(asked, "…"))
    assert told[0] == told[1]
    await eyes.look(page, "registration-sent")
    link = (await post.mail(address)).link
    await page.goto(link)
    await person.sees("Create your account")
    await hands.write(page, "Your name", "Ada")
    await hands.write(page, "New password", _NEW)
    await hands.press(page, "Create the account")
    await person.sees("Your account is ready")
    await hands.press(page, "Sign in", role="link")
    await _sign_in(person, hands, address, _NEW)


async def test_registration_closed(person: Person, eyes: Eyes) -> None:
    """Nobody is offered what would be refused, and who comes by an old address is told what to do."""
    eyes.expected = ("Failed to load resource: the server responded with a status of 409",)
    await person.open("/registration")
    await person.sees("Nobody can create an account here")
    await eyes.look(person.page, "registration-closed")


async def test_invitation(person: Person, post: Post, hands: Hands, eyes: Eyes) -> None:
    """Once; whoever opens the mail again is told how to go on."""
    page, address = person.page, new_address()
    await post.invite(address)
    link = (await post.mail(address)).link
    await page.goto(link)
    await person.sees("Accept the invitation")
    await hands.write(page, "New password", _NEW)
    await hands.press(page, "Accept")
    await person.sees("Your account is ready")
    await hands.press(page, "Sign in", role="link")
    await _sign_in(person, hands, address, _NEW)
    await page.goto(link)
    await hands.write(page, "New password", _NEW)
    await hands.press(page, "Accept")
    await person.sees("The invitation does not work any more")


async def test_verification(person: Person, post: Post, hands: Hands, eyes: Eyes) -> None:
    """A link that is over leads to a new one; a mail that does not come is asked for again."""
    page, address = person.page, person.user.identifier
    await person.open("/account/verification")
    await person.sees("Confirm your e-mail address")
    await hands.press(page, "Confirm the address")
    await person.sees("The link does not work any more")
    await eyes.look(page, "link-over")
    await hands.press(page, "Ask for a new link", role="link")
    await person.sees("Confirm your e-mail address")
    await hands.write(page, "E-mail address", address)
    await hands.press(page, "Send the link")
    await person.sees("Check your e-mail")
    await post.mail(address)
    await hands.press(page, "Send it again")
    await expect(page.get_by_role("status")).to_have_text("Asked for once more.")
    await eyes.look(page, "verification-sent-again")
    await page.goto((await post.mail(address)).link)
    await hands.press(page, "Confirm the address")
    await person.sees("The address is confirmed")
    await eyes.look(page, "verified")


async def test_recovery_with_a_second_factor(site: Stack, person: Person, post: Post, hands: Hands, eyes: Eyes) -> None:
    """From the mail to being signed in: a mailbox alone opens no account that has a second factor."""
    page = person.page
    await person.sign_in(hands)
    await person.open("/account/security")
    await hands.press(page, "Set up an authenticator app")
    secret = (await page.locator("#secret").inner_text()).replace(" ", "")
    app = App(secret, lambda: clocks.now(site.private.clock))
    await hands.write(page, "Code from your app", app.next_code())
    await hands.press(page, "Switch on")
    await person.sign_out(hands)
    await person.open("/recovery")
    await hands.write(page, "E-mail or user name", person.user.identifier)
    await hands.press(page, "Send the link")
    await person.sees("Check your e-mail")
    await page.goto(await _recovery_link(post, person.user.identifier))
    await hands.write(page, "New password", _NEW)
    await hands.press(page, "Save the password")
    await hands.press(page, "Sign in", role="link")
    await person.give_password(hands, _NEW)
    await person.sees("Confirm that it's you")
    await hands.write(page, "Code from your app", app.next_code())
    await hands.press(page, "Continue")
    await person.sees("Your devices")
    await expect(page.get_by_text("Nowhere else.")).to_be_visible()


async def test_a_code_by_mail(person: Person, post: Post, hands: Hands, eyes: Eyes) -> None:
    """In the place of the password; asked for again it is the same one, and a wrong one leaves it good."""
    page, address = person.page, person.user.identifier
    await person.open("/sign-in?next=/account/activity")
    await hands.press(page, "Send me a code by e-mail")
    await expect(page.get_by_role("alert").first).to_contain_text("Something is not right.")
    await hands.write(page, "E-mail or user name", address)
    await hands.press(page, "Send me a code by e-mail")
    await person.sees("Check your e-mail")
    await eyes.look(page, "code")
    first = (await post.mail(address)).code
    await hands.press(page, "Send it again")
    await expect(page.get_by_role("status")).to_have_text("It is on its way once more.")
    assert (await post.mail(address)).code == first
    await hands.write(page, "Code from the e-mail", str((int(first) + 1) % 10**6).zfill(6))
    await hands.press(page, "Continue")
    await expect(page.get_by_role("alert").first).to_contain_text("That did not fit.")
    await eyes.look(page, "code-refused")
    await hands.write(page, "Code from the e-mail", first)
    await hands.press(page, "Continue")
    await person.sees("Activity")


@BY_KEYS
async def test_a_code_for_nobody_reads_the_same(person: Person, hands: Hands) -> None:
    told = []
    for asked in (person.user.identifier, "nobody@example.com"):
        await person.open("/sign-in")
        await hands.write(person.page, "E-mail or user name", asked)
        await hands.press(person.page, "Send me a code by e-mail")
        await person.sees("Check your e-mail")
        told.append((person.page.url, await person.page.locator("main").inner_text()))
    assert told[0] == told[1]


async def _recovery_link(post: Post, address: str) -> str:
    """It may come beside a mail that tells of the new factor."""

    def links() -> list[str]:
        return [one.link for one in post.mails.of(address) if "/account/recovery#" in one.text]

    await post.mails.until(lambda: bool(links()))
    return links()[0]


async def _sign_in(person: Person, hands: Hands, identifier: str, password: str) -> None:
    await person.sees("Sign in")
    await hands.write(person.page, "E-mail or user name", identifier)
    await hands.write(person.page, "Password", password)
    await hands.press(person.page, "Sign in")
    await person.sees("Your devices")
