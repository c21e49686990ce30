"""How many sessions there may be at a time, and what one more does."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Self

from argus.base.policy import OnLimit

ON_LIMIT: Final[tuple[OnLimit, ...]] = ("deny", "end_oldest", "end_least_recent", "end_lowest_trust", "ask_user")
"""All of them; the place of each is its number in Redis."""


class LimitKind(IntEnum):
    """What a limit counts."""

    USER = 1
    CLIENT = 2
    DEVICE_CLASS = 3

    @property
    def policy_field(self) -> str:
        """Key of the limit in a policy."""
        return _POLICY_FIELDS[self]


_POLICY_FIELDS: Final[Mapping[LimitKind, str]] = {
    LimitKind.USER: "session_limit",
    LimitKind.CLIENT: "client_session_limit",
    LimitKind.DEVICE_CLASS: "device_class_limits",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedLimit:
    """A limit that allows no further session.

    Attributes:
        kind: What it counts.
        most: How many sessions it allows.
        on_limit: What one more does.
        device_class: Class of devices that it counts, if it counts those of one.
    """

    kind: LimitKind
    most: int
    on_limit: OnLimit
    device_class: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitEnd:
    """Why a session had to make room.

    Attributes:
        limit: Limit that was reached.
        session_id: The session that it made room for.
    """

    limit: ReachedLimit
    session_id: str

    @property
    def facts(self) -> dict[str, str]:
        """The same for audit and columns."""
        return {
            "limit": self.limit.kind.policy_field,
            "most": str(self.limit.most),
            "on_limit": self.limit.on_limit,
            "new_session": self.session_id,
            **({"device_class": self.limit.device_class} if self.limit.device_class else {}),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """What `facts` has said."""
        kinds = {policy_field: kind for kind, policy_field in _POLICY_FIELDS.items()}
        limit = ReachedLimit(
            kind=kinds[facts["limit"]],
            most=int(facts["most"]),
            on_limit=facts["on_limit"],
            device_class=facts.get("device_class", ""),
        )
        return cls(limit=limit, session_id=facts["new_session"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a policy says of a session that is to begin; 0: no limit.

    Attributes:
        user: Most sessions of its user.
        client: Most of those with its client.
        device_class: Class of its device.
        of_class: Most of those on devices of that class.
    """

    on_limit: OnLimit
    user: int = 0
    client: int = 0
    device_class: str = ""
    of_class: int = 0

    def most(self, kind: LimitKind) -> int:
        """How many one of the limits allows."""
        return {LimitKind.USER: self.user, LimitKind.CLIENT: self.client, LimitKind.DEVICE_CLASS: self.of_class}[kind]

    def reached(self, kind: LimitKind) -> ReachedLimit:
        """One of them, which has been reached."""
        return ReachedLimit(
            kind=kind,
            most=self.most(kind),
            on_limit=self.on_limit,
            device_class=self.device_class if kind is LimitKind.DEVICE_CLASS else "",
        )
