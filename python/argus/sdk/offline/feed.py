"""Follows Argus's stream of what is over, and knows at every moment how old its news are.

How old is counted by a clock of this machine that nothing moves, and never by when a message arrived: one that waited
in a network, or in a process that was stopped, was true when it was sent. Argus says with each message of when it is
(`state_time`). The first one of a stream is read after the stream was asked for; a later one is as much newer than
that moment as it is newer than the first, at least (docs/adr/0025). No time of day of two machines is compared.
"""

import asyncio
import enum
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from argus.base.limits import NEWS_BOUND
from argus.sdk.clock import elapsed
from argus.sdk.errors import VerifierUnavailableError
from argus.sdk.offline.revocations import RevocationList
from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.renewal import RenewalUnavailableError
from argus.v1 import revocation_service_pb2 as pb
from argus.v1.revocation_service_pb2_grpc import RevocationServiceStub

__all__ = ["FeedTimes", "OnSilence", "RevocationFeed"]

log = logging.getLogger(__name__)

_MOST: Final = 1_000_000
_NANOS: Final = 1e9
# Heartbeats that may be missing before a stream counts as dead.
_MISSED: Final = 3
_FIRST_PAUSE: Final = 0.1
# By how much two clocks drift apart during a stream.
_DRIFT: Final = 0.25
_RESUME_TOKEN: Final = 4096


