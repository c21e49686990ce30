"""How many failures are free, and how long the next try waits."""

from dataclasses import dataclass, replace
from datetime import timedelta
from math import ceil
from typing import Final

from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

CLOSING_FAILURES: Final = 100
"""At so many consecutive failures from unknown devices a password is closed to them (SP 800-63B-4, 3.2.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What failures under one key may cost.

    Attributes:
        free: Failures after which no try waits.
        first_wait: What the next one waits; it doubles with each further failure.
        longest_wait: Most that it grows to.
        forgiveness: After so long one failure is forgotten; None: only a success makes up for failures.
        memory: Failures are forgotten altogether after so long without any.
    """

    free: int
    first_wait: timedelta = timedelta(seconds=1)
    longest_wait: timedelta = timedelta(minutes=15)
    forgiveness: timedelta | None = None
    memory: timedelta


IDENTIFIER_BUDGET: Final = Budget(free=10, memory=timedelta(days=30))
"""For one identifier, known or not, from unknown devices; for each known device; for each session's step-ups. Where
no policy says otherwise."""


def lockout_budget(tries: int, lockout: timedelta) -> Budget:
    """The same where a policy sets it: so many failures, then a wait for each further try.

    Args:
        tries: Failures after which tries wait.
        lockout: What each waits; zero: a second, doubled up to a quarter of an hour.
    """
    usual = IDENTIFIER_BUDGET
    if not lockout:
        return replace(usual, free=tries)
    return replace(usual, free=tries, first_wait=lockout, longest_wait=max(lockout, usual.longest_wait))


CLIENT_BUDGET: Final = Budget(free=10, memory=timedelta(days=1))
"""For one client id from one address, so that nobody can keep a service out."""

ADDRESS_BUDGET: Final = Budget(free=30, forgiveness=timedelta(minutes=1), memory=timedelta(days=1))
"""For one address (or IPv6 network of 64 bits), behind which many may sit."""


ASKING_BUDGET: Final = Budget(free=20, forgiveness=timedelta(minutes=1), memory=timedelta(days=1))
"""Mails that may be asked for from one address (or IPv6 network of 64 bits)."""

MAIL_BUDGET: Final = Budget(
    free=3,
    first_wait=timedelta(minutes=10),
    longest_wait=timedelta(minutes=50),
    forgiveness=timedelta(minutes=20),
    memory=timedelta(days=1),
)
"""Mails that strangers may have sent to one recipient. The longest wait is shorter than a link lives: whoever gets no
further mail has one that is good, so that nobody is kept from it by those who ask in its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """A try that was let through and counted as a failure, until it is known to be none.

    Attributes:
        failures: Consecutive failures under its main key, with this one.
        budget: What they may cost.
        main_key: Key of the identifier, device or client.
        address_key: Key of the address; empty: it is not known.
    """

    failures: int
    budget: Budget
    main_key: bytes
    address_key: bytes = b""


class GuessingThrottledError(ArgusError):
    """Too many failures came before; the try was not looked at."""

    def __init__(self, wait: timedelta, *, what: str = "failures") -> None:
        seconds = max(1, ceil(wait.total_seconds()))
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            ErrorReason.ERROR_REASON_GUESSING_THROTTLED,
            f"too many {what}; try again in {seconds} s",
            retry_after=timedelta(seconds=seconds),
            retryAfterSeconds=seconds,
        )
