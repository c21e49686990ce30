"""One token that many callers use, renewed ahead of its end: by one of them, for all.

A token is renewed at a random point between 50 and 95 % of its life, so that the tokens of many processes that started
together do not end together, and so that a thief who renews the same token is noticed (docs/concepts/rotation.md). Its
life is what the issuer said (`expires_in`), counted from before it was asked by a clock that nothing moves: that the
time of day is wrong on this machine changes nothing. Callers go on with a living token while it is renewed, and while
that fails.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from argus.sdk.clock import elapsed

__all__ = ["Grant", "RenewalOverError", "RenewalUnavailableError", "RenewingToken", "TokenSource", "TransientError"]

log = logging.getLogger(__name__)

_RANDOM: Final = random.SystemRandom()
_EARLIEST: Final = 0.5
_LATEST: Final = 0.95
# Part of the life at whose end the token is given to nobody any more: it has to arrive.
_MARGIN: Final = 0.02
_LONGEST_MARGIN: Final = 2.0
# A token is replaced at a server's word after so long at the earliest.
_LEAST_USE: Final = 10.0
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A token, and how long it lives from when it was asked for."""

    access_token: str = field(repr=False)
    expires_in: timedelta


class TransientError(Exception):
    """No new token now, and perhaps one later: nothing was decided about the old one.

    Attributes:
        retry_after: When to ask again at the earliest, if that was said.
    """

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RenewalUnavailableError(Exception):
    """There is no living token, and none to be had now: an outage, to be tried again.

    Attributes:
        retry_after: When the next attempt is made.
    """

    def __init__(self, message: str, *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RenewalOverError(Exception):
    """There will be no further token of this source: asking again changes nothing."""


class TokenSource(Protocol):
    """Gives an access token that is good for a moment yet."""

    async def token(self) -> str:
        """The token.

        Raises:
            RenewalUnavailableError: None is to be had now.
            RenewalOverError: None will be had any more.
        """

    def refused(self, token: str) -> None:
        """Says that a server did not take the token: the next caller is given another one, if that was still it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    token: str = field(repr=False)
    given_at: float
    renew_at: float
    good_until: float


class RenewingToken:
    """Keeps one token. Belongs to the event loop that it is first used in."""

    def __init__(
        self,
        renew: Callable[[], Awaitable[Grant]],
        *,
        now: Callable[[], float] = elapsed,
        uniform: Callable[[float, float], float] = _RANDOM.uniform,
    ) -> None:
        """Asks for nothing yet.

        Args:
            renew: Asks for a new token; raises TransientError, or RenewalOverError. Never called twice at a time, and
                never cancelled by a caller that goes away.
            now: Seconds by a clock that nothing moves or stops.
            uniform: A random number between two.
        """
        self._renew = renew
        self._now = now
        self._uniform = uniform
        self._held: _Held | None = None
        self._over: RenewalOverError | None = None
        self._flight: asyncio.Task[None] | None = None
        self._failures = 0
        self._cause = ""
        self._retry_at = float("-inf")
        self._is_closed = False

    async def token(self) -> str:
        """A token that is good for a moment yet.

        Raises:
            RenewalUnavailableError: None is to be had now.
            RenewalOverError: None will be had any more.
        """
        self._check_going_on()
        now = self._now()
        if (self._held is None or now >= self._held.renew_at) and now >= self._retry_at:
            flight = self._start()
            if self._living() is None:
                # Whoever goes away takes it from nobody.
                await asyncio.wait([flight])
                self._check_going_on()
        if (living := self._living()) is None:
            raise self._unavailable()
        return living.token

    def give(self, grant: Grant, *, asked_at: float) -> None:
        """Puts a token into the place of the one before.

        Args:
            grant: The token.
            asked_at: When it was asked for, by `now`: its life began later.
        """
        life = grant.expires_in.total_seconds()
        margin = min(_MARGIN * life, _LONGEST_MARGIN)
        self._held = _Held(
            token=grant.access_token,
            given_at=self._now(),
            renew_at=asked_at + life * self._uniform(_EARLIEST, _LATEST),
            good_until=asked_at + life - margin,
        )
        self._over, self._failures, self._retry_at = None, 0, float("-inf")

    def refused(self, token: str) -> None:
        """Says that a server did not take the token: it is given to nobody any more, unless it is quite new.

        Else a server that takes none of them would have a new one made for every call.
        """
        held = self._held
        if held is not None and held.token == token and self._now() >= held.given_at + _LEAST_USE:
            self._held = None

    async def close(self) -> None:
        """Gives no further token. Waits for a renewal under way: its answer may be the only copy of what comes next."""
        self._is_closed = True
        if self._flight is not None:
            await asyncio.wait([self._flight])

    def _check_going_on(self) -> None:
        if self._over is not None:
            raise self._over
        if self._is_closed:
            raise RenewalOverError("the token source was closed")

    def _living(self) -> _Held | None:
        held = self._held
        return held if held is not None and self._now() < held.good_until else None

    def _start(self) -> asyncio.Task[None]:
        """The renewal under way, or a new one."""
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._fly(), name="argus.sdk.renewal")
        return self._flight

    async def _fly(self) -> None:
        asked_at = self._now()
        try:
            grant = await self._renew()
        except RenewalOverError as error:
            self._over = error
        except (TransientError, RenewalUnavailableError) as error:
            self._failed(str(error), error.retry_after)
        except Exception as error:
            # A defect of a caller's own hook, or of ours: neither ends a session.
            log.exception("a token could not be renewed")
            self._failed(type(error).__name__, None)
        else:
            self.give(grant, asked_at=asked_at)
            if self._living() is None:
                self._failed("it was over before it arrived", None)

    def _failed(self, cause: str, retry_after: timedelta | None) -> None:
        self._failures += 1
        self._cause = cause
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 16))
        # Not all at once when the server comes back; and its own word counts where it is longer.
        pause = max(pause * self._uniform(0.5, 1.0), retry_after.total_seconds() if retry_after else 0.0)
        self._retry_at = self._now() + pause
        log.warning("no new token, %d times in a row, next attempt in %.1f s: %s", self._failures, pause, cause)

    def _unavailable(self) -> RenewalUnavailableError:
        wait = timedelta(seconds=max(0.0, self._retry_at - self._now()))
        return RenewalUnavailableError(f"no token to be had: {self._cause or 'refused'}", retry_after=wait)
