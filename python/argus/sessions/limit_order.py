"""Whom a sign-in ends under the concurrent limits, or whether it may begin: what `reserve` decides, for looking back.

The Redis function is what counts live (`rust_core/core/src/lua/limits.lua`); this is its twin for sign-ins that are
over, without those in flight beside it. Change one only with the other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from argus.base.policy import OnLimit
from argus.sessions.limits import LimitKind, Limits, ReachedLimit

_MOST_VICTIMS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A living session as limits see it.

    Attributes:
        device_class: Class of its device.
        moment: When it began, in milliseconds since 1970.
        used: Its last use, in seconds since 1970.
        trusted: What is left of its trust.
    """

    session_id: str
    client_id: str
    device_class: str
    moment: int
    used: int = 0
    trusted: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What becomes of a sign-in.

    Attributes:
        victims: Ids of those that make room, each with the kind of limit by which.
        reached: The limit that refuses it, or under which the user is to choose; None: it begins.
    """

    victims: Mapping[str, LimitKind] = field(default_factory=dict)
    reached: ReachedLimit | None = None


def make_room(limits: Limits, client_id: str, living: Sequence[Counted]) -> Room:
    """Whether there is a place for a session of that client, and whom it costs theirs.

    Args:
        limits: What the policy allows a session on such a device.
        client_id: Its client.
        living: The sessions of its user.
    """
    set_ones = sorted((limits.most(kind), -kind, kind) for kind in LimitKind if limits.most(kind))
    kinds = [kind for _, _, kind in set_ones]

    def able(kind: LimitKind, but: Mapping[str, Any]) -> list[Counted]:
        counts = _counts(kind, limits, client_id)
        return [one for one in living if counts(one) and one.session_id not in but]

    reached = [kind for kind in kinds if len(able(kind, {})) + 1 > limits.most(kind)]
    if not reached:
        return Room()
    if limits.on_limit in ("deny", "ask_user"):
        return Room(reached=limits.reached(reached[0]))
    victims: dict[str, LimitKind] = {}
    for kind in kinds:
        left = able(kind, victims)
        surplus = min(len(left) + 1 - limits.most(kind), _MOST_VICTIMS - len(victims))
        victims |= {one.session_id: kind for one in sorted(left, key=_order(limits.on_limit))[: max(surplus, 0)]}
    return Room(victims=victims)


def _counts(kind: LimitKind, limits: Limits, client_id: str) -> Callable[[Counted], bool]:
    match kind:
        case LimitKind.CLIENT:
            return lambda one: one.client_id == client_id
        case LimitKind.DEVICE_CLASS:
            return lambda one: one.device_class == limits.device_class
        case _:
            return lambda _: True


def _order(on_limit: OnLimit) -> Callable[[Counted], tuple[Any, ...]]:
    match on_limit:
        case "end_least_recent":
            return lambda one: (one.used, one.moment, one.session_id)
        case "end_lowest_trust":
            return lambda one: (one.trusted, one.used, one.moment, one.session_id)
        case _:
            return lambda one: (one.moment, one.session_id)
