"""Somebody at a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.async_api import BrowserContext, Page, expect

from tests.support import people

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.browser.hands import Hands
    from tests.support.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account, in a browser of their own."""

    user: people.Person
    context: BrowserContext
    page: Page
    root: str
    password: str = people.PASSWORD

    @property
    def tenant_id(self) -> str:
        """Whose account it is."""
        return self.user.api.tenant_id

    async def open(self, path: str, page: Page | None = None) -> None:
        """Goes to a page of the tenant."""
        await (page or self.page).goto(f"{self.root}{path}")

    async def sees(self, heading: str, page: Page | None = None) -> None:
        """Waits for a page of this heading."""
        await expect((page or self.page).get_by_role("heading", level=1)).to_have_text(heading)

    async def give_password(self, hands: Hands, password: str = "", page: Page | None = None) -> None:
        """Answers the page that asks who is there."""
        page = page or self.page
        await hands.write(page, "E-mail or user name", self.user.identifier)
        await hands.write(page, "Password", password or self.password)
        await hands.press(page, "Sign in")

    async def sign_in(self, hands: Hands, page: Page | None = None) -> None:
        """Signs in by password alone."""
        await self.open("/sign-in", page)
        await self.give_password(hands, page=page)
        await self.sees("Your devices", page)

    async def sign_out(self, hands: Hands) -> None:
        """Signs out of this browser."""
        await hands.press(self.page, "Sign out")
        await self.sees("You are signed out")


async def new_person(site: Stack, api: Api, context: BrowserContext) -> Person:
    """A new user of a tenant, who has just opened a browser."""
    page = await context.new_page()
    root = f"{site.argus.settings.base_url}/t/{api.tenant_id}"
    return Person(user=await people.new_person(api), context=context, page=page, root=root)
