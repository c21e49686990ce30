"""`argus devices`: what a user signs in on, and why a device or session is trusted as far as it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tests.support.people import new_person, verify
from tests.support.shell import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.stack import Stack


async def test_listing_devices(stack: Stack, tmp_path: Path) -> None:
    api = await stack.new_tenant()
    person = await new_person(api)
    first = await person.sign_in()
    second = await person.sign_in()
    listed = await Shell(stack, api, tmp_path).json("devices", "list", "--user", person.user_id)
    assert [one["device"] for one in listed] == [second.session.device.name, first.session.device.name]
    assert {one["name"] for one in listed} == {"Firefox on Linux"}


async def test_explaining_a_session_and_its_device(stack: Stack, tmp_path: Path) -> None:
    """The terms add up to what `VerifyAccessToken` tells; neither or both is refused."""
    api = await stack.new_tenant()
    person = await new_person(api)
    done = await person.sign_in()
    shell, explain = Shell(stack, api, tmp_path), ("devices", "explain", "--user", person.user_id)
    session, device = done.session.name.rpartition("/")[2], done.session.device.name
    told = (await verify(api, done.tokens.access_token)).trust_score
    for words in ((*explain, "--session", session), (*explain, device)):
        terms = await shell.json(*words)
        score = 100 / (1 + math.exp(-sum(term["weight"] for term in terms)))
        assert score == pytest.approx(terms[0]["score"], abs=1e-3)
        assert round(score) == told
        assert [term["code"] for term in terms][:3] == ["BASE", "LOGINS", "USUAL_NETWORK"]
    await shell.run(*explain, code=2)
    await shell.run(*explain, "--session", session, device, code=2)
