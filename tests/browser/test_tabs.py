"""Many tabs of one browser, over the script: together, in turns, frozen, asleep, with answers late or lost.

Nobody is ever signed out or asked to step up, one family lives, and the tabs ask no more often than one lock lets them.
Time is moved, in the tabs and at the server; the locks, the channel and the jar are Chromium's.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import httpx
import pytest
from playwright.async_api import Error

from tests.browser.application import REFRESH, REFRESHES, App, Held, hand_over, opened, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page, Route

    from tests.support.stack import Stack

TABS: Final = 10
LIFE: Final = timedelta(minutes=5)
"""Of an access token."""
YOUNG: Final = timedelta(seconds=130)
"""Before any tab renews one by itself."""


@pytest.fixture
async def app(site: Stack, chromium: Browser) -> AsyncIterator[App]:
    """Ten tabs whose user has signed in."""
    async with opened(site, chromium, TABS, has_own_time=True) as app:
        yield app


@pytest.fixture
async def few(site: Stack, chromium: Browser) -> AsyncIterator[App]:
    """Three of them."""
    async with opened(site, chromium, 3, has_own_time=True) as app:
        yield app


@pytest.fixture
async def timely(site: Stack, chromium: Browser) -> AsyncIterator[App]:
    """The same in the time of the machine, which all tabs see alike to the millisecond."""
    async with opened(site, chromium, TABS) as app:
        yield app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """Connections without a jar of their own."""
    async with httpx.AsyncClient(timeout=30) as client:
        yield client


async def set_state(tab: Page, state: str) -> None:
    """Freezes a tab, as a browser does to those that nobody looks at, or thaws it ("active")."""
    cdp = await tab.context.new_cdp_session(tab)
    await cdp.send("Page.setWebLifecycleState", {"state": state})
    await cdp.detach()


@pytest.mark.parametrize("has_locks", [True, False])
async def test_tabs_that_ask_at_once_ask_once(app: App, *, has_locks: bool) -> None:
    """The first request is held until all have asked; none of them is due by itself.

    Local storage, which has to do in the place of Web Locks, may give its lock to a second one.
    """
    if not has_locks:
        await app.without_locks()
    for _ in range(3):
        await app.pass_time(YOUNG)
        before, held = app.refreshes, Held()
        await app.context.route(REFRESHES, held.hold)
        for tab in app.tabs:
            await tab.evaluate(f"() => {{ window.asked = {REFRESH}; }}")
        await (await held.route).continue_()
        assert await asyncio.gather(*(tab.evaluate("asked") for tab in app.tabs)) == ["active"] * TABS
        await app.context.unroute(REFRESHES)
        assert app.refreshes - before == 1 if has_locks else app.refreshes - before <= TABS // 2
    await app.is_whole()


async def test_timers_of_all_tabs_renew_as_often_as_those_of_one(app: App) -> None:
    """For forty minutes, and no tab is told to; a token is renewed at half of its life or later."""
    before, steps, step = app.refreshes, 40, timedelta(minutes=1)
    for _ in range(steps):
        await app.pass_time(step)
    assert steps * step / LIFE - 1 <= app.refreshes - before <= steps * step / (LIFE / 2) + 1
    await app.all_are("active")
    assert await app.tabs[3].evaluate("seen") == ["none", "active"]
    await app.is_whole()


async def test_a_laptop_sleeps_for_an_hour(app: App) -> None:
    """Frozen with ten tabs open, one of them in the middle of a refresh; all wake with tokens that are long over."""
    held = Held()
    await app.tabs[0].route(REFRESHES, held.hold)
    waiting = asyncio.ensure_future(app.tabs[0].evaluate(REFRESH))
    route = await held.route
    for tab in app.tabs:
        await set_state(tab, "frozen")
    await app.site.advance(timedelta(hours=1))
    await app.pass_tabs_time(timedelta(hours=1))
    await route.abort()
    await app.tabs[0].unroute(REFRESHES)
    before = app.refreshes
    for tab in app.tabs:
        await set_state(tab, "active")
    with suppress(Error):
        await waiting
    await app.quiet()
    await app.all_are("active")
    assert 1 <= app.refreshes - before <= 2, "one for all, and perhaps the one that was under way again"
    assert await app.refresh_all() == ["active"] * TABS
    app.troubles = [one for one in app.troubles if "ERR_FAILED" not in one]
    await app.is_whole()


async def test_a_frozen_tab_with_the_lock_keeps_the_others_from_nothing(timely: App) -> None:
    """They wait for as long as an answer may take, fifteen seconds, and then go on without; so does it, once thawed."""
    held, first, others = Held(), timely.tabs[0], timely.tabs[1:]
    await first.route(REFRESHES, held.hold)
    waiting = asyncio.ensure_future(first.evaluate(REFRESH))
    route = await held.route
    await set_state(first, "frozen")
    asked = [asyncio.ensure_future(tab.evaluate(REFRESH)) for tab in others]
    async with asyncio.timeout(60):
        assert await asyncio.gather(*asked) == ["active"] * len(others)
    assert timely.refreshes - 1 <= TABS // 2, "by local storage they take turns still"
    await route.continue_()
    await set_state(first, "active")
    assert await waiting in {"active", 0}  # late by then, it may have been given up
    assert await timely.refresh_all() == ["active"] * TABS
    await timely.is_whole()


@pytest.mark.parametrize("seed", range(2))
async def test_tabs_come_and_go_while_answers_are_late(app: App, http: httpx.AsyncClient, seed: int) -> None:
    """In an order that is dealt: all ask, one asks, one opens, one closes in the middle, one's answer is late."""
    deal = random.Random(seed)  # noqa: S311  # no secret comes of it
    for _ in range(12):
        match deal.choice(("all", "one", "open", "close", "late", "pass")):
            case "all":
                assert set(await app.refresh_all()) == {"active"}
            case "one":
                assert await deal.choice(app.tabs).evaluate(REFRESH) == "active"
            case "open":
                await until(await app.open(), "session.state", "active")
            case "close":
                await closed_in_the_middle(app, deal)
            case "late":
                await answered_late(app, http, deal)
            case _:
                await app.pass_time(timedelta(seconds=deal.choice((1, 20, 45, 200, 600))))
    await app.quiet()
    await app.all_are("active")
    assert set(await app.refresh_all()) == {"active"}
    await app.is_whole()


