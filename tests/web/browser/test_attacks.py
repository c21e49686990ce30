"""The cookie and refresh rows of `endpoint-attacks.csv` that a browser's endpoints have to do with.

Each test's name begins with its row. F10 is in test_other_sites.py, the login rows in test_login_attacks.py.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.v1 import types_pb2 as types
from tests.support.browsers import Browser, Jar
from tests.support.losses import forget_rotations
from tests.support.people import PASSWORD, Person, reason_of, refresh, verify
from tests.support.theft import OUT_OF_STEP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from argus.server.api import Api
    from tests.support.stack import Stack


@pytest.fixture
async def strict(stack: Stack, api: Api) -> AsyncIterator[None]:
    """The tenant's browsers rotate by the letter of RFC 9700."""
    origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id="test")
    scope = Scope(kind="client", id="account")
    await stack.argus.policies.set_document(api.tenant_id, scope, {"rotation": "strict"}, origin=origin)
    await stack.argus.snapshot.refresh()
    yield
    await stack.argus.policies.set_document(api.tenant_id, scope, {}, origin=origin)
    await stack.argus.snapshot.refresh()


@pytest.mark.usefixtures("strict")
async def test_f01_an_old_token_ends_the_session_under_strict_rotation(browser: Browser, person: Person) -> None:
    await browser.sign_in(person.identifier)
    thief = browser.copied()
    assert (await browser.refresh()).status_code == 200
    replayed = await thief.refresh()
    assert (replayed.status_code, replayed.json()["reason"]) == (401, "SESSION_ENDED")
    assert (await browser.refresh()).json()["reason"] == "SESSION_ENDED"
    assert await browser.status() == {"state": "refresh"}, "access tokens of the family are refused"
    (session,) = await person.list(with_ended=True)
    assert session.end_reason == types.END_REASON_REPLAY


async def test_f02_64_parallel_refreshes_make_one_successor(stack: Stack, signed_in: Browser) -> None:
    """One rotation; the rest get the same token, and there is never a second family."""
    name = signed_in.name("rt")
    first = signed_in.jar[name]
    answers = await asyncio.gather(*(signed_in.send("/refresh", {}) for _ in range(64)))
    assert {one.status_code for one in answers} == {200}
    made = set()
    for one in answers:
        jar = Jar(signed_in.jar)
        jar.take(one)
        made.add(jar[name])
    assert len(made) == 1
    assert first not in made


async def test_f03_a_retry_within_the_grace_gets_the_lost_answer(stack: Stack, signed_in: Browser) -> None:
    lost = Jar()
    lost.take(await signed_in.send("/refresh", {"attempt_id": "one"}))
    await stack.advance(timedelta(seconds=20))
    assert (await signed_in.refresh(attempt_id="one")).status_code == 200
    assert signed_in.jar[signed_in.name("rt")] == lost[signed_in.name("rt")]


async def test_f05_a_token_newer_than_the_store_goes_on(stack: Stack, signed_in: Browser, person: Person) -> None:
    """Redis has lost the rotation, and PostgreSQL has not heard of it: what our signature says counts."""
    assert (await signed_in.refresh()).status_code == 200
    token = signed_in.jar[signed_in.name("rt")]
    (session,) = await person.list()
    await forget_rotations(stack, session.name)
    assert (await signed_in.refresh()).status_code == 200
    assert signed_in.jar[signed_in.name("rt")] == token
    await stack.argus.effects.flush()
    sql = "SELECT 1 FROM audit_events WHERE session_id = %s AND type = 'refresh.adopted'"
    assert await stack.argus.db.fetch_one(sql, (session.name.rpartition("/")[2],)) is not None


async def test_f06_each_token_in_its_place(api: Api, signed_in: Browser) -> None:
    """An access token is not refreshed, a refresh token is no access token: neither in cookies nor at services."""
    swapped = signed_in.copied()
    rt, at = signed_in.name("rt"), signed_in.name("at")
    swapped.jar[rt], swapped.jar[at] = signed_in.jar[at], signed_in.jar[rt]
    assert (await swapped.send("/refresh", {})).json()["reason"] == "TOKEN_INVALID"
    assert (await swapped.status())["state"] == "refresh"
    assert await reason_of(verify(api, signed_in.jar[rt])) == "TOKEN_INVALID"


