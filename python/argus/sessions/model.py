"""What a session is, and how one ends."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Final, Self

from argus._core import aged_trust
from argus.base.ids import etag, session_name
from argus.base.place import NetworkClass, Place
from argus.sessions.limits import LimitEnd
from argus.v1.types_pb2 import Confirmation

ACR_PREFIX = "urn:argus:acr:"
"""What the URN of an authentication level begins with; its number follows."""


class SessionState(StrEnum):
    """State of a session."""

    ACTIVE = "active"
    CONTESTED = "contested"
    ENDED = "ended"


class EndReason(IntEnum):
    """Why a session ended; numbers and names are those of `argus.v1.EndReason`."""

    SIGNED_OUT = 1
    ENDED_BY_USER = 2
    ENDED_BY_ADMIN = 3
    IDLE_TIMEOUT = 4
    ABSOLUTE_TIMEOUT = 5
    LIMIT = 6
    USER_DISABLED = 7
    USER_DELETED = 8
    CLIENT_WIDE = 9
    TENANT_WIDE = 10
    TOKEN_REVOKED = 11
    REPLAY = 12
    RISK = 13
    USER_WIDE = 14


TIMEOUTS: Final = frozenset({EndReason.IDLE_TIMEOUT, EndReason.ABSOLUTE_TIMEOUT})
"""Ends by a deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One authenticated period of one user on one device.

    Attributes:
        generation_bound: At least so many generations of refresh tokens were made in this family.
        generation_bound_rotated: The bound was made by a rotation, not by a sign-in or step-up.
        refresh_id_key: Id of the key that the ids of the family's refresh tokens are computed with.
        binding: Truncated SHA-256 of the key it is bound to.
        ip_address: Where it was begun.
        seen_ip_address: Where it was last seen; country, city, radius and network are that address's.
        end_detail: What ended it, where that was a concurrent limit.
        trust: Trust at the user's proof, 0 to 100; None: not rated.
        risk: 0 to 1.
        shortened_time: When a policy last brought its end nearer, or when it was over before that; None: none did.
        tokens_until: When the last access token has expired that a looser policy let live longer; None: none did.
        has_narrower_life: A narrower scope than the client gave its longest life; only told where lists go by it.
        trust_now: What is left of it at the moment of `as_of`.
        covered_until: Sessions begun up to then are over, by the user's, client's or tenant's `not_before`.
        covered_reason: The reason that goes with it.
    """

    tenant_id: str
    session_id: str
    user_id: str
    client_id: str
    device_id: str | None = None
    state: SessionState = SessionState.ACTIVE
    end_time: datetime | None = None
    end_reason: EndReason | None = None
    end_detail: LimitEnd | None = None
    create_time: datetime
    last_active_time: datetime
    idle_deadline: datetime
    absolute_deadline: datetime
    policy_revision: int
    family: int = 1
    refresh_id_key: int
    generation_bound: int = 1
    generation_bound_time: datetime
    generation_bound_rotated: bool = False
    binding: bytes | None = None
    acr: int
    amr: Sequence[str]
    auth_time: datetime
    scope: str = ""
    resources: Sequence[str] = ()
    device_type: str = ""
    device_os: str = ""
    device_browser: str = ""
    device_os_version: str = ""
    device_browser_version: str = ""
    device_app: str = ""
    display_name: str = ""
    category: str = ""
    ip_address: str | None = None
    user_agent: str = ""
    country: str | None = None
    city: str | None = None
    radius_km: int | None = None
    asn: int | None = None
    asn_name: str | None = None
    network_class: NetworkClass | None = None
    seen_ip_address: str | None = None
    trust: float | None = None
    risk: float = 0.0
    revision: int = 1
    tokens_until: datetime | None = None
    shortened_time: datetime | None = None
    has_narrower_life: bool = False
    covered_until: datetime | None = None
    covered_reason: EndReason | None = None
    trust_now: float | None = None

    @property
    def name(self) -> str:
        """Resource name."""
        return session_name(self.tenant_id, self.user_id, self.session_id)

    @property
    def place(self) -> Place:
        """Where it was last seen."""
        return Place(
            country=self.country,
            city=self.city,
            radius_km=self.radius_km,
            asn=self.asn,
            asn_name=self.asn_name,
            network_class=self.network_class,
        )

    @property
    def etag(self) -> str:
        """Changes with what an update can change."""
        return etag(self.revision)

    @property
    def has_ended(self) -> bool:
        """It is over for good."""
        return self.state is SessionState.ENDED

    def ended(self, *, at: datetime, reason: EndReason) -> Self:
        """The same session, over; one that is over already keeps its first moment and reason."""
        if self.has_ended:
            return self
        return replace(self, state=SessionState.ENDED, end_time=at, end_reason=reason)

    def within(self, longest: timedelta, *, since: datetime | None = None) -> Self:
        """The same session, which may live no longer than this by what is in force now; an end stays what it was.

        Args:
            longest: How long.
            since: From when on that is in force; None: nobody knows.
        """
        last = whole_second(self.create_time) + longest
        if self.has_ended or self.absolute_deadline <= last:
            return self
        shortened = self if since is None else self._shortened(since)
        return replace(shortened, absolute_deadline=last, idle_deadline=min(self.idle_deadline, last))

    def _shortened(self, at: datetime) -> Self:
        """What was over before ended then."""
        until = min(at, self.idle_deadline, self.absolute_deadline)
        return replace(self, shortened_time=max(until, self.shortened_time or until))

    def over_since(self, deadline: datetime) -> datetime:
        """When it is over by a deadline: not before a policy brought that nearer, nor before its last use."""
        return max(one for one in (deadline, self.shortened_time, self.last_active_time) if one is not None)

    def as_of(self, now: datetime) -> Self:
        """How it stands at `now`: over once a deadline has passed, whether or not the sweeper has been by."""
        if self.covered_until and self.covered_reason and whole_second(self.create_time) <= self.covered_until:
            return self.ended(at=max(self.covered_until, self.create_time), reason=self.covered_reason)
        if min(self.idle_deadline, self.absolute_deadline) > now:
            return self._rated(now)
        # A use close to the end moves the idle deadline up to the absolute one, in Redis to the second that it lies in.
        if whole_second(self.absolute_deadline) <= self.idle_deadline:
            return self.ended(at=self.over_since(self.absolute_deadline), reason=EndReason.ABSOLUTE_TIMEOUT)
        return self.ended(at=self.over_since(self.idle_deadline), reason=EndReason.IDLE_TIMEOUT)

    def _rated(self, now: datetime) -> Self:
        """With what is left of its trust."""
        if self.trust is None or self.has_ended:
            return self
        age = max((now - self.auth_time).total_seconds(), 0)
        return replace(self, trust_now=aged_trust(self.trust, age))


def whole_second(time: datetime) -> datetime:
    """The second that `time` lies in: stores compare ends with creations by it."""
    return time.replace(microsecond=0)


def epoch_seconds(time: datetime) -> int:
    """Seconds since 1970, rounded down."""
    return int(time.timestamp())


def binding_of(confirmation: Confirmation | None) -> bytes | None:
    """What a session keeps of the key that its tokens are bound to: 16 bytes of the thumbprint's SHA-256."""
    if confirmation is None:
        return None
    thumbprint = confirmation.jkt or confirmation.x5t_s256
    return hashlib.sha256(thumbprint.encode()).digest()[:16]


def deadlines(*, created: datetime, idle: timedelta, absolute: timedelta) -> tuple[datetime, datetime]:
    """Idle and absolute deadline of a session that begins, in whole seconds: to all stores they are the same moment.

    Args:
        created: When it begins.
        idle: Longest gap between two uses (ASVS 5.0, 7.3.1).
        absolute: Longest life whatever the use (ASVS 5.0, 7.3.2).
    """
    begun = whole_second(created)
    return min(begun + idle, begun + absolute), begun + absolute
