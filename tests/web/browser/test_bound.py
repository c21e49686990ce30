"""Sessions in browsers that are bound to a key (RFC 9449), with nonces and without."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.browsers import Browser, Holder
from tests.support.people import PASSWORD, new_person

if TYPE_CHECKING:
    from tests.support.people import Person
    from tests.support.stack import Stack


@pytest.fixture
def holder(stack: Stack, browser: Browser) -> Holder:
    return Holder(stack, browser)


async def test_a_stolen_jar_is_worth_nothing_without_the_key(holder: Holder, person: Person) -> None:
    assert (await holder.sign_in(person.identifier)).status_code == 200
    stolen = holder.browser.copied()
    refused = await stolen.refresh()
    assert (refused.status_code, refused.json()["reason"]) == (401, "TOKEN_PROOF_REQUIRED")
    assert refused.headers["www-authenticate"] == 'DPoP error="invalid_dpop_proof"'
    assert (await Holder(holder.stack, stolen).ask("/refresh", {})).json()["reason"] == "TOKEN_PROOF_REQUIRED"
    assert (await holder.ask("/refresh", {})).status_code == 200


async def test_a_copied_jar_with_the_key_never_steps_up(holder: Holder, person: Person) -> None:
    """Bound, whoever holds the key gets the newest token, however old its own is."""
    await holder.sign_in(person.identifier)
    old = holder.copied()
    for _ in range(4):
        assert (await holder.ask("/refresh", {})).status_code == 200
        await holder.stack.advance(timedelta(minutes=30))
    assert (await old.ask("/refresh", {})).status_code == 200


async def test_a_proof_is_good_once_and_for_its_request(holder: Holder, person: Person) -> None:
    await holder.sign_in(person.identifier)
    proof = holder.proof("/refresh")
    assert (await holder.ask("/refresh", {}, proof=proof)).status_code == 200
    for bad in (proof, holder.proof("/sign-out"), holder.proof("/refresh", htm="GET"), "no.proof.at-all"):
        assert (await holder.ask("/refresh", {}, proof=bad)).json()["reason"] == "TOKEN_PROOF_REQUIRED"
    two = [("dpop", holder.proof("/refresh")), ("dpop", holder.proof("/refresh"))]
    headers = [*holder.browser.headers().items(), *two]
    refused = await holder.browser.http.post(f"{holder.browser.url}/refresh", headers=headers)
    assert (refused.status_code, refused.json()["reason"]) == (400, "FIELD_INVALID")


@pytest.fixture
async def nonced(careful: Stack, http: httpx.AsyncClient) -> tuple[Holder, Person]:
    """A holder of a key, and who it is."""
    api = await careful.new_tenant()
    return Holder(careful, Browser(careful, api.tenant_id, http=http)), await new_person(api)


async def test_rfc_9449_8_a_proof_without_a_nonce_is_told_one(nonced: tuple[Holder, Person]) -> None:
    holder, person = nonced
    refused = await holder.sign_in(person.identifier)
    assert (refused.status_code, refused.json()["reason"]) == (401, "TOKEN_PROOF_REQUIRED")
    assert refused.headers["www-authenticate"] == 'DPoP error="use_dpop_nonce"'
    holder.nonce = refused.headers["dpop-nonce"]
    assert refused.json()["metadata"] == {"binding": "dpop", "dpopNonce": holder.nonce}
    done = await holder.ask("/factor", {"password": PASSWORD})  # the login is as it was
    assert done.status_code == 200
    assert done.headers["dpop-nonce"]
    assert (await holder.ask("/refresh", {})).status_code == 200


async def test_a_nonce_lasts_for_minutes_and_no_other_is_good(nonced: tuple[Holder, Person]) -> None:
    holder, person = nonced
    holder.nonce = (await holder.sign_in(person.identifier)).headers["dpop-nonce"]
    assert (await holder.ask("/factor", {"password": PASSWORD})).status_code == 200
    good = holder.nonce
    for odd in ("", "A" * len(good), good[:-1], good + "A", good.swapcase(), None):
        holder.nonce = odd
        refused = await holder.ask("/refresh", {})
        assert refused.headers["www-authenticate"] == 'DPoP error="use_dpop_nonce"', odd
    await holder.stack.advance(timedelta(minutes=4))
    holder.nonce = good
    refused = await holder.ask("/refresh", {})
    assert refused.status_code == 401
    holder.nonce = refused.headers["dpop-nonce"]
    assert holder.nonce != good
    assert (await holder.ask("/refresh", {})).status_code == 200


async def test_who_is_not_bound_needs_no_nonce(careful: Stack, nonced: tuple[Holder, Person]) -> None:
    holder, person = nonced
    assert (await holder.browser.sign_in(person.identifier)).status_code == 200
    answer = await holder.browser.refresh()
    assert answer.status_code == 200
    assert "dpop-nonce" not in answer.headers
