"""Sessions and what is known about devices, between messages and features."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from argus.base.errors import InvalidFieldError
from argus.base.ids import session_name
from argus.base.place import NetworkClass, Place
from argus.devices.model import DeviceTraits
from argus.devices.traits import HINTS, Hints, traits_of
from argus.flows.submit_factor import SessionIds
from argus.rpc import validate
from argus.rpc.context import CONTEXT_SCOPE, current_caller
from argus.rpc.entitled import is_shown
from argus.rpc.validate import text, to_timestamp
from argus.sessions.model import ACR_PREFIX, EndReason, Session, SessionState
from argus.v1 import types_pb2

STATES: Final = {
    SessionState.ACTIVE: types_pb2.SESSION_STATE_ACTIVE,
    SessionState.CONTESTED: types_pb2.SESSION_STATE_CONTESTED,
    SessionState.ENDED: types_pb2.SESSION_STATE_ENDED,
}
_CLASSES: Final[Mapping[NetworkClass, types_pb2.NetworkClass.ValueType]] = {
    "access": types_pb2.NETWORK_CLASS_ACCESS,
    "hosting": types_pb2.NETWORK_CLASS_HOSTING,
    "anonymiser": types_pb2.NETWORK_CLASS_ANONYMISER,
}
_UNKNOWN_CLASS: Final = types_pb2.NETWORK_CLASS_UNSPECIFIED
_MAX_INSTALLATION_ID: Final = 128
_MAX_NAMES: Final = 1000
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
        state=STATES[session.state],
        client_id=session.client_id,
        device=device_message(session),
        location=location_message(session.place),
        create_time=to_timestamp(session.create_time),
        last_active_time=to_timestamp(session.last_active_time),
        idle_expire_time=to_timestamp(session.idle_deadline),
        absolute_expire_time=to_timestamp(session.absolute_deadline),
        auth_time=to_timestamp(session.auth_time),
        acr=f"{ACR_PREFIX}{session.acr}",
        amr=session.amr,
        end_time=to_timestamp(session.end_time),
        end_reason=types_pb2.EndReason.ValueType(session.end_reason or 0),
        trust_score=None if session.trust_now is None else int(session.trust_now + 0.5),
        current=session.name == current,
        etag=session.etag,
        ip_address=session.ip_address or "",
        ended_by_limit=_limit_end(session),
    )


def _limit_end(session: Session) -> types_pb2.LimitEnd | None:
    if session.end_detail is None:
        return None
    limit = session.end_detail.limit
    return types_pb2.LimitEnd(
        policy_field=limit.kind.policy_field,
        most=limit.most,
        on_limit=limit.on_limit,
        device_class=limit.device_class,
        new_session=session_name(session.tenant_id, session.user_id, session.end_detail.session_id),
    )


def session_names(names: Sequence[str], field: str) -> list[SessionIds]:
    """Tenant, user and id of each named session of a request."""
    if len(names) > _MAX_NAMES:
        raise InvalidFieldError(field, f"must have at most {_MAX_NAMES} items")
    return [validate.session(name, f"{field}[{place}]") for place, name in enumerate(names)]


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
        os_version=session.device_os_version,
        browser_version=session.device_browser_version,
        app=session.device_app,
    )


def _own_name(session: Session) -> str:
    """What a device says of itself."""
    return DeviceTraits(os=session.device_os, browser=session.device_browser).display_name


def location_message(place: Place) -> types_pb2.Location | None:
    """A place; None: nothing is known of it."""
    if place.is_unknown:
        return None
    return types_pb2.Location(
        country=place.country or "",
        city=place.city or "",
        radius_km=place.radius_km or 0,
        asn=place.asn or 0,
        asn_name=place.asn_name or "",
        network_class=_CLASSES[place.network_class] if place.network_class else _UNKNOWN_CLASS,
    )


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
    if CONTEXT_SCOPE not in current_caller().scopes:
        return DeviceTraits()
    return traits_of(
        context.user_agent,
        Hints(**{name: getattr(context.client_hints, name) for name in HINTS}),
        app=context.app,
        fingerprint=context.fingerprint,
        installation_id=text(context.installation_id, "client_context.installation_id", _MAX_INSTALLATION_ID),
    )


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
