"""Rows of the audit table, as they are written: any number with one statement."""

import json
from datetime import datetime
from typing import Any, Final

from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin

AUDIT_INSERT: Final = """
    INSERT INTO audit_events (tenant_id, event_id, time, type, actor, user_id, session_id, client_id, outcome, reason,
                              request_id, ip_address, data)
    SELECT tenant_id, event_id, time, type, actor, user_id, session_id, client_id, outcome, reason, request_id,
           ip_address::inet, data::jsonb
      FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[],
                  %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[])
           AS w (tenant_id, event_id, time, type, actor, user_id, session_id, client_id, outcome, reason, request_id,
                   ip_address, data)"""
"""Takes the columns of `audit_row`s."""


def audit_row(origin: Origin, event: Event, time: datetime, *, event_id: str = "") -> tuple[Any, ...]:
    """What happened, at whose wish, and when; under a new id if none is given."""
    return (
        origin.tenant_id,
        event_id or new_id(),
        time,
        event.type,
        origin.actor,
        event.user_id,
        event.session_id,
        event.client_id,
        event.outcome,
        event.reason,
        origin.request_id or None,
        origin.ip_address,
        json.dumps(dict(event.data)),
    )
