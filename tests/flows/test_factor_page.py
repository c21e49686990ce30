"""The page that asks for a factor, without a browser."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import httpx

from tests.support.browsers import Browser
from tests.support.passkey_scene import new_scene
from tests.support.people import PASSWORD

if TYPE_CHECKING:
    from tests.support.stack import Stack


async def test_a_passkey_is_asked_for_with_options_that_can_be_answered(stack: Stack) -> None:
    """Those of before were spent by an answer, or are over: whoever tries again, or comes late, gets others."""
    scene = await new_scene(stack)
    await scene.enrol()
    async with httpx.AsyncClient(timeout=30) as http:
        browser = Browser(stack, scene.api.tenant_id, http=http)
        await browser.ask("/sign-in", {"identifier": scene.person.identifier})
        await browser.ask("/factor", {"password": PASSWORD})
        page = browser.url.removesuffix("/session") + "/sign-in/factor"

        async def options() -> str:
            shown = await http.get(page, headers={"cookie": browser.jar.header()})
            (found,) = re.findall(r'\{"challenge".*?\}(?=["\'<])', unescape(shown.text))
            return str(found)

        first = await options()
        assert await options() == first
        scene.authenticator.client_data = {"type": "webauthn.create"}
        spoilt = json.loads(scene.authenticator.get(first))
        assert (await browser.ask("/factor", {"webauthn": spoilt})).json()["reason"] == "FACTOR_REFUSED"
        scene.authenticator.client_data = {}
        second = await options()
        await stack.advance(timedelta(minutes=5))
        third = await options()
        assert len({first, second, third}) == 3
        answer = json.loads(scene.authenticator.get(third))
        assert (await browser.ask("/factor", {"webauthn": answer})).json()["login"]["state"] == "COMPLETE"
