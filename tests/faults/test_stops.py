"""A server that is told to stop does, whatever hangs: stores that answer nothing, and threads that never end."""

import asyncio
import threading
import time
from datetime import timedelta

from structlog.testing import capture_logs

from argus.server.private_stack import stack_over
from argus.storage.embedded import StoreUrls
from tests.support.features import own_database
from tests.support.gate import Gate
from tests.support.people import new_person, verify
from tests.support.stack import Stack

SECONDS = 60
GRACE = timedelta(seconds=1)


async def test_stores_that_hang_hold_up_no_stop(stores: StoreUrls, stack: Stack) -> None:
    """Both swallow whatever they are sent, with calls under way."""
    clock = stack.private.clock
    async with own_database(stores.database) as url, Gate(stores.redis) as redis, Gate(url) as postgresql:
        entered = stack_over(StoreUrls(redis=redis.url, database=postgresql.url), clock=clock, drain_time=GRACE)
        private = await entered.__aenter__()
        api = await private.new_tenant()
        signed_in = await (await new_person(api)).sign_in()
        redis.hold(b"\r\n")
        postgresql.hold(b"\x00")
        calls = [verify(api, signed_in.tokens.access_token) for _ in range(20)]
        waiting = asyncio.gather(new_person(api), *calls, return_exceptions=True)
        await asyncio.gather(redis.held.wait(), postgresql.held.wait())
        begun = time.monotonic()
        await entered.__aexit__(None, None, None)
        took = time.monotonic() - begun
        await waiting
        await api.close()
    assert took < SECONDS
    print(f"stopped after {took:.1f} s")  # noqa: T201


async def test_a_thread_that_never_ends_is_left_behind(stores: StoreUrls, stack: Stack) -> None:
    """And named. Nothing else is held up by it."""
    key, over = stack.private.settings.key_encryption_key, threading.Event()
    entered = stack_over(stores, clock=stack.private.clock, key_encryption_key=key)
    private = await entered.__aenter__()
    pool = private.server.argus.passwords._pool._pool
    pool.submit(over.wait)
    begun = time.monotonic()
    with capture_logs() as lines:
        await entered.__aexit__(None, None, None)
    over.set()
    assert time.monotonic() - begun < SECONDS
    assert [line["part"] for line in lines if line["event"] == "stop.left_behind"] == ["passwords"]
