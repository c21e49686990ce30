"""What a row of the audit table says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


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
