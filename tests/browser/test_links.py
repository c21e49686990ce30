"""The links of mails: whoever looks at them changes nothing, the person's click works once, and in its time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from playwright.async_api import expect

from argus.accounts.model import LINK_LIVES
from argus.v1 import user_service_pb2 as users
from tests.support.account_links import NEW_PASSWORD, Post, new_address

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from argus.accounts.model import Purpose
    from tests.browser.eyes import Eyes
    from tests.browser.person import Person
    from tests.support.mails import MailServer, Received
    from tests.support.stack import Stack

ACTIONS: Final[dict[Purpose, str]] = {
    "recovery": "Save the password",
    "registration": "Create the account",
    "invitation": "Accept",
    "verification": "Confirm the address",
}
"""The one button of each page."""
# An address that a user gets beside the one before is changed by a verification.
WAYS: Final = (*ACTIONS, "change")
# How programs fetch that look at links before people do, and browsers that want to be fast.
LOOKS: Final[list[dict[str, str]]] = [
    {},
    {"user-agent": "Mozilla/5.0 (compatible; SafeLinks/1.0)"},
    {"sec-purpose": "prefetch", "purpose": "prefetch"},
    {"sec-purpose": "prefetch;prerender"},
    {"x-moz": "prefetch"},
]
_TABLES: Final = (
    "users",
    "identifiers",
    "credentials",
    "sessions",
    "devices",
    "account_links",
    "account_requests",
    "mails",
)


async def new_link(post: Post, person: Person, way: str) -> tuple[Purpose, Received]:
    """A mail with a good link, and what it is for."""
    if way == "change":
        address = new_address()
        one = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=address)
        await post.api.users.CreateIdentifier(users.CreateIdentifierRequest(parent=person.user.name, identifier=one))
        told = [(await post.mail(to)).subject for to in (address, person.user.identifier)]
        assert told == ["An e-mail address was added"] * 2
        await post.verify(address)
        return "verification", await post.mail(address)
    (purpose,) = (one for one in ACTIONS if one == way)
    return purpose, await post.link(purpose)


async def rows(post: Post) -> list[str]:
    """All that the tenant has which a link could change, but for the worker's own marks."""
    found = []
    for table in _TABLES:
        sql = f"SELECT to_jsonb(t)::text AS row FROM {table} t WHERE tenant_id = %s ORDER BY 1"
        found += [row["row"] for row in await post.stack.argus.db.fetch_all(sql, (post.api.tenant_id,))]
    return found


@pytest.fixture
async def post(site: Stack, person: Person, mails: MailServer) -> Post:
    made = Post(stack=site, api=person.user.api, mails=mails)
    await made.set_policy(self_registration=True)
    return made


async def press(page: Page, purpose: Purpose) -> None:
    """Does what the page is for."""
    if purpose != "verification":
        await page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    await page.get_by_role("button", name=ACTIONS[purpose], exact=True).click()


@pytest.mark.parametrize("way", WAYS)
async def test_a_link_survives_all_who_look_and_works_once(
    way: str, post: Post, person: Person, site: Stack, chromium: Browser, eyes: Eyes
) -> None:
    """Scanners without a script and with one change nothing; then the person's click works, and only the first."""
    purpose, mail = await new_link(post, person, way)
    while await site.argus.db.fetch_one("SELECT 1 FROM mails WHERE recipient = %s LIMIT 1", (mail.recipient,)):
        await post.carry_out()
    before = await rows(post)
    async with httpx.AsyncClient() as http:
        for _ in range(3):
            for headers in LOOKS:
                for method in ("GET", "HEAD"):
                    answer = await http.request(method, mail.link, headers=headers)
                    assert answer.status_code == 200
                    assert "set-cookie" not in answer.headers
                    assert "no-store" in answer.headers["cache-control"]
    scanner = await chromium.new_context()
    for _ in range(3):
        opened = await scanner.new_page()
        await opened.goto(mail.link, wait_until="networkidle")
        await expect(opened.get_by_role("button", name=ACTIONS[purpose], exact=True)).to_be_visible()
    await scanner.close()
    assert await rows(post) == before
    page = person.page
    await page.goto(mail.link)
    await eyes.look(page, f"link-{purpose}")
    await press(page, purpose)
    await expect(page.get_by_role("link", name="Sign in", exact=True)).to_be_visible()
    await eyes.look(page, f"link-{purpose}-done")
    done = await rows(post)
    assert done != before
    again = await person.context.new_page()
    await again.goto(mail.link)
    await press(again, purpose)
    await _is_over(again)
    assert await rows(post) == done


@pytest.mark.parametrize("way", WAYS)
async def test_a_link_that_came_too_late_says_what_to_do(
    way: str, post: Post, person: Person, site: Stack, eyes: Eyes
) -> None:
    purpose, mail = await new_link(post, person, way)
    await site.advance(LINK_LIVES[purpose])
    while await site.argus.db.fetch_one("SELECT 1 FROM mails WHERE recipient = %s LIMIT 1", (mail.recipient,)):
        await post.carry_out()
    before = await rows(post)
    await person.page.goto(mail.link)
    await press(person.page, purpose)
    await _is_over(person.page)
    await eyes.look(person.page, f"link-{purpose}-over")
    assert await rows(post) == before


async def _is_over(page: Page) -> None:
    """It says so, and how to get a new one."""
    await expect(page.get_by_role("heading", level=1)).to_contain_text("does not work any more")
    await expect(page.get_by_role("main")).to_contain_text(re.compile("ask for (a new|another) one", re.IGNORECASE))
