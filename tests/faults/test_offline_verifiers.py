"""Services that verify by themselves learn of an end in time, and know when they don't."""

import asyncio
import signal
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from argus.sdk.errors import TokenRefusedError, VerifierUnavailableError
from argus.sdk.offline.feed import FeedTimes, OnSilence, RevocationFeed
from argus.sdk.offline.verifier import OfflineVerifier
from bench.revocation.crowd import crowd_of
from drills.field.network import Network
from tests.support.people import new_person, terminate
from tests.support.presented import claims_of
from tests.support.service import Service, new_service
from tests.support.stack import Stack

BOUND = 1.5
# Between a look at the clock and the next, on a machine with other work.
SLACK = 0.25
PATIENCE_SECONDS = 60
PROGRAM = Path(__file__).parents[1] / "support" / "offline_program.py"
TIMES = FeedTimes(bound=timedelta(seconds=BOUND), connect=timedelta(seconds=1), pause=timedelta(seconds=0.5))


@pytest.fixture
async def service(stack: Stack) -> AsyncIterator[Service]:
    async with new_service(stack) as one:
        yield one


class Remote:
    """A verifier whose stream comes over the network, and a session whose token it takes."""

    def __init__(self, service: Service, verifier: OfflineVerifier, token: str, session: str) -> None:
        self._service = service
        self._verifier = verifier
        self.token = token
        self.session = session

    async def verdict(self) -> str:
        """Of the token, now."""
        try:
            await self._verifier.verify(self.token)
        except TokenRefusedError as error:
            return error.reason
        except VerifierUnavailableError:
            return "UNAVAILABLE"
        return "GOOD"

    async def until(self, wanted: str) -> tuple[float, float]:
        """Asks until the verdict is this one; when the last other one was asked for, and when this one."""
        last_other = time.monotonic()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                asked = time.monotonic()
                if await self.verdict() == wanted:
                    return last_other, asked
                last_other = asked
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        """Ends the session, past the network that is broken."""
        await terminate(self._service.api, self.session)


@asynccontextmanager
async def remote(service: Service, network: Network, on_silence: OnSilence) -> AsyncIterator[Remote]:
    """A verifier whose stream comes over the network."""
    port = await network.connect("argus", int(service.api.address.rpartition(":")[2]))
    connect = lambda: service.connect(f"127.0.0.1:{port}")  # noqa: E731
    feed = RevocationFeed(connect, tenant_id=service.api.tenant_id, times=TIMES, on_silence=on_silence)
    signed_in = await (await new_person(service.api)).sign_in()
    async with feed, service.verifier(feed) as verifier:
        one = Remote(service, verifier, signed_in.tokens.access_token, signed_in.session.name)
        await feed.warm()
        await one.until("GOOD")
        yield one


async def spoil(network: Network, how: str) -> None:
    """Breaks the way of the stream."""
    match how:
        case "cut":
            await network.unplug("argus")
        case "half-open":
            # Connections stay open, and nothing comes through.
            await network.poison("argus", "timeout", timeout=0)
        case "delayed":
            # Longer than the bound, and not as long as to look like silence.
            await network.poison("argus", "latency", latency=1700)


@pytest.mark.parametrize("how", ["cut", "half-open", "delayed"])
async def test_promise_4_a_spoilt_stream_is_an_outage_within_the_bound(
    service: Service, network: Network, how: str
) -> None:
    """Never later than the bound after the last news that could have come; and it heals by itself."""
    async with remote(service, network, OnSilence.FAIL_CLOSED) as one:
        await spoil(network, how)
        spoilt = time.monotonic()
        last_good, _ = await one.until("UNAVAILABLE")
        assert last_good - spoilt <= BOUND + SLACK
        # Nor does what comes late make anything good again.
        while time.monotonic() < spoilt + 3 * BOUND:
            assert await one.verdict() == "UNAVAILABLE"
            await asyncio.sleep(0.01)
        await one.end()
        await network.heal()
        await one.until("SESSION_ENDED")


