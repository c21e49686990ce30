"""What a process knows of sessions when networks and processes stop: no yes later than the bound."""

import os
import signal
import time
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from drills.field.network import Network
from tests.support.engine import Bench
from tests.support.onlooker import Onlooker, onlooker
from tests.support.sentinel import wait_until

BOUND: Final = 0.25
"""Longest time that a state counts without a word of Redis, in seconds."""

NAMES: Final = {"cut", "half-open", "delayed"}


def test_an_end_reaches_a_warm_cache_at_once(bench: Bench) -> None:
    """Within a few milliseconds, as a rule; within the bound, in any case."""
    for _ in range(10):
        session = bench.sign_in()
        with onlooker(bench, session.tokens.access_token) as seen:
            assert seen.next().answer == "OK"
            bench.end(session)
            ended = time.monotonic()
            change = seen.next()
            assert (change.answer, change.before < ended + BOUND) == ("SESSION_ENDED", True)


def test_a_stopped_process_accepts_nothing_by_what_it_knew(bench: Bench) -> None:
    """SIGSTOP with a warm cache; meanwhile the session ends. What it is asked after it was woken it refuses."""
    for _ in range(5):
        session = bench.sign_in()
        with onlooker(bench, session.tokens.access_token) as seen:
            assert seen.next().answer == "OK"
            os.kill(seen.pid, signal.SIGSTOP)
            wait_until("it has stopped", partial(_is_stopped, seen))
            bench.end(session)
            ended = time.monotonic()
            wait_until("what it knew is old", partial(_is_past, ended + 2 * BOUND))
            woken = time.monotonic()
            os.kill(seen.pid, signal.SIGCONT)
            change = seen.next()
            assert (change.answer, change.before < woken) == ("SESSION_ENDED", True)


async def test_a_stopped_process_that_nobody_tells_anything_goes_by_its_clock(bench: Bench, network: Network) -> None:
    """As before, and its connections hang from then on: no word of the end waits for it when it is woken."""
    port = await network.connect("redis", bench.valkey.port)
    session = bench.sign_in()
    with onlooker(bench, session.tokens.access_token, url=f"redis://127.0.0.1:{port}") as seen:
        assert seen.next().answer == "OK"
        os.kill(seen.pid, signal.SIGSTOP)
        wait_until("it has stopped", partial(_is_stopped, seen))
        await network.poison("redis", "timeout", timeout=0)
        bench.end(session)
        wait_until("what it knew is old", partial(_is_past, time.monotonic() + 2 * BOUND))
        woken = time.monotonic()
        os.kill(seen.pid, signal.SIGCONT)
        change = seen.next()
        assert (change.answer, change.before < woken) == ("UNAVAILABLE", True)


def _is_stopped(seen: Onlooker) -> bool:
    text = Path(f"/proc/{seen.pid}/stat").read_text(encoding="ascii")
    return text.rpartition(")")[2].split()[0] == "T"


def _is_past(moment: float) -> bool:
    return time.monotonic() > moment


@pytest.mark.parametrize("how", sorted(NAMES))
async def test_a_broken_network_is_never_a_yes(bench: Bench, network: Network, how: str) -> None:
    """Redis can't say that the session has ended: UNAVAILABLE. Where it only says so late, it is asked, and says no."""
    port = await network.connect("redis", bench.valkey.port)
    session = bench.sign_in()
    with onlooker(bench, session.tokens.access_token, url=f"redis://127.0.0.1:{port}", timeout_ms=3000) as seen:
        assert seen.next().answer == "OK"
        broken = time.monotonic()
        match how:
            case "cut":
                await network.unplug("redis")
            case "half-open":
                await network.poison("redis", "timeout", timeout=0)
            case _:
                await network.poison("redis", "latency", latency=400)
        bench.end(session)
        ended = time.monotonic()
        change = seen.next()
        assert change.answer == ("SESSION_ENDED" if how == "delayed" else "UNAVAILABLE")
        # Whatever it was told before the network broke; and not later than that it was not told anything.
        assert change.before < ended + BOUND
        if how != "delayed":
            assert change.begun < ended + BOUND + 0.25, "it does not wait for Redis where it could know"
        await network.heal()
        if how != "delayed":
            assert seen.until("SESSION_ENDED").begun > broken


def test_a_lost_tracking_connection_is_made_again(bench: Bench) -> None:
    """Reads go to Redis meanwhile."""
    session = bench.sign_in()
    with onlooker(bench, session.tokens.access_token) as seen:
        assert seen.next().answer == "OK"
        for _ in range(3):
            tracking = [one for one in bench.valkey.client.client_list() if "t" in one["flags"]]
            assert len(tracking) == 1
            bench.valkey.client.client_kill_filter(_id=tracking[0]["id"])
            wait_until("it is there again", partial(_tracks_again, bench, tracking[0]["id"]))
        bench.end(session)
        ended = time.monotonic()
        change = seen.next()
        assert (change.answer, change.before < ended + BOUND) == ("SESSION_ENDED", True)


def _tracks_again(bench: Bench, known: str) -> bool:
    return any("t" in one["flags"] and one["id"] != known for one in bench.valkey.client.client_list())
