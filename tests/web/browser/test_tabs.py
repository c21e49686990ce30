"""Many tabs, a server that renders pages, copied jars, a laptop that sleeps: nobody is signed out.

Every client has the jar of a browser, whole or copied; answers reach it in an order that the test deals. One that did
nothing wrong never meets an answer that ends the session; a copied one may have to step up, and then goes on.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.browsers import Browser
from tests.support.own_stores import until
from tests.support.people import PASSWORD, Person

if TYPE_CHECKING:
    import httpx

    from tests.support.stack import Stack

TABS = 10
ROUNDS = 12
NAP = timedelta(hours=1)


def dealer(seed: int) -> random.Random:
    """Deals the same again."""
    return random.Random(seed)  # noqa: S311  # no secret comes of it


async def at_once(tabs: list[Browser], deal: random.Random) -> list[httpx.Response]:
    """All tabs refresh, each with the jar as it is now; the answers come back in any order, some of them never."""
    answers = await asyncio.gather(*(tab.send("/refresh", {}) for tab in tabs))
    order = list(zip(tabs, answers, strict=True))
    deal.shuffle(order)
    for tab, answer in order[: deal.randint(1, len(order))]:
        tab.jar.take(answer)
    return list(answers)


async def is_good(browser: Browser) -> bool:
    """The jar holds a living session, if need be after a refresh."""
    return (await browser.refresh()).status_code == 200 and (await browser.status())["state"] == "active"


@pytest.mark.parametrize("seed", range(3))
async def test_ten_tabs_over_one_jar_never_meet_a_refusal(stack: Stack, signed_in: Browser, seed: int) -> None:
    """Pauses of any length in between, from none to a nap of an hour; no tab meets as much as a step-up."""
    deal = dealer(seed)
    tabs = [signed_in] * TABS
    pauses = [timedelta(0), timedelta(seconds=1), timedelta(seconds=35), timedelta(minutes=4), NAP]
    for _ in range(ROUNDS):
        # What is lost here, the jar lacks for longer than the grace: the next pause is short then.
        answers = await at_once(tabs, deal)
        assert {one.status_code for one in answers} == {200}, [one.text for one in answers]
        await stack.advance(deal.choice(pauses))
    assert await is_good(signed_in)


@pytest.mark.parametrize("seed", range(3))
async def test_a_late_answer_puts_no_older_token_back(stack: Stack, signed_in: Browser, seed: int) -> None:
    """Those of an earlier round reach the jar after those of a later one."""
    deal = dealer(seed)
    held: list[httpx.Response] = []
    for _ in range(ROUNDS):
        answers = await asyncio.gather(*(signed_in.send("/refresh", {}) for _ in range(TABS)))
        assert {one.status_code for one in answers} == {200}
        deal.shuffle(answers := list(answers))
        signed_in.jar.take(answers.pop())
        # A request is given up after ten seconds, so nothing of a round is later than the next.
        for late in held:
            signed_in.jar.take(late)
        held = answers
        await stack.advance(deal.choice([timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=10)]))
    assert await is_good(signed_in)


async def test_a_server_that_renders_pages_asks_for_all_of_them_at_once(stack: Stack, signed_in: Browser) -> None:
    """It has the cookies of one request, a copy, and makes twenty of it; only one answer reaches the browser."""
    for pause in (timedelta(0), timedelta(seconds=20), timedelta(minutes=2), NAP):
        await stack.advance(pause)
        copies = [signed_in.copied() for _ in range(20)]
        answers = await asyncio.gather(*(one.send("/refresh", {}) for one in copies))
        assert {one.status_code for one in answers} == {200}
        kept = {
            value
            for one in answers
            for value in one.headers.get_list("set-cookie")
            if value.startswith("__Host-argus_rt")
        }
        has_rotated = pause != timedelta(seconds=20)
        assert len(kept) == has_rotated, "all of them have the one successor, or what they had"
        signed_in.jar.take(dealer(0).choice(answers))
    assert await is_good(signed_in)


async def test_a_laptop_sleeps_for_an_hour_with_ten_tabs_open(stack: Stack, signed_in: Browser) -> None:
    """All wake at once with an access token that is long over."""
    await at_once([signed_in] * TABS, dealer(1))
    await stack.advance(NAP)
    assert await signed_in.status() == {"state": "refresh"}
    answers = await asyncio.gather(*(signed_in.send("/refresh", {}) for _ in range(TABS)))
    assert {one.status_code for one in answers} == {200}
    for one in answers:
        signed_in.jar.take(one)
    assert await is_good(signed_in)


@pytest.mark.parametrize("seed", range(3))
async def test_copied_jars_may_have_to_step_up_and_end_nothing(
    stack: Stack, signed_in: Browser, person: Person, seed: int
) -> None:
    """Two jars with the same tokens go on by themselves: refused at worst with a step-up, by which each goes on."""
    deal = dealer(seed)
    jars = [signed_in, signed_in.copied(), signed_in.copied()]
    stepped = 0
    for _ in range(ROUNDS):
        one = deal.choice(jars)
        answer = await one.refresh()
        if answer.status_code != 200:
            assert answer.json()["reason"] == "STEP_UP_REQUIRED", answer.text
            assert "set-cookie" not in answer.headers
            assert (await one.ask("/step-up", {})).status_code == 200
            assert (await one.ask("/factor", {"password": PASSWORD})).status_code == 200
            assert (await one.refresh()).status_code == 200
            stepped += 1
        await stack.advance(deal.choice([timedelta(seconds=1), timedelta(seconds=45), timedelta(minutes=10), NAP / 2]))
    assert stepped, "else nothing was shown"
    (session,) = await person.list()
    assert session.name == (await signed_in.status()).get("session", {"name": session.name})["name"]


async def test_tabs_go_on_where_one_of_them_steps_up(signed_in: Browser) -> None:
    """A refresh that is under way meanwhile may be refused; with the jar of then it is not."""
    late = signed_in.copied()
    await signed_in.ask("/step-up", {})
    assert (await signed_in.ask("/factor", {"password": PASSWORD})).status_code == 200
    refused = await late.send("/refresh", {})
    assert refused.json()["metadata"]["cause"] == "FAMILY_OLDER"
    signed_in.jar.take(refused)
    assert await is_good(signed_in)


async def test_an_answer_is_lost_with_its_connection(stack: Stack, signed_in: Browser) -> None:
    """Argus has rotated, nobody reads the cookies; whoever asks again within the grace gets the same ones."""
    counted = "rotation_verdicts{verdict=rotated}"
    before = stack.argus.engine.counters().get(counted, 0)
    host, _, port = stack.server.http_url.removeprefix("http://").partition(":")
    path = f"/t/{signed_in.tenant_id}/session/refresh"
    said = {"host": f"{host}:{port}", "content-type": "application/json", "content-length": "2", **signed_in.headers()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST {path} HTTP/1.1\r\n{lines}\r\n{{}}".encode())
    await writer.drain()
    await until(lambda: has_rotated(stack, counted, before))
    writer.transport.abort()
    await stack.advance(timedelta(seconds=25))
    assert await is_good(signed_in)


async def has_rotated(stack: Stack, counted: str, before: int) -> bool:
    """Whether a token has been made since."""
    return stack.argus.engine.counters().get(counted, 0) > before


async def test_a_late_refusal_does_not_take_the_next_session_away(signed_in: Browser, person: Person) -> None:
    """Signed out and in again, while a refresh of the session before was under way."""
    late = signed_in.copied()
    await signed_in.ask("/sign-out")
    assert (await signed_in.sign_in(person.identifier)).status_code == 200
    refused = await late.send("/refresh", {})
    assert refused.json()["reason"] == "SESSION_ENDED"
    signed_in.jar.take(refused)
    assert await is_good(signed_in)
