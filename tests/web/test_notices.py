"""The page of notices: what is checked is sent, what protects the account always is, and the form is one of ours."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from argus.notifications.preferences.model import OPTIONAL, REQUIRED
from argus.plans.model import Subscription
from argus.v1 import notification_service_pb2 as pb
from argus.web.pages.locale import LANGUAGES
from tests.support.features import origin
from tests.support.people import new_person
from tests.support.visitors import HTML, Visitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.stack import Stack

PAGE = "/account/notices"
BOX = re.compile(r'<input type="checkbox" name="(\w+)" value="yes"( checked)?>')


@pytest.fixture
async def visitor(stack: Stack) -> AsyncIterator[Visitor]:
    person = await new_person(await stack.new_tenant())
    async with httpx.AsyncClient() as http:
        visitor = Visitor(stack, person, http)
        await visitor.sign_in()
        yield visitor


async def boxes(visitor: Visitor) -> dict[str, bool]:
    answer = await visitor.get(PAGE)
    assert answer.status_code == 200
    return {name: bool(checked) for name, checked in BOX.findall(answer.text)}


async def kept(visitor: Visitor) -> dict[str, bool]:
    """What the service says."""
    request = pb.GetPreferencesRequest(name=visitor.person.name)
    found = await visitor.person.api.notifications.GetPreferences(request)
    return {one.notice: one.mail for one in found.preferences}


async def test_what_is_checked_is_what_is_sent(visitor: Visitor) -> None:
    assert await boxes(visitor) == OPTIONAL
    for fields in ({}, {"new_device": "yes"}, {"session_limit": "yes"}, {}):
        answer = await visitor.post(PAGE, fields)
        assert visitor.led_to(answer) == f"{PAGE}?done=saved"
        wanted = {one: one in fields for one in OPTIONAL}
        assert await boxes(visitor) == wanted
        assert await kept(visitor) == wanted | dict.fromkeys(REQUIRED, True)
    assert "Saved." in (await visitor.get(f"{PAGE}?done=saved")).text
    assert "Saved." not in (await visitor.get(f"{PAGE}?done=other")).text


async def test_nobody_switches_off_what_protects_the_account(visitor: Visitor) -> None:
    """It has no box, and a form that is made up changes nothing of it."""
    assert not REQUIRED & (await boxes(visitor)).keys()
    await visitor.post(PAGE, {"password_changed": "", "nothing": "yes"})
    found = await kept(visitor)
    assert all(found[one] for one in REQUIRED)


async def test_a_box_is_taken_away_after_a_proof(stack: Stack, visitor: Visitor) -> None:
    """Whoever finds the page open can't keep its owner from being told."""
    await stack.advance(timedelta(minutes=20))
    assert visitor.led_to(await visitor.post(PAGE, {})).startswith("/account/confirm?")
    assert await kept(visitor) == {**OPTIONAL, **dict.fromkeys(REQUIRED, True)}
    answer = await visitor.post(PAGE, dict.fromkeys(OPTIONAL, "yes"))
    assert visitor.led_to(answer) == f"{PAGE}?done=saved"


async def test_what_the_plan_does_not_send_is_not_offered(stack: Stack, visitor: Visitor) -> None:
    """And a form without its box does not switch it off for the day on which the plan sends it."""
    tenant_id = visitor.person.api.tenant_id
    await stack.argus.plans.set(tenant_id, Subscription(plan="professional"), origin=origin(tenant_id))
    assert (await boxes(visitor)).keys() == OPTIONAL.keys() - {"new_device"}
    await visitor.post(PAGE, {})
    assert (await kept(visitor))["new_device"]


async def test_a_form_of_another_site_changes_nothing(visitor: Visitor) -> None:
    """And whoever is not signed in is led to the sign-in first."""
    foreign = HTML | {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await visitor.post(PAGE, {}, foreign)).status_code == 403
    assert await kept(visitor) == {**OPTIONAL, **dict.fromkeys(REQUIRED, True)}
    visitor.jar.clear()
    assert visitor.led_to(await visitor.get(PAGE)).startswith("/sign-in")
    assert visitor.led_to(await visitor.post(PAGE, {})).startswith("/sign-in")
    assert await kept(visitor) == {**OPTIONAL, **dict.fromkeys(REQUIRED, True)}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_each_notice_is_named_in_each_language(visitor: Visitor, language: str) -> None:
    text = (await visitor.get(f"{PAGE}?lang={language}")).text
    assert "notices." not in text
    assert text.count('<li><div class="item">') == len(REQUIRED)
