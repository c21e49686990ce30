"""The keys of an issuer, by name, as its key set says (RFC 7517): fetched seldom, and never by a token's wish.

The set is asked for anew when it is old, and when a token names a key that is not in it. Whoever sends tokens can
therefore make no more fetches than one in `KeySetTimes.pause`. A key that the issuer has pulled is refused
`KeySetTimes.fresh` later at the latest while the issuer answers, and `KeySetTimes.stale` later if it does not.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from argus._core import PublicKey, read_key_set
from argus.sdk.clock import elapsed
from argus.sdk.fetch import Fetcher, FetchFailedError

__all__ = ["KeySetError", "KeySetTimes", "KeySetUnavailableError", "KeyUnknownError", "PublicKey", "RemoteKeySet"]

log = logging.getLogger(__name__)

_LONGEST_NAME: Final = 256
_MOST_UNKNOWN: Final = 1024
_FIRST_RETRY: Final = 1.0
# Part of the fresh time after which a new set is fetched while callers still use the old one.
_EARLY: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySetTimes:
    """How long a key set is used.

    Attributes:
        fresh: Longest use of a set that the issuer was not asked about again.
        stale: Longest use of a set while the issuer does not answer.
        pause: Least time between two fetches because of names that are not in the set.
    """

    fresh: timedelta = timedelta(minutes=5)
    stale: timedelta = timedelta(hours=1)
    pause: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        if not timedelta(0) < self.fresh <= self.stale or self.pause <= timedelta(0):
            raise ValueError("fresh and pause must be longer than nothing, and stale not shorter than fresh")


class KeySetError(Exception):
    """No key is given.

    Attributes:
        retry_after: When another answer can come at the earliest.
    """

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class KeySetUnavailableError(KeySetError):
    """The issuer's keys can't be known now: an outage, which says nothing about any token."""


class KeyUnknownError(KeySetError):
    """The issuer has published no key of this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A set, and when it was asked for: what was pulled after that moment is still in it."""

    keys: Mapping[str, PublicKey]
    asked_at: float
    refused: frozenset[tuple[str, str]]


@dataclass(slots=True, kw_only=True)
class _Attempts:
    """How fetching went lately.

    Attributes:
        last_at: When the last fetch began.
        failures: How many failed since the last that did not.
        cause: Why the last one failed.
        retry_at: When the next one may begin after a failure.
    """

    last_at: float = float("-inf")
    failures: int = 0
    cause: str = ""
    retry_at: float = float("-inf")


class RemoteKeySet:
    """The key set at one address. Belongs to the event loop that it is first used in."""

    def __init__(
        self,
        url: str,
        *,
        fetcher: Fetcher | None = None,
        times: KeySetTimes = KeySetTimes(),
        now: Callable[[], float] = elapsed,
    ) -> None:
        """Fetches nothing yet.

        Args:
            url: Where the set is; comes from configuration or discovery, never from a token.
            fetcher: Fetches it; by default over HTTPS alone.
            times: How long it is used.
            now: Seconds by a clock that nothing moves or stops.

        Raises:
            ValueError: The address is one that is never fetched.
        """
        self.url = url
        self._fetcher = fetcher or Fetcher()
        self._fetcher.check(url)
        self._fresh = times.fresh.total_seconds()
        self._stale = times.stale.total_seconds()
        self._pause = times.pause.total_seconds()
        self._now = now
        self._held: _Held | None = None
        self._attempts = _Attempts()
        # By name: until when it is not asked for, and how long that was.
        self._unknown: dict[str, tuple[float, float]] = {}
        self._flight: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def age(self) -> timedelta | None:
        """How long ago the set in use was asked for; None: there is none."""
        return None if self._held is None else timedelta(seconds=self._now() - self._held.asked_at)

    async def warm(self) -> None:
        """Fetches the set if it has to be, so that the first token does not wait for it.

        Raises:
            KeySetUnavailableError: It can't be had, or was closed.
        """
        await self._current()

    async def key(self, kid: str) -> PublicKey:
        """The key of this name.

        Raises:
            KeyUnknownError: The issuer has published none of this name.
            KeySetUnavailableError: That can't be known now, or the set was closed.
        """
        held = await self._current()
        if kid not in held.keys and self._may_ask_for(kid):
            held = await self._ask_for(kid, held)
        if (found := held.keys.get(kid)) is None:
            raise self._fault(kid)
        return found

    async def close(self) -> None:
        """Ends a fetch under way; whoever waits for it, and whoever asks from now on, is told so."""
        self._is_closed = True
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.gather(self._flight, return_exceptions=True)

    async def _current(self) -> _Held:
        """The set, fetched anew if it is old and the issuer answers."""
        if self._is_closed:
            raise self._unavailable()
        now, attempts = self._now(), self._attempts
        age = float("inf") if self._held is None else now - self._held.asked_at
        if age >= _EARLY * self._fresh and now >= attempts.retry_at:
            # Callers don't wait for an issuer that has just been away, if there is a set to go on with.
            is_away = attempts.failures > 0 and now - attempts.last_at < 2 * self._pause
            flight = self._start()
            if age >= (self._stale if is_away else self._fresh):
                await self._wait_for(flight)
        if self._held is None or self._now() - self._held.asked_at >= self._stale:
            raise self._unavailable()
        return self._held

    def _may_ask_for(self, kid: str) -> bool:
        """Whether an unknown name may have the set fetched, or wait for a fetch that goes on anyway."""
        now = self._now()
        if not 1 <= len(kid) <= _LONGEST_NAME or now < self._unknown.get(kid, (now, 0.0))[0]:
            return False
        return self._is_fetching or now - self._attempts.last_at >= self._pause

    async def _ask_for(self, kid: str, held: _Held) -> _Held:
        await self._wait_for(self._start())
        held = self._held or held
        if kid not in held.keys and not self._attempts.failures:
            self._forget(kid)
        return held

    def _forget(self, kid: str) -> None:
        """A name that is asked for again and again is asked for less and less."""
        _, before = self._unknown.pop(kid, (0.0, self._pause / 2))
        while len(self._unknown) >= _MOST_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        span = min(2 * before, max(self._fresh, self._pause))
        self._unknown[kid] = (self._now() + span, span)

    def _fault(self, kid: str) -> KeySetError:
        if self._attempts.failures:
            return self._unavailable()
        until = max(self._attempts.last_at + self._pause, self._unknown.get(kid, (0.0, 0.0))[0])
        return KeyUnknownError("the issuer has published no such key", retry_after=self._until(until))

    def _unavailable(self) -> KeySetUnavailableError:
        retry_at = self._attempts.retry_at
        cause = "the key set was closed" if self._is_closed else self._attempts.cause
        return KeySetUnavailableError(f"the issuer's keys can't be had: {cause}", retry_after=self._until(retry_at))

    def _until(self, moment: float) -> timedelta:
        return timedelta(seconds=max(0.0, moment - self._now()))

    @property
    def _is_fetching(self) -> bool:
        return self._flight is not None and not self._flight.done()

    def _start(self) -> asyncio.Task[None]:
        """The fetch under way, or a new one."""
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._load(), name="argus.sdk.jwks")
        return self._flight

    async def _wait_for(self, flight: asyncio.Task[None]) -> None:
        """Waits for the end of a fetch: a caller that goes away takes it from nobody."""
        await asyncio.wait([flight])
        if self._is_closed:
            raise self._unavailable()
        flight.result()

    async def _load(self) -> None:
        attempts = self._attempts
        # What the answer says may be as old as the question.
        attempts.last_at = asked_at = self._now()
        try:
            keys, left_out = read_key_set(await self._fetcher.get(self.url))
        except (FetchFailedError, ValueError) as error:
            attempts.failures += 1
            attempts.cause = str(error)
            attempts.retry_at = self._now() + min(self._pause, _FIRST_RETRY * 2 ** min(attempts.failures - 1, 16))
            log.warning("key set %s not fetched, %d in a row: %s", self.url, attempts.failures, error)
            return
        attempts.failures, attempts.retry_at = 0, float("-inf")
        refused = frozenset(left_out)
        if refused and (self._held is None or refused != self._held.refused):
            log.warning("keys of %s left out (name, why): %r", self.url, sorted(refused))
        self._held = _Held(keys=keys, asked_at=asked_at, refused=refused)
