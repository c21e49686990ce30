"""An issuer's keys (J13): fetched seldom, kept over outages, and not longer than promised."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from argus.sdk.fetch import Fetcher
from argus.sdk.jwks import KeySetTimes, KeySetUnavailableError, KeyUnknownError, RemoteKeySet
from tests.support.issuer import Issuer, Key, issuer

FRESH, STALE, PAUSE = 300.0, 3600.0, 30.0


class Consumer:
    """A key set whose time is told."""

    def __init__(self, there: Issuer) -> None:
        self.now = 1000.0
        self.key_set = RemoteKeySet(there.url, fetcher=Fetcher(allow_loopback=True), now=lambda: self.now)
        self._there = there

    async def knows(self, kid: str) -> bool:
        """Whether it has a key of this name; an outage is no answer."""
        try:
            await self.key_set.key(kid)
        except KeyUnknownError:
            return False
        return True

    @property
    def fetches(self) -> int:
        """How often the issuer was asked."""
        return len(self._there.requests)

    async def fetched(self) -> None:
        """Waits for the fetch under way."""
        assert self.key_set._flight is not None
        await self.key_set._flight


@pytest.fixture
async def there() -> AsyncIterator[Issuer]:
    async with issuer() as one:
        yield one


@pytest.fixture
async def consumer(there: Issuer) -> AsyncIterator[Consumer]:
    made = Consumer(there)
    yield made
    await made.key_set.close()


async def test_all_callers_share_one_fetch(there: Issuer, consumer: Consumer) -> None:
    one, other = Key(), Key()
    there.publish([one, other])
    there.may_answer.clear()
    callers = [asyncio.create_task(consumer.key_set.key(key.kid)) for key in (one, other) * 50]
    await there.asked(1)
    # One that goes away takes the fetch from nobody.
    callers[0].cancel()
    there.may_answer.set()
    keys = await asyncio.gather(*callers[1:])
    assert consumer.fetches == 1
    assert {key.thumbprint for key in keys} == {one.kid, other.kid}
    keys[0].verify(b"message", other.sign(b"message"))
    with pytest.raises(ValueError, match="signature"):
        keys[0].verify(b"massage", other.sign(b"message"))


async def test_unknown_names_lead_to_one_fetch_in_half_a_minute(there: Issuer, consumer: Consumer) -> None:
    """Whatever tokens name: nobody can have the issuer asked more often."""
    there.publish([Key()])
    await consumer.key_set.warm()
    for second in range(120):
        consumer.now = 1000.0 + second
        names = [f"{second}-{number}" for number in range(20)]
        assert not any(await asyncio.gather(*map(consumer.knows, names)))
    assert consumer.fetches == 1 + 3


async def test_a_key_that_is_new_is_found_at_once_or_after_the_pause(there: Issuer, consumer: Consumer) -> None:
    old, new, newer = Key(), Key(), Key()
    there.publish([old])
    assert await consumer.knows(old.kid)
    consumer.now += PAUSE
    there.publish([old, new])
    assert await consumer.knows(new.kid)
    there.publish([old, new, newer])
    consumer.now += PAUSE - 1
    with pytest.raises(KeyUnknownError) as refused:
        await consumer.key_set.key(newer.kid)
    assert refused.value.retry_after == timedelta(seconds=1)
    consumer.now += 1
    assert await consumer.knows(newer.kid)
    assert consumer.fetches == 3


async def test_a_name_that_nobody_publishes_is_asked_for_less_and_less(there: Issuer, consumer: Consumer) -> None:
    """The negative cache: at 30, 60, 120 and 240 seconds; keys that are there are found all the same."""
    known = Key()
    there.publish([known])
    await consumer.key_set.warm()
    asked = []
    for second in range(int(FRESH * 0.8)):
        consumer.now = 1000.0 + second
        before = consumer.fetches
        assert not await consumer.knows("nobody")
        assert await consumer.knows(known.kid)
        if consumer.fetches > before:
            asked.append(second)
    assert asked == [30, 60, 120]


async def test_what_is_remembered_of_unknown_names_is_bounded(there: Issuer, consumer: Consumer) -> None:
    there.publish([Key()])
    for number in range(1100):
        consumer.now += PAUSE
        assert not await consumer.knows(f"unknown-{number}")
    assert len(consumer.key_set._unknown) == 1024
    before = consumer.fetches
    consumer.now += PAUSE
    assert not await consumer.knows("k" * 257)
    assert not await consumer.knows("")
    assert consumer.fetches == before


async def test_a_pulled_key_dies_when_the_set_is_old(there: Issuer, consumer: Consumer) -> None:
    """Without any new key, and whether it is used all the time or once."""
    pulled, other = Key(), Key()
    there.publish([pulled, other])
    assert await consumer.knows(pulled.kid)
    there.publish([other])
    consumer.now += 0.8 * FRESH - 1
    assert await consumer.knows(pulled.kid)
    assert consumer.fetches == 1
    consumer.now = 1000.0 + FRESH
    assert not await consumer.knows(pulled.kid)
    assert await consumer.knows(other.kid)
    assert consumer.fetches == 2


async def test_the_set_is_renewed_before_it_is_old_and_nobody_waits(there: Issuer, consumer: Consumer) -> None:
    pulled, other = Key(), Key()
    there.publish([pulled, other])
    await consumer.key_set.warm()
    there.publish([other])
    there.may_answer.clear()
    consumer.now += 0.8 * FRESH
    for _ in range(10):
        assert await consumer.knows(pulled.kid)
    there.may_answer.set()
    await consumer.fetched()
    assert not await consumer.knows(pulled.kid)
    assert consumer.fetches == 2
    assert consumer.key_set.age == timedelta(0)


async def test_an_outage_keeps_the_set_for_a_while_and_is_no_answer(there: Issuer, consumer: Consumer) -> None:
    key = Key()
    there.publish([key])
    await consumer.key_set.warm()
    await there.stop()
    for age in (FRESH, FRESH + 2 * PAUSE, STALE - 1):
        consumer.now = 1000.0 + age
        assert await consumer.knows(key.kid)
        await consumer.fetched()
    with pytest.raises(KeySetUnavailableError, match="no answer"):
        await consumer.key_set.key("unknown")
    consumer.now = 1000.0 + STALE
    with pytest.raises(KeySetUnavailableError, match="no answer") as outage:
        await consumer.key_set.key(key.kid)
    assert timedelta(0) < outage.value.retry_after <= timedelta(seconds=PAUSE)
    await there.start()
    consumer.now += PAUSE
    assert await consumer.knows(key.kid)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", "500 Internal Server Error"),
        (b'{"keys":[]}', "404 Not Found"),
        (b'{"keys":[]}', "302 Found"),
        (b"", "204 No Content"),
        (b"<html>sign in to the network</html>", "200 OK"),
        (b"{}", "200 OK"),
        (b'{"keys":[' + b" " * 65536 + b"]}", "200 OK"),
    ],
)
async def test_what_is_no_key_set_replaces_none(there: Issuer, consumer: Consumer, body: bytes, status: str) -> None:
    key = Key()
    there.publish([key])
    await consumer.key_set.warm()
    there.say(body, status=status)
    consumer.now += FRESH
    assert await consumer.knows(key.kid)
    assert consumer.fetches == 2
    assert consumer.key_set.age == timedelta(seconds=FRESH)


async def test_a_set_without_keys_is_one(there: Issuer, consumer: Consumer) -> None:
    """Whoever pulls everything is believed."""
    key = Key()
    there.publish([key])
    await consumer.key_set.warm()
    there.publish([])
    consumer.now += FRESH
    assert not await consumer.knows(key.kid)


async def test_callers_do_not_wait_for_an_issuer_that_hangs_if_they_have_a_set(
    there: Issuer, consumer: Consumer
) -> None:
    """But for the first, which can't know."""
    key = Key()
    there.publish([key])
    await consumer.key_set.warm()
    there.say(b"", status="503 Service Unavailable")
    consumer.now += FRESH
    assert await consumer.knows(key.kid)
    there.may_answer.clear()
    consumer.now += PAUSE
    async with asyncio.timeout(1):
        for _ in range(10):
            assert await consumer.knows(key.kid)
    await there.asked(3)
    there.publish([])
    there.may_answer.set()
    await consumer.fetched()
    assert not await consumer.knows(key.kid)


