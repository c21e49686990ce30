"""What scripts are told of logins and sessions."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from argus.flows.factors import Enrolment
from argus.flows.login import Step
from argus.sessions.login_store import Login
from argus.sessions.model import ACR_PREFIX, Session
from argus.v1 import token_service_pb2 as tokens


def step(done: Step, choices: Sequence[Session] = ()) -> dict[str, Any]:
    """A sign-in or step-up after a step: what may be answered next, or the session."""
    created = done.created
    if created is None or created.tokens is None:
        return {"login": login(done.login) | _choices(done.login, choices)}
    told: dict[str, Any] = {
        "login": {"state": "COMPLETE"},
        "expires_in": created.tokens.expires_in.seconds,
        "session": _session(created.session),
    }
    return told | {"action_token": created.action_token} if created.action_token else told


def login(one: Login) -> dict[str, Any]:
    """How far a sign-in or step-up has come: what may be answered now, or be enrolled."""
    return {
        "state": one.state,
        "challenges": [_challenge(kind, options) for kind, options in one.challenges.items()],
        "expire_time": _text(one.expires_at),
    }


def enrolment(one: Enrolment) -> dict[str, Any]:
    """What a factor is enrolled with; what its kind does not have is left out."""
    told = {"secret": one.secret, "uri": one.uri, "qr_svg": one.qr_svg}
    options = {"options": json.loads(one.options_json)} if one.options_json else {}
    return {name: value for name, value in told.items() if value} | options


def _choices(one: Login, choices: Sequence[Session]) -> dict[str, Any]:
    """The sessions of which some are to be ended, where a limit asks for it."""
    if one.state != "SESSION_LIMIT_REACHED":
        return {}
    shown = [
        {
            "name": session.name,
            "client_id": session.client_id,
            "display_name": session.display_name,
            "device_type": session.device_type,
            "ip_address": session.ip_address or "",
            "create_time": _text(session.create_time),
            "last_active_time": _text(session.last_active_time),
        }
        for session in choices
    ]
    return {"end_at_least": one.end_at_least, "ending_choices": shown}


def _challenge(kind: str, options: str) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": kind}
    return told | {"options": json.loads(options)} if options else told


def refreshed(response: tokens.RefreshTokenResponse) -> dict[str, Any]:
    """A session whose tokens are new."""
    return {
        "expires_in": response.tokens.expires_in.seconds,
        "session": {
            "name": response.session,
            "idle_expire_time": response.idle_expire_time.ToJsonString(),
            "absolute_expire_time": response.absolute_expire_time.ToJsonString(),
        },
    }


def active(found: tokens.VerifyAccessTokenResponse, *, now: datetime) -> dict[str, Any]:
    """A session by its access token, and how long that lasts."""
    left = found.expire_time.ToDatetime(UTC) - now
    return {
        "state": "active",
        "expires_in": max(0, int(left.total_seconds())),
        "session": {
            "name": found.session,
            "client_id": found.client_id,
            "acr": found.acr,
            "amr": list(found.amr),
            "auth_time": found.auth_time.ToJsonString(),
        },
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "name": session.name,
        "client_id": session.client_id,
        "acr": f"{ACR_PREFIX}{session.acr}",
        "amr": list(session.amr),
        "auth_time": _text(session.auth_time),
        "idle_expire_time": _text(session.idle_deadline),
        "absolute_expire_time": _text(session.absolute_deadline),
    }


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
