"""The plainest model of sessions: when each was used last, and whether it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.people import Person

IDLE, ABSOLUTE, LIMIT = timedelta(hours=1), timedelta(hours=4), 3
# A use moves the deadline only if that is by a twentieth of the gap; stores count whole seconds.
IDLE_STEP = IDLE / 20
ROUNDING = timedelta(seconds=2)


@dataclass(slots=True)
class ModelSession:
    """One session, as plainly as can be said."""

    name: str
    owner: int
    begun: datetime
    used: datetime
    device_token: str
    access: str
    access_until: datetime
    refresh_tokens: list[str]
    newest_made: datetime
    is_over: bool = False
    is_contested: bool = False

    @property
    def absolute(self) -> datetime:
        return self.begun + ABSOLUTE

    def surely_alive(self, time: datetime) -> bool:
        return not self.is_over and time < min(self.used + IDLE - IDLE_STEP, self.absolute) - ROUNDING

    def surely_over(self, time: datetime) -> bool:
        return self.is_over or time > min(self.used + IDLE, self.absolute) + ROUNDING


@dataclass(slots=True)
class ModelUser:
    """One user."""

    person: Person
    is_disabled: bool = False
    failures: int = 0
    device_failures: int = 0