async def test_f07_another_clients_token_is_refused(api: Api, browser: Browser, person: Person) -> None:
    """The refresh token of a service is none in a cookie: it is neither refreshed nor stepped up nor signed out."""
    made = await person.sign_in()
    browser.jar[browser.name("rt")] = made.tokens.refresh_token
    for path in ("/refresh", "/step-up"):
        assert (await browser.ask(path, {})).json()["reason"] == "TOKEN_INVALID"
    assert (await browser.ask("/sign-out")).json() == {"state": "ended"}
    await refresh(api, made.tokens.refresh_token)


async def test_f08_no_scope_can_be_asked_for(signed_in: Browser) -> None:
    """The endpoint takes none: what was granted is what there is."""
    refused = await signed_in.ask("/refresh", {"scope": "openid admin"})
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")


@pytest.mark.parametrize("later", [timedelta(hours=8, seconds=1), timedelta(hours=24, seconds=1)])
async def test_f09_after_a_limit_the_session_is_over(stack: Stack, signed_in: Browser, later: timedelta) -> None:
    await stack.advance(later)
    refused = await signed_in.refresh()
    assert refused.status_code == 401
    assert refused.json()["reason"] in {"SESSION_ENDED", "TOKEN_INVALID"}  # its token expires with the absolute limit


async def test_f09_after_the_user_was_disabled_the_session_is_over(
    stack: Stack, api: Api, signed_in: Browser, person: Person
) -> None:
    origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id="test")
    await stack.argus.user_lifecycle.disable(api.tenant_id, person.user_id, origin=origin)
    refused = await signed_in.refresh()
    assert (refused.status_code, refused.json()["reason"]) == (401, "SESSION_ENDED")


@pytest.mark.parametrize("text", ["x\r\nSet-Cookie: a=b", "x\nSet-Cookie: a=b", "x\x00", "x\x85y"])
async def test_k01_nothing_said_becomes_a_header(browser: Browser, person: Person, text: str) -> None:
    begun = await browser.ask("/sign-in", {"identifier": text})
    assert (begun.status_code, begun.json()["reason"]) == (400, "FIELD_INVALID")
    assert "set-cookie" not in begun.headers
    await browser.ask("/sign-in", {"identifier": person.identifier})
    assert (await browser.ask("/factor", {"password": text})).json()["reason"] == "FIELD_INVALID"


async def test_k03_cookies_of_a_sibling_domain_are_none(signed_in: Browser, browser: Browser) -> None:
    """Without the prefix they have no meaning; and one that is there twice was not set by us alone."""
    rt = signed_in.name("rt")
    bare = rt.removeprefix("__Host-")
    token = signed_in.jar[rt]
    for odd in (bare, f"__Secure-{bare}", rt.lower(), rt.upper(), f"{rt} ", f"$%{rt}"):
        jar = signed_in.copied()
        jar.jar = Jar({odd: token})
        expected = "TOKEN_INVALID" if odd.strip() != rt else "twice"
        if expected == "TOKEN_INVALID":
            assert (await jar.send("/refresh", {})).json()["reason"] == "TOKEN_INVALID", odd
    both = {"cookie": f"{rt}={token}; {rt}=eyJ.forged.token"}
    assert (await signed_in.send("/refresh", {}, headers=both)).json()["reason"] == "TOKEN_INVALID"
    assert (await signed_in.refresh()).status_code == 200


async def test_after_the_grace_an_old_token_is_answered_with_a_step_up(stack: Stack, signed_in: Browser) -> None:
    """Resilient rotation: a copied jar that is two generations behind contests the session, and ends nothing."""
    copied = signed_in.copied()
    await signed_in.refresh()
    await stack.advance(OUT_OF_STEP)
    await signed_in.refresh()
    refused = await copied.refresh()
    assert (refused.status_code, refused.json()["reason"]) == (401, "STEP_UP_REQUIRED")
    assert (await signed_in.status())["state"] == "step_up_required"
    await signed_in.ask("/step-up", {})
    assert (await signed_in.ask("/factor", {"password": PASSWORD})).status_code == 200
    assert (await signed_in.status())["state"] == "active"
