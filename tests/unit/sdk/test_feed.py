"""What is over is known, and how old that is: by when it was asked for, and by what Argus's clock says since."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest

from argus.sdk.errors import TokenRefusedError, VerifierUnavailableError
from argus.sdk.offline.feed import FeedTimes, OnSilence, RevocationFeed
from argus.sdk.offline.revocations import RevocationList
from argus.v1 import revocation_service_pb2 as pb
from tests.support.teller import Teller, claims, revocation, telling

BOUND = 5.0
PATIENCE_SECONDS = 30


class Scene:
    """A feed whose time is told, and what tells it."""

    def __init__(self, teller: Teller, address: str, **changes: Any) -> None:
        self.now = 1000.0
        self.teller = teller
        self.feed = RevocationFeed(
            lambda: grpc.aio.insecure_channel(address), tenant_id="acme", now=lambda: self.now, **changes
        )

    def check(self, **changes: Any) -> float | None:
        """How old the news are that a token is good by."""
        _, staleness = self.feed.check("key", claims(**changes))
        return None if staleness is None else staleness.total_seconds()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits for what a message does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                self.feed._news.clear()
                await self.feed._news.wait()

    async def tell(self, *revocations: pb.Revocation) -> None:
        """Something is told, and has arrived."""
        before = self.feed._state_time
        self.teller.tell(*revocations)
        await self.until(lambda: self.feed._state_time != before)


@asynccontextmanager
async def scene(**changes: Any) -> AsyncIterator[Scene]:
    """A feed that follows."""
    teller = Teller()
    async with telling(teller) as address:
        one = Scene(teller, address, **changes)
        async with one.feed:
            await one.feed.warm()
            yield one


def both_later(one: Scene, seconds: float) -> None:
    """Time goes by, here and there."""
    one.now += seconds
    one.teller.ahead += seconds


@pytest.mark.parametrize(
    ("kind", "subject", "refused", "good"),
    [
        ("SESSION", "s", {"at": 50.0}, {"sid": "another"}),
        ("USER", "u", {"at": 10.0}, {"at": 11.0}),
        ("CLIENT", "c", {"at": 10.0}, {"at": 11.0}),
        ("TENANT", "", {"at": 10.0}, {"at": 11.0}),
        ("USER", "u", {"at": 9.0}, {"sub": "another"}),
    ],
)
async def test_each_kind_is_about_its_tokens(kind: str, subject: str, refused: Any, good: Any) -> None:
    async with scene() as one:
        assert one.check(**refused) == 0.0
        one.teller.ahead += 0.001
        await one.tell(revocation(kind, subject, at=10.4))
        with pytest.raises(TokenRefusedError) as told:
            one.check(**refused)
        assert told.value.reason == "SESSION_ENDED"
        one.check(**good)


async def test_a_client_token_has_no_session_to_end() -> None:
    async with scene() as one:
        one.teller.ahead += 0.001
        await one.tell(revocation("SESSION", "s"))
        without = claims()
        del without["sid"]
        one.feed.check("key", without)


async def test_a_pulled_key_stays_pulled() -> None:
    """Whoever has it makes tokens for ever."""
    async with scene() as one:
        one.teller.ahead += 0.001
        await one.tell(revocation("KEY", "key", expires=10.0))
        both_later(one, 1000.0)
        await one.tell()
        with pytest.raises(TokenRefusedError, match="not good"):
            one.check()


async def test_entries_go_when_their_tokens_have_expired() -> None:
    async with scene() as one:
        one.teller.ahead += 0.001
        await one.tell(*(revocation("SESSION", f"s{number}", expires=10.0) for number in range(1000)))
        both_later(one, 5.0)
        await one.tell(revocation("SESSION", "s0", expires=20.0))
        assert len(one.feed) == 1000
        both_later(one, 7.0)
        await one.tell()
        # The one that was raised meanwhile is needed for longer.
        assert len(one.feed) == 1
        both_later(one, 10.0)
        await one.tell()
        assert len(one.feed) == 0
        assert not one.feed._list._by_end


async def test_more_than_fits_is_an_outage_and_no_yes() -> None:
    async with scene(most=3) as one:
        one.teller.ahead += 0.001
        await one.tell(*(revocation("SESSION", f"s{number}") for number in range(3)))
        one.check()
        one.teller.ahead += 0.001
        await one.tell(revocation("SESSION", "s3"))
        with pytest.raises(VerifierUnavailableError, match="not all"):
            one.check()


async def test_what_did_not_fit_is_missed_until_it_has_expired() -> None:
    """An outage that passes by itself; what there is room for again is held, and a pulled key always."""
    async with scene(most=2) as one:
        one.teller.ahead += 0.001
        ends = (100.0, 20.0, 10.0, 30.0)
        await one.tell(
            *(revocation("SESSION", f"s{end:.0f}", expires=end) for end in ends), revocation("KEY", "pulled")
        )
        both_later(one, 12.0)
        await one.tell()
        with pytest.raises(VerifierUnavailableError, match="not all"):
            one.check()
        with pytest.raises(TokenRefusedError):
            one.check(sid="s100")
        both_later(one, 18.0 + 1.001)
        await one.tell()
        assert one.check() == 0.0
        with pytest.raises(TokenRefusedError, match="not good"):
            one.feed.check("pulled", claims())


def test_a_kind_of_a_later_release_is_an_outage_and_no_yes() -> None:
    known = RevocationList(most=10)
    later = revocation("SESSION", "s")
    later.kind = 99  # type: ignore[assignment]  # of a later release
    known.add([later])
    assert not known.is_whole


async def test_news_get_old_and_then_decide_nothing() -> None:
    async with scene() as one:
        both_later(one, 3.0)
        assert one.check() == 3.0
        await one.tell()
        assert one.check() == 0.0
        both_later(one, BOUND)
        assert one.check() == BOUND
        both_later(one, 0.001)
        with pytest.raises(VerifierUnavailableError) as told:
            one.check()
        assert told.value.retry_after is not None


async def test_fail_open_goes_on_and_says_how_old_its_news_are() -> None:
    async with scene(on_silence=OnSilence.FAIL_OPEN) as one:
        one.teller.ahead += 0.001
        await one.tell(revocation("SESSION", "ended"))
        both_later(one, 3600.0)
        assert one.check() == pytest.approx(3600.0, abs=0.01)
        # What is over stays over, however old that news is.
        with pytest.raises(TokenRefusedError):
            one.check(sid="ended")


async def test_a_message_that_was_long_on_its_way_is_as_old_as_it_is() -> None:
    """It arrives now and is of a while ago: a network that delays, a process that was stopped."""
    async with scene() as one:
        one.now += 4.0
        one.teller.ahead += 1.0
        await one.tell()
        assert one.check() == pytest.approx(3.0)
        one.now += 3.0
        one.teller.ahead += 0.5
        await one.tell()
        with pytest.raises(VerifierUnavailableError):
            one.check()


async def test_arguss_clock_that_is_set_forward_makes_no_news_newer() -> None:
    """The stream is begun anew, and counts from then."""
    async with scene() as one:
        one.now += 2.0
        one.teller.ahead += 3600.0
        one.teller.tell()
        await one.teller.asked(2)
        await one.until(lambda: one.check() == 0.0)
        one.now += 3.0
        assert one.check() == 3.0


async def test_arguss_clock_that_is_set_back_is_noticed_within_the_bound() -> None:
    async with scene() as one:
        one.now += BOUND + 1.0
        one.teller.ahead -= 3600.0
        one.teller.tell()
        await one.teller.asked(2)
        await one.until(lambda: one.feed.staleness == timedelta(0))


async def test_a_stream_that_ends_is_gone_on_with() -> None:
    async with scene() as one:
        one.teller.ahead += 0.001
        await one.tell(revocation("SESSION", "ended"))
        one.teller.tell(token="the last")
        one.teller.ahead += 0.001
        one.teller.hang_up()
        await one.teller.asked(2)
        assert [request.resume_token for request in one.teller.requests] == ["", "the last"]
        assert one.teller.requests[0].parent == "tenants/acme"
        with pytest.raises(TokenRefusedError):
            one.check(sid="ended")


async def test_a_stream_that_is_silent_is_dead() -> None:
    teller = Teller()
    teller.heartbeat = 0.05
    async with telling(teller) as address:
        one = Scene(teller, address)
        async with one.feed:
            await one.feed.warm()
            await teller.asked(2)


async def test_without_the_whole_list_nothing_is_known() -> None:
    """Parts of a list say what they say, and not that there is no more."""
    teller = Teller()
    teller.is_whole, teller.first = False, [revocation("SESSION", "ended")]
    async with telling(teller) as address:
        one = Scene(teller, address, times=FeedTimes(bound=timedelta(seconds=0.3)))
        async with one.feed:
            with pytest.raises(VerifierUnavailableError):
                await one.feed.warm()
            with pytest.raises(TokenRefusedError):
                one.check(sid="ended")
            with pytest.raises(VerifierUnavailableError):
                one.check()


async def test_nobody_there_is_an_outage() -> None:
    feed = RevocationFeed(
        lambda: grpc.aio.insecure_channel("127.0.0.1:1"),
        tenant_id="acme",
        times=FeedTimes(bound=timedelta(seconds=0.3)),
    )
    async with feed:
        with pytest.raises(VerifierUnavailableError, match="UNAVAILABLE"):
            await feed.warm()


def test_times_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        FeedTimes(bound=timedelta(0))
