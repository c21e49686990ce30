"""An application of Argus's origin, in many tabs of one browser."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import httpx

from argus.web.browser.script import INTEGRITY, PATH
from tests.support.browsers import Browser, Jar
from tests.support.people import PASSWORD, Person, new_person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser as Chromium
    from playwright.async_api import BrowserContext, Frame, Page, Request, Route

    from tests.support.stack import Stack

REFRESHES: Final = "**/session/refresh"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE: Final = f'<!doctype html><title>App</title><script type="module" src="{PATH}" integrity="{INTEGRITY}"></script>'
BEGIN: Final = """async ([path, url]) => {
    const { ArgusSession } = await import(path);
    window.seen = [];
    window.session = new ArgusSession(url);
    session.addEventListener("change", ({ detail }) => seen.push(detail.state));
    return session.start();
}"""
SIGN_IN: Final = """async ([identifier, password]) => {
    await session.call("/sign-in", { identifier });
    await session.call("/factor", { password });
    return session.start();
}"""
REFRESH: Final = "session.refresh().then(() => session.state, (problem) => problem.reason || problem.status)"
# How many have the lock of the tabs or wait for it: none where nobody asks for anything.
_HELD: Final = "navigator.locks ? navigator.locks.query().then(({ held }) => held.length) : 0"
_PENDING: Final = "navigator.locks.query().then(({ pending }) => pending.length)"
_PATIENCE: Final = 30
_MILLISECOND: Final = timedelta(milliseconds=1)


class App:
    """Tabs of an application that Argus's origin serves.

    Attributes:
        refreshes: How often a tab has asked for new tokens.
        troubles: What consoles complained of.
    """

    def __init__(self, site: Stack, context: BrowserContext, person: Person) -> None:
        self.site = site
        self.context = context
        self.person = person
        self.base = site.argus.settings.base_url
        self.tabs: list[Page] = []
        self.refreshes = 0
        self.troubles: list[str] = []

    @property
    def url(self) -> str:
        """Where the session's endpoints are."""
        return f"/t/{self.person.api.tenant_id}/session"

    async def begin(self) -> None:
        """Serves the application's page."""
        headers = {"content-type": "text/html", "content-security-policy": POLICY}
        await self.context.route(f"{self.base}/app", lambda route: route.fulfill(body=PAGE, headers=headers))
        self.context.on("request", self._count)

    async def open(self) -> Page:
        """Opens one more tab."""
        tab = await self.context.new_page()
        tab.on("console", lambda said: self.troubles.append(said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda error: self.troubles.append(str(error)))
        await tab.goto(f"{self.base}/app")
        await tab.evaluate(BEGIN, [PATH, self.url])
        self.tabs.append(tab)
        return tab

    async def sign_in(self) -> None:
        """Signs in by the first tab; all learn of it."""
        assert await self.tabs[0].evaluate(SIGN_IN, [self.person.identifier, PASSWORD]) == "active"
        await self.all_are("active")

    async def all_are(self, state: str) -> None:
        """Waits until every tab knows."""
        for tab in self.tabs:
            await until(tab, "session.state", state)

    async def refresh_all(self) -> list[str]:
        """All tabs at once."""
        return list(await asyncio.gather(*(tab.evaluate(REFRESH) for tab in self.tabs)))

    async def quiet(self) -> None:
        """Waits until no tab asks for anything."""
        await until(self.tabs[-1], _HELD, 0)

    async def waiting(self, tabs: int) -> None:
        """Waits until so many tabs wait for another one."""
        await until(self.tabs[-1], _PENDING, tabs)

    async def without_locks(self) -> None:
        """Takes Web Locks away, as in older browsers."""
        for tab in self.tabs:
            await tab.evaluate("Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true })")

    async def pass_time(self, by: timedelta) -> None:
        """Moves the time of the server and of all tabs; what is due is done as after a sleep, in no order."""
        await self.site.advance(by)
        await self.pass_tabs_time(by)
        await self.quiet()

    async def pass_tabs_time(self, by: timedelta) -> None:
        """Moves the time of all tabs alone; they have one."""
        await self.context.clock.fast_forward(by // _MILLISECOND)

    async def asked(self, http: httpx.AsyncClient, request: Request) -> httpx.Response:
        """What Argus answers to a request of a tab, which the tab has not got yet."""
        browser = Browser(self.site, self.person.api.tenant_id, http=http)
        cookies = await self.context.cookies(self.base)
        browser.jar = Jar({one["name"]: one["value"] for one in cookies})
        browser.user_agent = request.headers["user-agent"]
        return await browser.send("/refresh", request.post_data_json)

    async def is_whole(self) -> None:
        """Holds that there is one session of one family, and that nobody was refused anything."""
        sql = "SELECT family, state FROM sessions WHERE tenant_id = %s AND state <> 'ended'"
        (row,) = await self.site.argus.db.fetch_all(sql, (self.person.api.tenant_id,))
        assert (row["family"], row["state"]) == (1, "active")
        assert await self.refusals() == []
        assert self.troubles == []

    async def refusals(self) -> list[str]:
        """What the audit says of refreshes that were more than a refresh."""
        await self.site.argus.effects.flush()
        sql = "SELECT type FROM audit_events WHERE tenant_id = %s AND type LIKE 'refresh.%%' ORDER BY time"
        rows = await self.site.argus.db.fetch_all(sql, (self.person.api.tenant_id,))
        return [str(row["type"]) for row in rows]

    def _count(self, request: Request) -> None:
        self.refreshes += request.url.endswith("/session/refresh")


class Held:
    """A request of a tab that goes nowhere until it is let."""

    def __init__(self) -> None:
        self.route: asyncio.Future[Route] = asyncio.get_running_loop().create_future()

    async def hold(self, route: Route) -> None:
        """Takes the first request; others go on."""
        if self.route.done():
            await route.continue_()
        else:
            self.route.set_result(route)


async def until(tab: Page | Frame, expression: str, wanted: object) -> None:
    """Waits until an expression has a value, without `eval`, which the page's policy forbids."""
    async with asyncio.timeout(_PATIENCE):
        while await tab.evaluate(expression) != wanted:  # noqa: ASYNC110 - another process is awaited
            await asyncio.sleep(0.02)


async def hand_over(route: Route, answer: httpx.Response) -> None:
    """Gives a tab the answer that Argus has given."""
    headers = {name: value for name, value in answer.headers.items() if name not in ("set-cookie", "content-length")}
    headers["set-cookie"] = "\n".join(answer.headers.get_list("set-cookie"))
    await route.fulfill(status=answer.status_code, headers=headers, body=answer.content)


@asynccontextmanager
async def opened(
    site: Stack, chromium: Chromium, tabs: int, *, has_own_time: bool = False, begins: datetime | None = None
) -> AsyncIterator[App]:
    """An application in so many tabs, whose user has signed in.

    Args:
        site: The server.
        chromium: The browser.
        tabs: How many.
        has_own_time: The tabs' time can be moved.
        begins: What time it is to them; it can be moved, too.
    """
    context = await chromium.new_context()
    if begins is not None:
        await context.clock.install(time=begins)
    elif has_own_time:
        await context.clock.install()
    app = App(site, context, await new_person(await site.new_tenant()))
    await app.begin()
    for _ in range(tabs):
        await app.open()
    await app.sign_in()
    yield app
    await context.close()
