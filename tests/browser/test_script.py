"""The script for applications in browsers, in a Chromium: many tabs, failures, sleep, sign-out, a strict policy."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import async_playwright

from argus.base.origin import Origin
from argus.sessions.model import EndReason
from tests.browser.application import REFRESH, REFRESHES, App, Held, opened, until

STATUS = """fetch("URL", { headers: { "x-argus-csrf": "1" } }).then((answer) => answer.json())
    .then(({ state }) => state, () => "")"""

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Route

    from tests.support.stack import Stack


@pytest.fixture
async def app(site: Stack, chromium: Browser) -> AsyncIterator[App]:
    """An application in a few tabs, whose user has signed in."""
    async with opened(site, chromium, 3) as app:
        yield app


async def test_what_decides_nothing_ends_nothing(app: App) -> None:
    """No network, too much, away: the session stays, and goes on when Argus answers."""
    tab = app.tabs[0]
    failures: list[Any] = [{"status": 503, "headers": {"retry-after": "1"}}, {"status": 429}, {"status": 500}, None]
    for failure in failures:
        await app.context.route(REFRESHES, partial(_fail, failure))
        told = await tab.evaluate("session.refresh().catch((problem) => [problem.status, problem.isTransient])")
        assert told == [failure["status"] if failure else 0, True]
        assert await tab.evaluate("session.state") == "active"
        await app.context.unroute(REFRESHES)
    assert await tab.evaluate(REFRESH) == "active"


async def test_signing_out_of_one_tab_is_signing_out_of_all(app: App) -> None:
    """At once, by a message: no tab asks Argus for it."""
    asked = []
    app.context.on("request", lambda request: asked.append(request.url.rpartition("/session")[2]))
    assert await app.tabs[1].evaluate("session.signOut()") == {"state": "ended"}
    await app.all_are("none")
    assert asked == ["/sign-out"]
    names = [cookie["name"] for cookie in await app.context.cookies()]
    assert names == [f"__Host-argus_device.{app.person.api.tenant_id}"]
    assert await app.person.count() == 0


async def test_a_refresh_under_way_brings_no_cookie_back_after_a_sign_out(app: App) -> None:
    """The sign-out waits for it, in whichever tab it is; those that come later find nobody."""
    held = Held()
    await app.tabs[0].route(REFRESHES, held.hold)
    waiting = asyncio.ensure_future(app.tabs[0].evaluate(REFRESH))
    route = await held.route
    out = asyncio.ensure_future(app.tabs[1].evaluate("session.signOut()"))
    await app.waiting(1)
    behind = asyncio.ensure_future(app.tabs[2].evaluate(REFRESH))
    await app.waiting(2)
    await route.continue_()
    assert await out == {"state": "ended"}
    assert (await waiting, await behind) == ("active", "TOKEN_INVALID")
    await app.all_are("none")
    assert len(await app.context.cookies()) == 1, "the device's"


async def test_an_end_from_elsewhere_is_an_end(app: App) -> None:
    """Ended by an administrator, the next refresh says so, and the tab knows that nobody is there."""
    (session,) = await app.person.list()
    origin = Origin(tenant_id=app.person.api.tenant_id, actor="system:test", request_id="test")
    await app.site.argus.terminate.user(
        app.person.api.tenant_id, app.person.user_id, reason=EndReason.ENDED_BY_ADMIN, origin=origin
    )
    assert session.client_id == "account"
    await app.site.advance(timedelta(minutes=6))
    for tab in app.tabs:
        await tab.evaluate("window.dispatchEvent(new Event('focus'))")
    assert set(await app.refresh_all()) == {"SESSION_ENDED"}


async def test_no_script_sees_a_token(app: App) -> None:
    """Neither in cookies, nor in storage, nor in what the session holds."""
    tab = app.tabs[0]
    await tab.evaluate(REFRESH)
    seen = await tab.evaluate("[document.cookie, JSON.stringify({ ...localStorage }), String(session.accessToken)]")
    assert seen[0] == ""
    assert "eyJ" not in seen[1]
    assert seen[2] == "undefined"


@pytest.mark.parametrize("year", [1999, 2099])
async def test_a_clock_that_is_wrong_matters_to_nothing(site: Stack, chromium: Browser, year: int) -> None:
    """What counts is how long Argus says that a token lasts; and a clock that is set right meanwhile stops nothing."""
    async with opened(site, chromium, 2, begins=datetime(year, 1, 1, tzinfo=UTC)) as app:
        before = app.refreshes
        for _ in range(10):
            await app.pass_time(timedelta(minutes=1))
        assert 2 <= app.refreshes - before <= 5
        await app.context.clock.set_system_time(datetime(2026, 1, 1, tzinfo=UTC))
        before = app.refreshes
        assert await app.tabs[1].evaluate(REFRESH) == "active"
        assert app.refreshes == before + 1
        await app.is_whole()


async def test_offline_it_waits_and_online_it_asks_at_once(site: Stack, chromium: Browser) -> None:
    """However long there was no network; nothing that was tried meanwhile ends anything."""
    async with opened(site, chromium, 2, begins=datetime(2026, 1, 1, tzinfo=UTC)) as app:
        await app.context.set_offline(True)
        for _ in range(6):
            await app.pass_time(timedelta(minutes=1))
        await app.all_are("active")
        before = app.refreshes
        await app.context.set_offline(False)
        await until(app.tabs[0], STATUS.replace("URL", app.url), "active")
        await app.quiet()
        assert app.refreshes == before + 1
        assert await app.tabs[1].evaluate("seen") == ["none", "active"]
        app.troubles.clear()  # of the network
        await app.is_whole()


async def test_a_page_that_comes_back_looks_who_is_there(site: Stack) -> None:
    """Out of the back-forward cache, frozen: nobody is there any more, and it knows at once.

    A message of another tab would have thrown it out of there: Chromium then loads it anew.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"],
            ignore_default_args=["--disable-back-forward-cache"],
        )
        async with opened(site, browser, 1) as app:
            (gone,) = app.tabs
            await gone.evaluate("addEventListener('pageshow', ({ persisted }) => seen.push(persisted))")
            await gone.goto(f"{app.base}/healthz")
            await app.context.clear_cookies()
            await gone.go_back(wait_until="commit")
            await until(gone, "session.state", "none")
            assert await gone.evaluate("seen") == ["none", "active", True, "none"]
        await browser.close()


async def test_without_any_storage_each_tab_is_for_itself(app: App) -> None:
    """Neither locks nor local storage, as where a user forbids them. Argus gives all of them the same."""
    await app.without_locks()
    for tab in app.tabs:
        await tab.evaluate("Object.defineProperty(window, 'localStorage', { get() { throw new Error('none'); } })")
    assert await app.refresh_all() == ["active"] * len(app.tabs)
    assert app.refreshes == len(app.tabs)
    await app.is_whole()


async def _fail(failure: dict[str, Any] | None, route: Route) -> None:
    """Answers in the place of Argus, or not at all."""
    await (route.fulfill(body="{}", **failure) if failure else route.abort())