async def test_an_issuer_that_was_away_long_ago_is_waited_for(there: Issuer, consumer: Consumer) -> None:
    """It may be back; a key that it has pulled is not taken for want of a question."""
    key = Key()
    there.publish([key])
    await consumer.key_set.warm()
    there.say(b"", status="503 Service Unavailable")
    consumer.now += FRESH
    assert await consumer.knows(key.kid)
    there.publish([])
    consumer.now += 2 * PAUSE
    assert not await consumer.knows(key.kid)


async def test_a_set_is_as_old_as_the_question(there: Issuer, consumer: Consumer) -> None:
    """What was pulled while the answer was on its way is still in it."""
    there.publish([Key()])
    there.may_answer.clear()
    warming = asyncio.create_task(consumer.key_set.warm())
    await there.asked(1)
    consumer.now += 2
    there.may_answer.set()
    await warming
    assert consumer.key_set.age == timedelta(seconds=2)


async def test_a_first_fetch_that_failed_is_tried_again_soon_and_then_seldom(there: Issuer, consumer: Consumer) -> None:
    there.say(b"", status="503 Service Unavailable")
    asked = []
    for tenths in range(1500):
        consumer.now = 1000.0 + tenths / 10
        before = consumer.fetches
        with pytest.raises(KeySetUnavailableError):
            await consumer.key_set.warm()
        if consumer.fetches > before:
            asked.append(tenths / 10)
    assert asked == [0, 1, 3, 7, 15, 31, 61, 91, 121]