async def closed_in_the_middle(app: App, deal: random.Random) -> None:
    """A tab is closed while all ask; it may be the one that has the lock."""
    if len(app.tabs) == 2:
        return
    gone = app.tabs.pop(deal.randrange(len(app.tabs)))
    last = asyncio.ensure_future(gone.evaluate(REFRESH))
    asked = asyncio.ensure_future(app.refresh_all())
    await gone.close()
    assert set(await asked) == {"active"}
    with suppress(Error):
        await last


async def answered_late(app: App, http: httpx.AsyncClient, deal: random.Random) -> None:
    """Argus's answer to one tab is on its way for nine seconds, in which the others ask, open or are closed."""
    late, other = deal.sample(app.tabs, 2)
    held = Held()
    await late.route(REFRESHES, held.hold)
    waiting = asyncio.ensure_future(late.evaluate(REFRESH))
    route = await held.route
    answer = await app.asked(http, route.request)
    behind = asyncio.ensure_future(other.evaluate(REFRESH))
    await app.site.advance(timedelta(seconds=9))
    await hand_over(route, answer)
    assert {await waiting, await behind} == {"active"}
    await late.unroute(REFRESHES)


async def test_an_answer_that_is_lost_is_given_again(few: App, http: httpx.AsyncClient) -> None:
    """Argus has done it, the connection broke before the cookies came: the next attempt gets the same ones."""
    app = few
    await app.pass_time(YOUNG)
    lost: list[str] = []

    async def lose(route: Route) -> None:
        answer = await app.asked(http, route.request)
        lost.append(answer.headers.get_list("set-cookie")[1].partition(";")[0])
        await route.abort("connectionreset")

    tab = app.tabs[0]
    await tab.route(REFRESHES, lose)
    assert await tab.evaluate(REFRESH) == 0
    assert await tab.evaluate("session.state") == "active"
    await tab.unroute(REFRESHES)
    await app.site.advance(timedelta(seconds=20))
    assert await tab.evaluate(REFRESH) == "active"
    name, _, token = lost[0].partition("=")
    assert [one["value"] for one in await app.context.cookies() if one["name"] == name] == [token]
    app.troubles.clear()  # of the connection
    await app.is_whole()


async def test_storage_that_is_cleared_in_the_middle_is_not_missed(few: App) -> None:
    """It holds a lock at most; the session is in the jar."""
    app = few
    for has_locks in (True, False):
        if not has_locks:
            await app.without_locks()
        await app.pass_time(YOUNG)
        asked = asyncio.ensure_future(app.refresh_all())
        for tab in app.tabs:
            await tab.evaluate("localStorage.clear()")
        assert set(await asked) == {"active"}
    await app.is_whole()


async def test_a_browser_whose_jar_is_cleared_signs_nobody_else_out(site: Stack, chromium: Browser, few: App) -> None:
    """The same user in two browsers; the one that was cleared knows that nobody is there, the other goes on."""
    async with opened(site, chromium, 2) as other:
        asked = asyncio.ensure_future(other.refresh_all())
        await other.context.clear_cookies()
        await asked
        await other.context.clear_cookies()
        assert set(await other.refresh_all()) == {"TOKEN_INVALID"}
    assert set(await few.refresh_all()) == {"active"}
    await few.is_whole()
