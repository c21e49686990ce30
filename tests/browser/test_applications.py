"""Applications on origins of their own, in a Chromium: what CORS lets through, and cookies in frames of other sites."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from argus.server.private_stack import stack_over
from argus.web.browser.script import PATH
from tests.browser.application import BEGIN, REFRESH, SIGN_IN, until
from tests.support.people import PASSWORD, Person, new_person
from tests.support.servers import free_ports
from tests.support.stack import Stack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, BrowserContext, Frame, Page, Route

    from argus.storage.embedded import StoreUrls

APP: Final = "http://localhost:5173"
STRANGER: Final = "http://localhost:5174"
SITES: Final = ("http://127.0.0.1:5175", "http://127.0.0.2:5175")
"""Of others, who embed the application."""
CALL: Final = "session.call('').then(({ state }) => state, (problem) => problem.status)"


class Place:
    """An Argus, and an application of another origin, in one browser."""

    def __init__(self, server: Stack, context: BrowserContext, person: Person) -> None:
        self.base = server.argus.settings.base_url
        self.context = context
        self.person = person

    async def begin(self, where: Page | Frame) -> None:
        """Loads the script, over the border of origins as all else."""
        session = f"{self.base}/t/{self.person.api.tenant_id}/session"
        await where.evaluate(BEGIN, [self.base + PATH, session])

    async def embedded(self, site: str) -> Frame:
        """A page of another site that has the application in a frame."""
        page = await self.context.new_page()
        await page.goto(site, timeout=8000)
        frame = page.frame(name="app")
        assert frame is not None
        await frame.wait_for_url(f"{APP}/app")
        await self.begin(frame)
        return frame


@pytest.fixture(params=[False, True], ids=["first-party", "partitioned"])
async def place(
    site: Stack, stores: StoreUrls, chromium: Browser, request: pytest.FixtureRequest
) -> AsyncIterator[Place]:
    """With cookies of either kind."""
    api, (port,) = await site.new_tenant(), free_ports(1)
    async with stack_over(
        stores,
        clock=site.private.clock,
        key_encryption_key=site.argus.settings.key_encryption_key,
        base_url=f"http://localhost:{port}",
        http_listen=f"127.0.0.1:{port}",
        app_origins=f"{api.tenant_id}={APP}",
        partitioned_cookies=request.param,
    ) as private:
        server, context = Stack(private), await chromium.new_context()
        # Their pages are made up here, so that the browser can't know them as the machine's own.
        await context.grant_permissions(["local-network-access"])
        for url in (f"{APP}/app", f"{STRANGER}/app"):
            await context.route(url, partial(_page, "<title>App</title>"))
        for one in SITES:
            await context.route(f"{one}/", partial(_page, f'<iframe name="app" src="{APP}/app"></iframe>'))
        yield Place(server, context, await new_person(api))
        await context.close()
        await server.close()


async def _page(html: str, route: Route) -> None:
    await route.fulfill(body=html, headers={"content-type": "text/html"})


async def test_an_application_signs_in_goes_on_and_signs_out(place: Place) -> None:
    tab = await place.context.new_page()
    await tab.goto(f"{APP}/app")
    await place.begin(tab)
    assert await tab.evaluate(SIGN_IN, [place.person.identifier, PASSWORD]) == "active"
    assert await tab.evaluate(REFRESH) == "active"
    stranger = await place.context.new_page()
    await stranger.goto(f"{STRANGER}/app")
    await place.begin(stranger)
    assert await stranger.evaluate(CALL) == 0, "a browser tells strangers nothing"
    assert await tab.evaluate("session.signOut()") == {"state": "ended"}
    assert await place.person.count() == 0


async def test_inside_a_page_of_another_site_only_partitioned_cookies_are_there(
    place: Place, request: pytest.FixtureRequest
) -> None:
    """And each site has its own: what one embeds is signed in there alone."""
    frame = await place.embedded(SITES[0])
    if "first-party" in request.node.name:
        with pytest.raises(Exception, match="no such login"):
            await frame.evaluate(SIGN_IN, [place.person.identifier, PASSWORD])
        return
    assert await frame.evaluate(SIGN_IN, [place.person.identifier, PASSWORD]) == "active"
    assert await frame.evaluate(REFRESH) == "active"
    again = await place.embedded(SITES[0])
    await until(again, "session.state", "active")
    elsewhere = await place.embedded(SITES[1])
    assert await elsewhere.evaluate(CALL) == "none"
