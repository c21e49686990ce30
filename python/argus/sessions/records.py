"""Sessions as Redis has them: packed values (core::record has the same layouts in Rust), and how long they are kept."""

import base64
from datetime import datetime, timedelta
from typing import Final

from argus import _core
from argus.sessions.model import Session, SessionState, epoch_seconds

RECORD_MARGIN: Final = timedelta(minutes=1)
"""How long a record outlives the absolute deadline of its session."""

_ENDED_STATE: Final = 3
_TOMBSTONE_SIZE: Final = 15


def record_life(session: Session, *, now: datetime) -> int:
    """Seconds for which Redis must remember the session: as long as any token of it could be presented."""
    left = session.absolute_deadline + RECORD_MARGIN - now
    return max(int(left.total_seconds()), int(RECORD_MARGIN.total_seconds()))


def record_of(session: Session) -> bytes:
    """The packed record of a living session."""
    record = _core.SessionRecord(
        contested=session.state is SessionState.CONTESTED,
        bound=session.binding is not None,
        made_by_rotation=session.generation_bound_rotated,
        family=session.family,
        generation=session.generation_bound,
        made=epoch_seconds(session.generation_bound_time),
        binding=session.binding or bytes(16),
        device=device_bytes(session.device_id),
        created=epoch_seconds(session.create_time),
        idle_deadline=epoch_seconds(session.idle_deadline),
        absolute_deadline=epoch_seconds(session.absolute_deadline),
        policy_revision=session.policy_revision,
        acr=session.acr,
        amr=list(session.amr),
        auth_time=epoch_seconds(session.auth_time),
        refresh_id_key=session.refresh_id_key,
        trust=int.from_bytes(packed_trust(session.trust, session.risk)[:2], "big"),
        risk=round(100 * session.risk),
    )
    return record.to_bytes()


def packed_trust(trust: float | None, risk: float) -> bytes:
    """Trust and risk as they are in a record."""
    hundredths = 0 if trust is None else 1 + round(100 * trust)
    return hundredths.to_bytes(2, "big") + round(100 * risk).to_bytes(1, "big")


def tombstone_of(session: Session) -> bytes:
    """What stays of an ended session."""
    if session.end_time is None or session.end_reason is None:
        raise ValueError(f"session {session.session_id} has not ended")
    head = bytes([1, _ENDED_STATE, int(session.end_reason)])
    return head + bytes(8) + epoch_seconds(session.end_time).to_bytes(4, "big")


def is_tombstone(value: bytes) -> bool:
    """The value says that its session has ended."""
    return len(value) == _TOMBSTONE_SIZE and value[1] == _ENDED_STATE


def device_bytes(device_id: str | None) -> bytes:
    """The 16 bytes of a device id, zeros if there is no device."""
    return decode_id(device_id) if device_id else bytes(16)


def decode_id(text: str) -> bytes:
    """The bytes of an id of `argus.base.ids.new_id`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def family_in(value: bytes) -> int:
    """The refresh family in a record; 0 where there is none."""
    try:
        return _core.SessionRecord.from_bytes(value).family
    except ValueError:
        return 0