class OnSilence(enum.Enum):
    """What becomes of tokens while the news are older than the bound."""

    FAIL_CLOSED = "fail_closed"
    """Whether they are good is unknown: 503, UNAVAILABLE."""
    FAIL_OPEN = "fail_open"
    """They are good unless the news that there are say otherwise; `Verified.staleness` says how old those are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTimes:
    """How long things may take.

    Attributes:
        bound: Oldest news that are gone by: an end is noticed so long after it at the latest, or `OnSilence` decides.
        connect: Longest wait for the first message of a stream.
        stream: Longest life of a stream; then another one goes on, and clocks that drift apart are set anew.
        pause: Longest pause before connecting anew.
    """

    bound: timedelta = NEWS_BOUND
    connect: timedelta = timedelta(seconds=3)
    stream: timedelta = timedelta(minutes=15)
    pause: timedelta = timedelta(seconds=2)

    def __post_init__(self) -> None:
        if min(self.bound, self.connect, self.stream, self.pause) <= timedelta(0):
            raise ValueError("all times must be longer than nothing")


class RevocationFeed:
    """What is over in one tenant, as a `Standing`. Belongs to the event loop that it is entered in."""

    def __init__(
        self,
        connect: Callable[[], grpc.aio.Channel],
        *,
        tenant_id: str,
        on_silence: OnSilence = OnSilence.FAIL_CLOSED,
        times: FeedTimes = FeedTimes(),
        most: int = _MOST,
        now: Callable[[], float] = elapsed,
    ) -> None:
        """Connects to nothing yet.

        Args:
            connect: Makes a channel to Argus with the service's token on its calls, which needs the scope
                `revocations.read`. A stream that went silent may have a dead connection under it, so each has its own.
            tenant_id: Tenant whose tokens are verified.
            on_silence: What becomes of tokens while the news are too old.
            times: How long things may take.
            most: Most entries held. If Argus tells of more, the news count as too old.
            now: Seconds by a clock that nothing moves or stops.
        """
        self._connect = connect
        self._parent = f"tenants/{tenant_id}"
        self._fails_open = on_silence is OnSilence.FAIL_OPEN
        self._times = times
        self._bound = times.bound.total_seconds()
        self._now = now
        self._list = RevocationList(most=most)
        self._resume_token = ""
        # At least as new as this moment of `now` is what is held.
        self._as_of = float("-inf")
        self._state_time: datetime | None = None
        self._cause = "not connected yet"
        self._failures = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begins to follow; waits for nothing."""
        self._task = asyncio.create_task(self._follow(), name="argus.sdk.revocations")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Follows no longer; what is held gets old."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def __len__(self) -> int:
        """How many entries are held."""
        return len(self._list)

    @property
    def staleness(self) -> timedelta | None:
        """How old the news are at the most; None: there are none, or not all of them."""
        if self._state_time is None or not self._list.is_whole:
            return None
        return timedelta(seconds=max(0.0, self._now() - self._as_of))

    async def warm(self) -> None:
        """Waits until the news are new enough.

        Raises:
            VerifierUnavailableError: They are not within the bound.
        """
        try:
            async with asyncio.timeout(self._bound):
                while not self._is_fresh():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise self._unavailable() from None

    def check(self, kid: str, claims: dict[str, Any]) -> tuple[datetime | None, timedelta | None]:
        """Refuses a token that is over; else of when that is known, and how old it is.

        Raises:
            TokenRefusedError: It is over.
            VerifierUnavailableError: What is known is older than the bound, and the feed fails closed.
        """
        # What is over stays over, however old that news is.
        self._list.check(kid, claims)
        staleness = self.staleness
        if not self._fails_open and (staleness is None or staleness > self._times.bound):
            raise self._unavailable()
        return (None, None) if staleness is None else (self._state_time, staleness)

    def _is_fresh(self) -> bool:
        staleness = self.staleness
        return staleness is not None and staleness <= self._times.bound

    def _unavailable(self) -> VerifierUnavailableError:
        known = "not all known" if not self._list.is_whole else f"not known within {self._bound:g} s"
        return VerifierUnavailableError(
            f"which sessions have ended is {known}: {self._cause}", retry_after=timedelta(seconds=1)
        )

    async def _follow(self) -> None:
        """One stream after the other, for ever."""
        while True:
            wait = 0.0
            try:
                await self._watch()
            except grpc.RpcError as error:
                told = Told.by(error)
                self._failed(f"{told.code.name} {told.reason}".rstrip())
                wait = told.retry_after.total_seconds() if told.retry_after else 0.0
            except RenewalUnavailableError as error:
                self._failed(str(error))
                wait = error.retry_after.total_seconds()
            except TimeoutError:
                self._failed("the stream is silent")
            except Exception as error:
                log.exception("the revocation stream can't be read")
                self._failed(type(error).__name__)
            longest = self._times.pause.total_seconds()
            pause = min(longest, _FIRST_PAUSE * 2 ** min(max(self._failures - 1, 0), 16))
            await asyncio.sleep(max(min(wait, longest), pause * random.uniform(0.5, 1.0)))  # noqa: S311 - no secret

    def _failed(self, cause: str) -> None:
        self._failures += 1
        if self._failures > 1 or cause != self._cause:
            log.warning("revocation stream of %s ended, %d in a row: %s", self._parent, self._failures, cause)
        self._cause = cause

    async def _watch(self) -> None:
        """One stream, until it ends, is silent, or is old."""
        channel = self._connect()
        try:
            request = pb.WatchRevocationsRequest(parent=self._parent, resume_token=self._resume_token)
            asked_at = self._now()
            call: Any = RevocationServiceStub(channel).WatchRevocations(request)
            patience, first = self._times.connect.total_seconds(), None
            while self._now() - asked_at < self._times.stream.total_seconds():
                async with asyncio.timeout(patience):
                    message = await call.read()
                if message is grpc.aio.EOF:
                    return
                if first is None and message.HasField("state_time"):
                    first = _seconds(message.state_time)
                if not self._take(message, asked_at, first):
                    return
                patience = _MISSED * message.heartbeat_interval.ToTimedelta().total_seconds()
        finally:
            await channel.close()

    def _take(self, message: pb.WatchRevocationsResponse, asked_at: float, first: float | None) -> bool:
        """Takes what a message says; false if the stream's clock can't be gone by any more."""
        self._list.add(message.revocations)
        if message.resume_token and len(message.resume_token) <= _RESUME_TOKEN:
            self._resume_token = message.resume_token
        if first is None or not message.HasField("state_time"):
            return True
        state = _seconds(message.state_time)
        now = self._now()
        as_of = asked_at + state - first
        if as_of > now + _DRIFT:
            # Argus's clock was set forward; with another stream it is right again.
            return False
        self._as_of = max(self._as_of, min(as_of, now))
        told = datetime.fromtimestamp(state, UTC)
        self._state_time = told if self._state_time is None else max(told, self._state_time)
        self._failures, self._cause = 0, "the news are late"
        self._list.trim(min(state, time.time()))
        self._news.set()
        # It was set back, perhaps, if the stream is not as young; a way that is slow stays slow.
        return now - as_of <= self._bound or now - asked_at <= self._bound


def _seconds(timestamp: Timestamp) -> float:
    return float(timestamp.seconds) + timestamp.nanos / _NANOS
