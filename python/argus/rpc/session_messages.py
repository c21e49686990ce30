"""Sessions and what is known about devices, between messages and features."""

import re
from datetime import datetime
from typing import Final

from argus.base.errors import InvalidFieldError
from argus.base.ids import session_name
from argus.devices.model import DeviceTraits, traits_of
from argus.rpc.context import CONTEXT_SCOPE, current_caller
from argus.rpc.entitled import is_shown
from argus.rpc.validate import to_timestamp
from argus.sessions.model import ACR_PREFIX, EndReason, Session, SessionState
from argus.v1 import types_pb2

_STATES: Final = {
    SessionState.ACTIVE: types_pb2.SESSION_STATE_ACTIVE,
    SessionState.CONTESTED: types_pb2.SESSION_STATE_CONTESTED,
    SessionState.ENDED: types_pb2.SESSION_STATE_ENDED,
}
_ACR: Final = re.compile(re.escape(ACR_PREFIX) + "([123])")
# RFC 8176: what the registry had when it was made; the record has a bit for each.
AMR_VALUES: Final = frozenset(
    ["pwd", "otp", "mfa", "hwk", "swk", "user", "pin", "face", "fpt", "geo", "rba", "sms", "kba", "mca", "sc", "tel"]
)


def session_message(session: Session, *, current: str = "") -> types_pb2.Session:
    """A session as callers see it.

    Args:
        session: The session, as it stands now.
        current: Name of the session that is to be marked.
    """
    return types_pb2.Session(
        name=session.name,
        state=_STATES[session.state],
        client_id=session.client_id,
        device=device_message(session),
        location=location_message(session),
        create_time=to_timestamp(session.create_time),
        last_active_time=to_timestamp(session.last_active_time),
        idle_expire_time=to_timestamp(session.idle_deadline),
        absolute_expire_time=to_timestamp(session.absolute_deadline),
        auth_time=to_timestamp(session.auth_time),
        acr=f"{ACR_PREFIX}{session.acr}",
        amr=session.amr,
        end_time=to_timestamp(session.end_time),
        end_reason=types_pb2.EndReason.ValueType(session.end_reason or 0),
        current=session.name == current,
        etag=session.etag,
        ip_address=session.ip_address or "",
    )


def device_message(session: Session) -> types_pb2.Device:
    """The device that a session runs on."""
    is_named = is_shown("device_names")
    return types_pb2.Device(
        name=session.device_id or "",
        display_name=session.display_name if is_named else _own_name(session),
        type=session.device_type,
        os=session.device_os,
        browser=session.device_browser,
        category=session.category if is_named else "",
    )


def _own_name(session: Session) -> str:
    """What a device says of itself."""
    return DeviceTraits(os=session.device_os, browser=session.device_browser).display_name


def location_message(session: Session) -> types_pb2.Location | None:
    """Where a session was last seen; None: it is not known."""
    if session.country is None and session.city is None:
        return None
    return types_pb2.Location(country=session.country or "", city=session.city or "", radius_km=session.radius_km or 0)


def ended_message(
    tenant_id: str, user_id: str, session_id: str, *, at: datetime, reason: EndReason
) -> types_pb2.Session:
    """All that can be said about an ended session while PostgreSQL is away."""
    return types_pb2.Session(
        name=session_name(tenant_id, user_id, session_id),
        state=types_pb2.SESSION_STATE_ENDED,
        end_time=to_timestamp(at),
        end_reason=types_pb2.EndReason.ValueType(reason),
    )


def traits(context: types_pb2.ClientContext) -> DeviceTraits:
    """What is known about the user's device; nothing if the caller's word does not count."""
    return traits_of(context.user_agent) if CONTEXT_SCOPE in current_caller().scopes else DeviceTraits()


def acr_level(text: str, field: str, *, default: int) -> int:
    """The number of an authentication level; empty: `default`."""
    if not text:
        return default
    match = _ACR.fullmatch(text)
    if match is None:
        raise InvalidFieldError(field, f"must be {ACR_PREFIX}1, :2 or :3")
    return int(match[1])


def amr_values(values: list[str], field: str) -> list[str]:
    """Authentication methods, each once."""
    for index, value in enumerate(values):
        if value not in AMR_VALUES:
            raise InvalidFieldError(f"{field}[{index}]", "is not an authentication method of RFC 8176")
    return list(dict.fromkeys(values))
