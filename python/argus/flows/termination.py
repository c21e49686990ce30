"""How far the end of a session, or of many, has come."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from argus.sessions.model import EndReason, Session


class TerminationState(StrEnum):
    """How far an end has come."""

    ENDED = "ended"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """The end of one session.

    Attributes:
        session: The session as PostgreSQL knows it; None while PostgreSQL is away.
        end_time: First moment at which it was over.
        reason: Why.
        operation: Id of the pending end; empty once it has ended.
    """

    session: Session | None
    end_time: datetime
    reason: EndReason
    state: TerminationState
    operation: str = ""

    @property
    def older_tokens_last(self) -> timedelta:
        """How long access tokens may be good that were made before it followed a tighter policy; 0: there are none."""
        until = self.session.tokens_until if self.session else None
        return max(until - self.end_time, timedelta()) if until else timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminations:
    """The ends of many sessions.

    Attributes:
        count: How many this call ended; 0 where that is not known yet.
        operation: Id of the pending ends; empty once they have ended.
    """

    count: int
    state: TerminationState
    operation: str = ""
