"""Whether a sign-in of the past would have had a place under the limits, as far as that can be known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from argus._core import aged_trust
from argus.base.device_classes import device_class
from argus.flows.replaying.life import Life
from argus.sessions.index_entry import epoch_milliseconds
from argus.sessions.limit_order import Counted, Room, make_room
from argus.sessions.limits import Limits
from argus.sessions.model import epoch_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What becomes of a sign-in under the limits.

    Attributes:
        room: Whether there is a place, and who makes it.
        is_known: It does not depend on what history does not tell.
    """

    room: Room
    is_known: bool


def find_place(limits: Limits, client_id: str, lives: Sequence[Life], at: datetime) -> Place:
    """The place of a session of that client among those that would have lived then."""
    surely = [life for life in lives if life.is_over(at) is False]
    perhaps = [life for life in lives if life.is_over(at) is None]
    room = make_room(limits, client_id, _counted(surely, at))
    if perhaps and make_room(limits, client_id, _counted([*surely, *perhaps], at)) != room:
        return Place(room=room, is_known=False)
    return Place(room=room, is_known=not room.victims or _is_in_order(limits, room, surely))


def _is_in_order(limits: Limits, room: Room, lives: Sequence[Life]) -> bool:
    """Whether what is not known of the sessions could not have made others the victims."""
    match limits.on_limit:
        case "end_lowest_trust":
            return all(life.trust is not None for life in lives)
        case "end_least_recent":
            spans = {life.one.session_id: _uses(life) for life in lives}
            if all(first == last for first, last in spans.values()):
                return True
            latest = max(spans[victim][1] for victim in room.victims)
            return all(first > latest for session_id, (first, _) in spans.items() if session_id not in room.victims)
        case _:
            return True


def _uses(life: Life) -> tuple[datetime, datetime]:
    """Its last use in the eyes of limits, at the earliest and at the latest."""
    one = life.one
    first = one.used(min(one.idle_first, one.absolute))
    return first, max(first, one.used(min(one.idle_last, one.absolute)))


def _counted(lives: Sequence[Life], at: datetime) -> list[Counted]:
    return [
        Counted(
            session_id=life.one.session_id,
            client_id=life.one.client_id,
            device_class=device_class(life.one.device_type),
            moment=epoch_milliseconds(life.one.created),
            used=epoch_seconds(_uses(life)[0]),
            trusted=_trusted(life, at),
        )
        for life in lives
    ]


def _trusted(life: Life, at: datetime) -> float:
    return aged_trust(life.trust or 0, max(epoch_seconds(at) - epoch_seconds(life.auth_time), 0))
