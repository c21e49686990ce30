"""Who calls, for whatever runs within a guarded call."""

from contextvars import ContextVar, Token
from typing import Final

from argus.sdk.model import Verified

__all__ = ["caller", "caller_or_none"]

_CALLER: Final[ContextVar[Verified | None]] = ContextVar("argus_caller", default=None)


def caller() -> Verified:
    """The verified token of the call that this runs in.

    Raises:
        LookupError: It runs in none, or in one that needs no token and has none.
    """
    found = _CALLER.get()
    if found is None:
        raise LookupError("no verified token: this does not run in a guarded call")
    return found


def caller_or_none() -> Verified | None:
    """The verified token of the call that this runs in, if there is one."""
    return _CALLER.get()


def enter(verified: Verified | None) -> Token[Verified | None]:
    """Says who calls; for guards."""
    return _CALLER.set(verified)


def leave(token: Token[Verified | None]) -> None:
    """Takes back what `enter` said."""
    _CALLER.reset(token)
