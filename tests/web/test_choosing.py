"""Where a limit is reached the pages ask where to sign out: a form like the others, in English and German."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from argus.policies.model import Scope
from tests.support.browsers import Browser
from tests.support.features import origin
from tests.support.people import Person, new_person
from tests.support.visitors import HTML, Visitor

if TYPE_CHECKING:
    from tests.support.stack import Stack

_BOX = re.compile(r'name="(end\.[A-Za-z0-9_-]{24})"')


@pytest.fixture
async def visitor(stack: Stack) -> AsyncIterator[Visitor]:
    """A user who may have two sessions, and has them."""
    api = await stack.new_tenant()
    scope, document = Scope(kind="tenant", id=api.tenant_id), {"session_limit": 2, "on_limit": "ask_user"}
    await stack.argus.policies.set_document(api.tenant_id, scope, document, origin=origin(api.tenant_id))
    await stack.argus.snapshot.refresh()
    person = await new_person(api)
    for _ in range(2):
        await person.sign_in()
    async with httpx.AsyncClient() as http:
        yield Visitor(stack, person, http)


async def _living(person: Person) -> set[str]:
    return {one.name.rpartition("/")[2] for one in await person.list()}


async def test_the_page_asks_and_what_is_checked_is_signed_out(visitor: Visitor) -> None:
    before = await _living(visitor.person)
    assert visitor.led_to(await visitor.sign_in()) == "/sign-in/sessions"
    text = (await visitor.get("/sign-in/sessions")).text
    assert "Choose where to sign out" in text
    assert text.count("Firefox on Linux") == 2
    assert "backend" in text
    boxes = _BOX.findall(text)
    assert {box.removeprefix("end.") for box in boxes} == before
    assert visitor.led_to(await visitor.post("/sign-in/sessions", {boxes[0]: "yes"})) == "/account"
    living = await _living(visitor.person)
    assert before - living == {boxes[0].removeprefix("end.")}
    assert len(living) == 2


async def test_it_asks_in_german(visitor: Visitor) -> None:
    await visitor.sign_in()
    text = (await visitor.get("/sign-in/sessions?lang=de")).text
    assert "Wo möchten Sie sich abmelden?" in text
    assert "Dort abmelden und hier anmelden" in text


async def test_nothing_checked_or_somebody_elses_is_asked_again(visitor: Visitor) -> None:
    before = await _living(visitor.person)
    await visitor.sign_in()
    attempts: list[dict[str, str]] = [{}, {"end." + "A" * 24: "yes"}, {"other": "yes"}]
    for fields in attempts:
        answer = await visitor.post("/sign-in/sessions", fields)
        assert answer.status_code == 200
        assert "Choose a device first." in answer.text
    assert await _living(visitor.person) == before


async def test_a_form_of_another_site_ends_nothing(visitor: Visitor) -> None:
    before = await _living(visitor.person)
    await visitor.sign_in()
    boxes = _BOX.findall((await visitor.get("/sign-in/sessions")).text)
    foreign = HTML | {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    answer = await visitor.post("/sign-in/sessions", {boxes[0]: "yes"}, foreign)
    assert answer.status_code == 403
    assert await _living(visitor.person) == before


async def test_who_has_no_login_or_another_one_is_led_away(visitor: Visitor) -> None:
    assert (await visitor.get("/sign-in/sessions")).status_code == 404
    assert (await visitor.post("/sign-in/sessions", {})).status_code == 404


async def test_a_script_is_told_the_choices_and_sends_names(stack: Stack, visitor: Visitor) -> None:
    person = visitor.person
    async with httpx.AsyncClient() as http:
        browser = Browser(stack, person.api.tenant_id, http=http)
        asked: dict[str, Any] = (await browser.sign_in(person.identifier)).json()["login"]
        assert (asked["state"], asked["end_at_least"]) == ("SESSION_LIMIT_REACHED", 1)
        names = [one["name"] for one in asked["ending_choices"]]
        assert {one["display_name"] for one in asked["ending_choices"]} == {"Firefox on Linux"}
        wrong = await browser.ask("/factor", {"end_sessions": ["nobody"]})
        assert wrong.status_code == 400
        done = (await browser.ask("/factor", {"end_sessions": names[:1]})).json()
    assert done["login"]["state"] == "COMPLETE"
    assert names[0].rpartition("/")[2] not in await _living(person)
