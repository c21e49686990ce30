"""A token that many use is renewed ahead of its end, by one for all, and an outage takes it from nobody."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from argus.sdk.tokens.renewal import (
    Grant,
    RenewalOverError,
    RenewalUnavailableError,
    RenewingToken,
    TransientError,
)

LIFE = 300.0


class Issuer:
    """Gives tokens 1, 2, 3, or what it is told to raise, once `may_answer` is set; its time is told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asked = 0
        self.life = LIFE
        self.slow = 0.0
        self.fault: Exception | None = None
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.points: list[tuple[float, float]] = []
        self.source = RenewingToken(self._renew, now=lambda: self.now, uniform=self._uniform)

    async def _renew(self) -> Grant:
        self.asked += 1
        self.was_asked.set()
        await self.may_answer.wait()
        self.now += self.slow
        if self.fault is not None:
            raise self.fault
        return Grant(access_token=f"token {self.asked}", expires_in=timedelta(seconds=self.life))

    def _uniform(self, low: float, high: float) -> float:
        self.points.append((low, high))
        return (low + high) / 2

    async def settled(self) -> None:
        """Waits for a renewal under way."""
        assert self.source._flight is not None
        await self.source._flight


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    one = Issuer()
    yield one
    one.may_answer.set()
    await one.source.close()


async def test_all_callers_share_one_renewal(issuer: Issuer) -> None:
    issuer.may_answer.clear()
    callers = [asyncio.create_task(issuer.source.token()) for _ in range(100)]
    await issuer.was_asked.wait()
    # One that goes away takes it from nobody.
    callers[0].cancel()
    issuer.may_answer.set()
    assert await asyncio.gather(*callers[1:]) == ["token 1"] * 99
    assert issuer.asked == 1
    assert callers[0].cancelled()


async def test_a_caller_that_is_alone_and_goes_away_does_not_lose_the_answer(issuer: Issuer) -> None:
    issuer.may_answer.clear()
    caller = asyncio.create_task(issuer.source.token())
    await issuer.was_asked.wait()
    caller.cancel()
    await asyncio.wait([caller])
    issuer.may_answer.set()
    await issuer.settled()
    assert await issuer.source.token() == "token 1"
    assert issuer.asked == 1


async def test_renewal_begins_at_a_random_point_of_the_life(issuer: Issuer) -> None:
    await issuer.source.token()
    assert issuer.points == [(0.5, 0.95)]
    issuer.now += LIFE * 0.724
    assert await issuer.source.token() == "token 1"
    assert issuer.asked == 1
    issuer.now += LIFE * 0.002
    # Callers go on with the one that lives while the next is got.
    issuer.may_answer.clear()
    assert await issuer.source.token() == "token 1"
    assert await issuer.source.token() == "token 1"
    issuer.may_answer.set()
    await issuer.settled()
    assert await issuer.source.token() == "token 2"
    assert issuer.asked == 2


async def test_points_are_spread_over_45_percent_of_the_life() -> None:
    async def renew() -> Grant:
        return Grant(access_token="t", expires_in=timedelta(seconds=LIFE))

    points = []
    for _ in range(400):
        source = RenewingToken(renew, now=lambda: 0.0)
        await source.token()
        assert source._held is not None
        points.append(source._held.renew_at / LIFE)
    assert 0.5 <= min(points) < 0.52
    assert 0.93 < max(points) <= 0.95
    assert 0.68 < sum(points) / 400 < 0.77


async def test_the_life_counts_from_the_question(issuer: Issuer) -> None:
    """Of how long the answer was on its way nobody knows which part was before the token was made."""
    issuer.slow = 100.0
    await issuer.source.token()
    issuer.slow = 0.0
    issuer.now += LIFE - 100.0 - 1.0
    assert await issuer.source.token() == "token 2"


async def test_the_time_of_day_changes_nothing(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    await issuer.source.token()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert await issuer.source.token() == "token 1"
    assert issuer.asked == 1


async def test_an_outage_is_hidden_while_the_token_lives_and_told_as_one_afterwards(issuer: Issuer) -> None:
    await issuer.source.token()
    issuer.fault = TransientError("UNAVAILABLE")
    issuer.now += LIFE * 0.8
    for _ in range(200):
        assert await issuer.source.token() == "token 1"
        await issuer.settled()
    # Not once for every call.
    assert issuer.asked == 2
    for _ in range(60):
        issuer.now += 1.0
        with_living = issuer.now < 1000.0 + LIFE - 2.0
        if with_living:
            assert await issuer.source.token() == "token 1"
            await issuer.settled()
    issuer.now = 1000.0 + LIFE
    with pytest.raises(RenewalUnavailableError) as told:
        await issuer.source.token()
    assert timedelta(0) <= told.value.retry_after <= timedelta(seconds=20)
    assert "UNAVAILABLE" in str(told.value)
    asked = issuer.asked
    assert asked < 15
    issuer.fault = None
    issuer.now += told.value.retry_after.total_seconds()
    assert (await issuer.source.token()).startswith("token")


async def test_the_servers_own_word_is_heeded(issuer: Issuer) -> None:
    issuer.fault = TransientError("OVERLOADED", retry_after=timedelta(seconds=40))
    with pytest.raises(RenewalUnavailableError) as told:
        await issuer.source.token()
    assert told.value.retry_after == timedelta(seconds=40)
    issuer.now += 39.9
    with pytest.raises(RenewalUnavailableError):
        await issuer.source.token()
    assert issuer.asked == 1


async def test_an_end_is_an_end(issuer: Issuer) -> None:
    await issuer.source.token()
    issuer.fault = RenewalOverError("ended")
    issuer.now += LIFE * 0.8
    await issuer.source.token()
    await issuer.settled()
    for _ in range(10):
        with pytest.raises(RenewalOverError):
            await issuer.source.token()
        issuer.now += 1000.0
    assert issuer.asked == 2


async def test_a_defect_of_the_owner_is_an_outage_and_no_end(issuer: Issuer) -> None:
    issuer.fault = ZeroDivisionError("the owner's")
    with pytest.raises(RenewalUnavailableError):
        await issuer.source.token()
    issuer.fault = None
    issuer.now += 1.0
    assert await issuer.source.token() == "token 2"


@pytest.mark.parametrize("life", [0.0, -1.0, 0.05])
async def test_a_token_that_is_over_when_it_comes_is_not_asked_for_again_at_once(issuer: Issuer, life: float) -> None:
    issuer.life, issuer.slow = life, 0.1
    for _ in range(50):
        with pytest.raises(RenewalUnavailableError):
            await issuer.source.token()
    assert issuer.asked <= 2


async def test_a_token_that_a_server_refuses_is_replaced_but_not_for_every_call(issuer: Issuer) -> None:
    first = await issuer.source.token()
    issuer.source.refused(first)
    assert await issuer.source.token() == first
    issuer.now += 11.0
    issuer.source.refused("another")
    assert await issuer.source.token() == first
    issuer.source.refused(first)
    assert await issuer.source.token() == "token 2"


async def test_closing_waits_for_the_answer(issuer: Issuer) -> None:
    issuer.may_answer.clear()
    caller = asyncio.create_task(issuer.source.token())
    await issuer.was_asked.wait()
    closing = asyncio.create_task(issuer.source.close())
    await asyncio.sleep(0)
    assert not closing.done()
    issuer.may_answer.set()
    await closing
    with pytest.raises(RenewalOverError):
        await caller
    assert issuer.source._held is not None
