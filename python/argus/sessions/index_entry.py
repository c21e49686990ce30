"""What a user's index in Redis keeps of each session: all that a concurrent limit goes by."""

import hashlib
import struct
from datetime import datetime
from typing import Final

from argus.base.device_classes import DEVICE_CLASSES, device_class
from argus.sessions.model import Session, epoch_seconds

# Moment in ms, client, device class, trust, when that was rated, longest time without a use, last use
# (rust_core/core/src/lua/index.lua).
_LAYOUT: Final = struct.Struct(">Q8sBBIII")
_NOT_RATED: Final = 255

NOT_RATED_TRUST: Final = 30
"""What a session counts as under limits that nobody has rated (`TRUST_OF_UNKNOWN` of the functions)."""


def client_print(client_id: str) -> bytes:
    """What entries say of a client, 8 bytes."""
    return hashlib.sha256(client_id.encode()).digest()[:8]


def pack_entry(
    *,
    client_id: str,
    device_type: str,
    create_time: datetime,
    last_active_time: datetime,
    idle_deadline: datetime,
    auth_time: datetime,
    trust: float | None = None,
) -> bytes:
    """The entry of a session of which this is known; a device class's place in `DEVICE_CLASSES` is its number.

    Args:
        client_id: Its client.
        device_type: What its device says it is.
        create_time: When it began.
        last_active_time: Its last use.
        idle_deadline: When it ends without another one.
        auth_time: When its user proved itself; from then on trust fades.
        trust: How far it was trusted then, 0 to 100; None: nobody has rated it.
    """
    return _LAYOUT.pack(
        epoch_milliseconds(create_time),
        client_print(client_id),
        DEVICE_CLASSES.index(device_class(device_type)),
        _NOT_RATED if trust is None else int(trust + 0.5),
        epoch_seconds(auth_time),
        max(epoch_seconds(idle_deadline) - epoch_seconds(last_active_time), 0),
        epoch_seconds(last_active_time),
    )


def index_entry(session: Session) -> bytes:
    """The entry of a session."""
    return pack_entry(
        client_id=session.client_id,
        device_type=session.device_type,
        create_time=session.create_time,
        last_active_time=session.last_active_time,
        idle_deadline=session.idle_deadline,
        auth_time=session.auth_time,
        trust=session.trust,
    )


def counted_trust(trust: float | None) -> int:
    """Trust as limits count it, in whole numbers; who was never rated counts as if nothing were known."""
    return NOT_RATED_TRUST if trust is None else int(trust + 0.5)


def epoch_milliseconds(time: datetime) -> int:
    """Milliseconds since 1970, rounded down."""
    return epoch_seconds(time) * 1000 + time.microsecond // 1000