@pytest.mark.parametrize("how", ["cut", "half-open", "delayed"])
async def test_fail_open_goes_on_and_says_how_old_its_news_are(service: Service, network: Network, how: str) -> None:
    """Its owner chose that; what it does not do is to forget what it knows."""
    async with remote(service, network, OnSilence.FAIL_OPEN) as one:
        await spoil(network, how)
        spoilt = time.monotonic()
        while time.monotonic() < spoilt + 2 * BOUND:
            assert await one.verdict() == "GOOD"
            await asyncio.sleep(0.01)
        staleness = (await one._verifier.verify(one.token)).staleness
        assert staleness is not None
        assert staleness >= timedelta(seconds=BOUND)
        await network.heal()
        await one.end()
        await one.until("SESSION_ENDED")


class Program:
    """`offline_program.py`, running."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        self._process.send_signal(number)

    def ask(self, token: str) -> None:
        """Asks; the question waits where the process does not run."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{token}\n".encode())

    async def answer(self) -> str:
        """What it says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            return (await self._process.stdout.readline()).decode().strip()


@asynccontextmanager
async def program(service: Service, address: str) -> AsyncIterator[Program]:
    """A service of its own, ready; Argus is at the address."""
    ahead = service.stack.private.clock.now_ms() / 1000 - time.time()
    api = service.api
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, PROGRAM, address, service.stack.server.http_url, service.issuer),
        *(api.tenant_id, api.client_id, api._secret, str(BOUND), str(ahead)),
        stdin=PIPE,
        stdout=PIPE,
    )
    try:
        one = Program(process)
        assert await one.answer() == "ready"
        yield one
    finally:
        process.kill()
        await process.wait()


async def test_a_process_that_was_stopped_and_woken_does_not_go_by_what_it_knew(
    service: Service, network: Network
) -> None:
    """Nor by what waited for it meanwhile: heartbeats of before the end arrive when it wakes, and the end does not."""
    signed_in = await (await new_person(service.api)).sign_in()
    token = signed_in.tokens.access_token
    port = await network.connect("argus", int(service.api.address.rpartition(":")[2]))
    async with program(service, f"127.0.0.1:{port}") as one:
        assert (await again(one, token)).startswith("good")
        one.signal(signal.SIGSTOP)
        await bound_has_passed(time.monotonic())
        await network.unplug("argus")
        await terminate(service.api, signed_in.session.name)
        ended = time.monotonic()
        await bound_has_passed(ended)
        for _ in range(20):
            one.ask(token)
        one.signal(signal.SIGCONT)
        verdicts = [await one.answer() for _ in range(20)]
        # Until after what waited has been read.
        verdicts += [await again(one, token) for _ in range(200)]
        assert set(verdicts) == {"unavailable"}
        await network.heal()
        while await again(one, token) != "refused SESSION_ENDED":
            assert time.monotonic() < ended + PATIENCE_SECONDS


async def bound_has_passed(since: float) -> None:
    """Waits until news of a moment are too old."""
    while time.monotonic() <= since + BOUND:  # noqa: ASYNC110 - it is time alone that is waited for
        await asyncio.sleep(0.05)


async def again(one: Program, token: str) -> str:
    """Asks once more."""
    one.ask(token)
    return await one.answer()


async def test_promise_3_a_hundred_verifiers_learn_of_an_end_within_a_second(service: Service) -> None:
    """p99 of 1000 (verifier, end); the server, its stores and all verifiers share this machine."""
    person = await new_person(service.api)
    delays: list[float] = []
    async with crowd_of(100, service.connect, service.api.tenant_id) as crowd:
        for _ in range(10):
            signed_in = await person.sign_in()
            claims = claims_of(signed_in.tokens.access_token)
            name = signed_in.session.name
            delays += await crowd.learn(claims, lambda name=name: terminate(service.api, name))  # type: ignore[misc]
    assert len(delays) == 1000
    assert statistics.quantiles(delays, n=100)[98] <= 1.0
