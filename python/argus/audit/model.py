"""What a row of the audit table says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are asked for; what is None does not matter.

    Attributes:
        since: From then on.
        before: Before then.
        until: Up to then, and then.
    """

    types: Sequence[str] | None = None
    outcome: str | None = None
    client_id: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """Something that happened."""

    event_id: str
    type: str
    time: datetime
    actor: str
    user_id: str | None
    session_id: str | None
    client_id: str | None
    outcome: str
    reason: str | None
    request_id: str | None
    ip_address: str | None
    data: Mapping[str, str]
