"""A session of the past as it would have gone under other policies: its deadlines, as far as they can be known.

Uses are known from events: beginnings, refreshes, steps up. A token that was made by one of them may have been used,
too, until it expired, and nothing says so: an idle deadline is known up to that. The arithmetic is that of the
functions in Redis (`rust_core/core/src/lua/deadlines.lua`, `limits.lua`); change one only with the other.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from argus.base.policy import Policy
from argus.sessions.model import EndReason, whole_second

_WRITES_IN_IDLE: Final = 20
"""Activity is written no more often than so many times in an idle time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedEnd:
    """When a session would have ended, and why.

    Attributes:
        first: At the earliest.
        last: At the latest.
        reason: Why; None: one of its deadlines, and it is not known which.
    """

    first: datetime
    last: datetime
    reason: EndReason | None


@dataclass(slots=True, kw_only=True)
class ReplayedSession:
    """A session under policies that were tried on it.

    Attributes:
        absolute: When it is over whatever its use.
        idle_first: When it is over without a further use, at the earliest.
        idle_last: At the latest: had its last token been used to the end.
        tokens_until: When the last of its access tokens expires.
        entry_idle: Longest time without a use that limits take it to have.
        entry_active: Last use that limits know at least.
        made: When its last refresh token was made.
        shortened: When a policy last brought its end nearer; None: none did.
        never_shorter: At no use it was given less time than it was in fact: while it lived, so it would have.
        never_longer: At none it was given more: it would have been over by then, as it was.
        end: When it would have ended; None: not by now.
    """

    session_id: str
    client_id: str
    device_type: str
    created: datetime
    absolute: datetime
    idle_first: datetime
    idle_last: datetime
    tokens_until: datetime
    entry_idle: timedelta
    entry_active: datetime
    made: datetime
    shortened: datetime | None = None
    never_shorter: bool = True
    never_longer: bool = True
    end: ReplayedEnd | None = None

    def use(self, at: datetime, policy: Policy, was: Policy | None, *, is_proof: bool = False) -> None:
        """It is used, by a refresh or by a proof of its user.

        Args:
            at: When.
            policy: What it lives by.
            was: What it lived by in fact; None: there it was not used.
            is_proof: Its user has proved itself anew.
        """
        counts = is_proof or policy.refresh_is_activity
        access = max(policy.access, was.access if was else policy.access)
        self.made, self.tokens_until = at, whole_second(at) + access
        if counts:
            self.idle_first = whole_second(at) + policy.idle
            self.idle_last = self.idle_first + unseen(access, policy.idle)
        else:
            self.idle_last = max(self.idle_last, self.tokens_until + policy.idle)
        if is_proof:
            self.entry_idle = min(self.idle_first, self.absolute) - whole_second(at)
            self.entry_active = whole_second(at)
        counted = was is not None and (is_proof or was.refresh_is_activity)
        if was is None or policy.idle > was.idle or (counts and not counted):
            self.never_longer = False
        if was is not None and (policy.idle < was.idle or (counted and not counts)):
            self.never_shorter = False

    def not_used(self) -> None:
        """It was used in fact, and would not have been."""
        self.never_shorter = False

    def follow(self, at: datetime, before: Policy, policy: Policy, was: Policy) -> None:
        """It goes on under another policy from an instant on, as it did under `was`."""
        absolute = whole_second(self.created) + policy.absolute
        if absolute < self.absolute:
            self.absolute, self.shortened = absolute, at
        if at >= self.tokens_until:
            return
        # A use of its last token would have been given the new time, and was.
        self.never_shorter = self.never_shorter and policy.idle >= was.idle
        self.never_longer = self.never_longer and policy.idle <= was.idle
        if policy.idle != before.idle:
            self.idle_first = min(self.idle_first, max(self.made, whole_second(at)) + policy.idle)
            self.idle_last = max(self.idle_last, self.tokens_until + policy.idle)

    def is_over(self, at: datetime) -> bool | None:
        """Whether a deadline has passed; None: that is not known."""
        if at < min(self.idle_first, self.absolute):
            return False
        return True if at >= min(self.idle_last, self.absolute) else None

    def over(self) -> ReplayedEnd:
        """How it ends if it is not used any more: not before a policy brought its end nearer."""
        first, last = (max(one, self.shortened or one) for one in (self.idle_first, self.idle_last))
        absolute = max(self.absolute, self.shortened or self.absolute)
        if self.absolute <= self.idle_first:
            return ReplayedEnd(first=absolute, last=absolute, reason=EndReason.ABSOLUTE_TIMEOUT)
        is_idle = self.idle_last < self.absolute
        return ReplayedEnd(first=first, last=min(last, absolute), reason=EndReason.IDLE_TIMEOUT if is_idle else None)

    def used(self, idle_deadline: datetime) -> datetime:
        """When it was used last in the eyes of limits, by its idle deadline."""
        if idle_deadline < self.absolute:
            told = idle_deadline - self.entry_idle
        else:
            told = max(self.absolute - self.entry_idle, whole_second(self.made))
        return max(told, self.entry_active)


def begin(
    session_id: str, client_id: str, device_type: str, created: datetime, *, policy: Policy, was: Policy
) -> ReplayedSession:
    """A session that begins.

    Args:
        session_id: Its id.
        client_id: Its client.
        device_type: What its device says it is.
        created: When.
        policy: What it is given.
        was: What it was given in fact.
    """
    begun = whole_second(created)
    access = max(policy.access, was.access)
    first = begun + policy.idle
    return ReplayedSession(
        session_id=session_id,
        client_id=client_id,
        device_type=device_type,
        created=created,
        absolute=begun + policy.absolute,
        idle_first=first,
        idle_last=first + unseen(access, policy.idle),
        tokens_until=begun + access,
        entry_idle=min(policy.idle, policy.absolute),
        entry_active=begun,
        made=created,
        never_shorter=policy.idle >= was.idle,
        never_longer=policy.idle <= was.idle,
    )


def unseen(access: timedelta, idle: timedelta) -> timedelta:
    """By how much uses that no event tells of may move an idle deadline, until the token has expired."""
    return access if access * _WRITES_IN_IDLE >= idle else timedelta(0)
