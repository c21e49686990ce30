"""Only the connection on which Redis tells of changes breaks: all else goes on, and no end is missed past the bound."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import pytest

from argus import _core
from drills.field.network import Network
from tests.support.engine import CACHES, Bench, verify_request
from tests.support.onlooker import onlooker
from tests.support.sentinel import wait_until
from tests.support.sorter import sorter
from tests.support.valkey import Valkey

FRESH_MS: Final = 250
"""Longest time that a state counts without a word of Redis."""

BOUND: Final = FRESH_MS / 1000

PUBLISHED: Final = 0.5
"""The published bound, in seconds: `online_bound`."""

TRACKING: Final = "tracking"
HOW: Final = {
    "cut": None,
    "half-open": ("timeout", {"timeout": 0}),
    "delayed": ("latency", {"latency": 400}),
    # A word that comes in time for some of the questions, and not for others.
    "nearly too late": ("latency", {"latency": 110}),
}


@dataclass(frozen=True, slots=True)
class Ways:
    """Ways to Redis, of which the one for changes can be broken by itself."""

    network: Network
    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"redis://127.0.0.1:{self.port}"

    async def break_tracking(self, how: str) -> None:
        """Breaks the connection that there is, and all that are made anew."""
        toxic = HOW[how]
        if toxic is None:
            await self.network.unplug(TRACKING)
        else:
            await self.network.poison(TRACKING, toxic[0], **toxic[1])


@pytest.fixture
async def ways(server: Valkey, network: Network) -> AsyncIterator[Ways]:
    """Tracking connections begin with HELLO 3, the others speak RESP2."""
    tracking = await network.connect(TRACKING, server.port)
    with sorter(b"HELLO", then=tracking, otherwise=server.port) as port:
        yield Ways(network, port)


@pytest.mark.parametrize("how", HOW)
async def test_an_end_is_never_missed_beyond_the_bound(bench: Bench, ways: Ways, how: str) -> None:
    """The other connection is asked in time, and knows: there is no outage, and never a yes past the bound."""
    session = bench.sign_in()
    with onlooker(bench, session.tokens.access_token, url=ways.url, timeout_ms=3000) as seen:
        assert seen.next().answer == "OK"
        await ways.break_tracking(how)
        bench.end(session)
        ended = time.monotonic()
        change = seen.next()
        assert change.answer == "SESSION_ENDED"
        assert change.before < ended + BOUND
        assert change.begun < ended + PUBLISHED


@pytest.mark.parametrize("how", HOW)
async def test_without_it_calls_go_on_and_with_it_they_are_cached_again(bench: Bench, ways: Ways, how: str) -> None:
    """What is read meanwhile is read from Redis itself."""
    engine = _core.Engine(redis_url=ways.url, clock=bench.clock, redis_timeout_ms=3000, **CACHES)
    broken = Bench(bench.valkey, engine, bench.clock, snapshot=bench.snapshot)
    try:
        known, unknown = bench.sign_in(), bench.sign_in()

        def is_kept() -> bool:
            before = engine.counters()["cache_hits{cache=states}"]
            broken.verify(known.tokens.access_token)
            return engine.counters()["cache_hits{cache=states}"] > before

        wait_until("it is kept", is_kept)
        await ways.break_tracking(how)
        if how != "nearly too late":
            wait_until("its word counts no more", lambda: not 0 <= engine.gauges()["tracking_age_ms"] < FRESH_MS)
        begun = time.monotonic()
        for session in (unknown, known, unknown):
            broken.verify(session.tokens.access_token)
        # Each waits once at most for a word that would not count any more, and asks the other connection then.
        assert time.monotonic() - begun < 3 * PUBLISHED
        bench.end(unknown)
        wait_until("it is refused", lambda: not _is_good(broken, unknown.tokens.access_token))
        await ways.network.heal()
        wait_until("it is kept again", is_kept)
    finally:
        engine.close()


def _is_good(bench: Bench, token: str) -> bool:
    return bench.answer("VerifyAccessToken", verify_request(token))[0] == 0
