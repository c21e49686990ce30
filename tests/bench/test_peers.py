"""A peer does what it is measured for; what is asked of it is what its users ask."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bench.peers.measure import CHECK, ISSUE, REFRESH, Amount, measure
from bench.peers.oidc_provider.contender import OidcProvider, oidc_provider
from bench.peers.web import AbsentError, Tokens


@pytest.fixture(scope="module")
async def peer() -> AsyncIterator[OidcProvider]:
    """The peer that starts within a second."""
    try:
        entering = oidc_provider()
        running = await entering.__aenter__()
    except AbsentError as error:
        pytest.skip(str(error))
    try:
        yield running
    finally:
        await entering.__aexit__(None, None, None)


async def begun(peer: OidcProvider) -> Tokens:
    """A new session."""
    (form,) = await peer.sign_ins(1)
    return await peer.web.issue(form)


async def test_its_refresh_tokens_rotate_and_one_that_was_spent_ends_the_family(peer: OidcProvider) -> None:
    first = await begun(peer)
    assert await peer.web.is_good(first)
    second = await peer.web.refresh(first)
    assert second is not None
    assert second.refresh != first.refresh
    assert await peer.web.refresh(first) is None
    assert not await peer.web.is_good(second)


async def test_what_was_never_issued_is_refused(peer: OidcProvider) -> None:
    tokens = await begun(peer)
    assert await peer.web.refresh(replace(tokens, refresh="made-up")) is None
    assert not await peer.web.is_good(replace(tokens, access="made-up"))


async def test_every_kind_of_call_costs_server_and_store_something_and_a_killed_server_comes_back(
    peer: OidcProvider,
) -> None:
    told: list[int] = []
    amount = Amount(rounds=2, calls=8, warm_up=4, in_flight=4, reuses=1, sessions=8)
    found = await measure(peer, amount, told.append)
    assert sum(told) == amount.all_calls
    for kind in (ISSUE, REFRESH, CHECK):
        assert found.cpu_us[kind]["server"] > 0
        assert found.cpu_us[kind]["redis"] > 0
    assert 1 <= found.accepted[0] <= 8
    assert found.asked == 24
    assert found.unanswered > 0
    assert await peer.web.is_good(await begun(peer))