async def test_keys_that_do_not_verify_are_left_out_and_named_once(
    there: Issuer, consumer: Consumer, caplog: pytest.LogCaptureFixture
) -> None:
    """The cases are those of the reader (`rust_core/core/tests/key_sets.rs`)."""
    good = Key()
    there.publish(
        [good, {"kty": "oct", "kid": "secret", "k": "c2VjcmV0LXRleHQ"}, good.jwk | {"kid": "enc", "use": "enc"}]
    )
    await consumer.key_set.warm()
    consumer.now += FRESH
    assert [await consumer.knows(kid) for kid in (good.kid, "secret", "enc")] == [True, False, False]
    assert caplog.text.count("left out") == 1
    assert "'secret', 'the key is not public'" in caplog.text
    assert "c2VjcmV0LXRleHQ" not in caplog.text


async def test_who_waits_is_told_that_the_set_was_closed(there: Issuer, consumer: Consumer) -> None:
    """And so is who comes later: nobody was cancelled."""
    key = Key()
    there.publish([key])
    there.may_answer.clear()
    waiting = [asyncio.create_task(consumer.key_set.key(key.kid)) for _ in range(3)]
    gone = asyncio.create_task(consumer.key_set.warm())
    await there.asked(1)
    gone.cancel()
    await consumer.key_set.close()
    for one in (*waiting, consumer.key_set.warm(), consumer.key_set.key(key.kid)):
        with pytest.raises(KeySetUnavailableError, match="was closed"):
            await one
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert consumer.fetches == 1
    await consumer.key_set.close()


def test_a_machine_that_sleeps_makes_the_set_older() -> None:
    """Else a key that was pulled meanwhile would be good for as long again. Elsewhere the clock of sleeps is ahead."""
    program = (
        "import time; from argus.sdk.jwks import RemoteKeySet as Set\n"
        "print(Set('https://id.example.com/keys')._now() - time.monotonic())"
    )
    asleep = ["unshare", "--user", "--time", "--boottime", "86400", "--", sys.executable]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*asleep, "-c", ""], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs Linux and the right to make a time namespace")
    done = subprocess.run([*asleep, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert float(done.stdout) > 80_000


def test_times_fit_each_other() -> None:
    for wrong in (
        {"fresh": timedelta(0)},
        {"fresh": timedelta(minutes=2), "stale": timedelta(minutes=1)},
        {"pause": timedelta(0)},
    ):
        with pytest.raises(ValueError, match="fresh and pause"):
            KeySetTimes(**wrong)
