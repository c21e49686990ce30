"""What Redis answers to a session that asks for a place among its user's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any

from argus.sessions.index_entry import client_print
from argus.sessions.limits import LimitKind, Limits, ReachedLimit
from argus.sessions.model import epoch_seconds


class ReserveStatus(IntEnum):
    """Answer of `reserve`."""

    RESERVED = 0
    USER_STALE = 1
    LIMIT_REACHED = 2
    USER_DISABLED = 3
    CHOICE_NEEDED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Answer of `reserve`: whether there is a place, and whom it costs theirs.

    Attributes:
        time: When it was made, by the clock of Redis: reservations of a user come in this order.
        victims: Ids of those that make room, each with the kind of limit by which.
        reached: The limit that decides, where there is no place.
        surplus: How many sessions must be ended, where the user is to choose.
        choices: Ids of those that it may choose from.
    """

    status: ReserveStatus
    time: datetime
    lineage: bytes = b""
    victims: Mapping[str, LimitKind] = field(default_factory=dict)
    reached: ReachedLimit | None = None
    surplus: int = 0
    choices: Sequence[str] = ()


def reservation_of(answer: Sequence[Any], limits: Limits) -> Reservation:
    """What the function `reserve` has said."""
    status, time_ms, lineage, *more = answer
    status = ReserveStatus(status)
    made = Reservation(status=status, time=datetime.fromtimestamp(time_ms / 1000, UTC), lineage=lineage)
    if status is ReserveStatus.RESERVED:
        pairs = zip(more[::2], more[1::2], strict=True)
        return replace(made, victims={_text(victim): LimitKind(kind) for victim, kind in pairs})
    if status not in (ReserveStatus.LIMIT_REACHED, ReserveStatus.CHOICE_NEEDED):
        return made
    made = replace(made, reached=limits.reached(LimitKind(more[0])))
    if status is ReserveStatus.LIMIT_REACHED:
        return made
    return replace(made, surplus=more[2], choices=[_text(one) for one in more[3:]])


def cover_pairs(covers: Mapping[str, datetime]) -> list[bytes | int]:
    """How many there are, then each client as entries have it and its `not_before`."""
    return [len(covers), *(part for one, at in covers.items() for part in (client_print(one), epoch_seconds(at)))]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
