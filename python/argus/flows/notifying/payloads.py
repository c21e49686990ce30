"""An event as others see it."""

from google.protobuf.json_format import MessageToJson

from argus.audit.model import AuditEvent
from argus.notifications.wordings.model import Wording, render
from argus.v1.events_pb2 import Event


def event_message(event: AuditEvent) -> Event:
    """A row of the audit table."""
    message = Event(
        name=event.event_id,
        type=event.type,
        actor=event.actor,
        user_id=event.user_id or "",
        session_id=event.session_id or "",
        client_id=event.client_id or "",
        outcome=event.outcome,
        reason=event.reason or "",
        request_id=event.request_id or "",
        ip_address=event.ip_address or "",
        data=event.data,
    )
    message.time.FromDatetime(event.time)
    return message


def event_body(event: AuditEvent, wording: Wording | None, *, tenant: str) -> str:
    """The body of a webhook: the event as JSON, or what the tenant's template makes of it."""
    message = event_message(event)
    if wording is None:
        # The same event is the same bytes, whichever process sends it.
        return MessageToJson(message, indent=None, sort_keys=True, ensure_ascii=False)
    variables = {
        "id": message.name,
        "type": message.type,
        "time": message.time.ToJsonString(),
        "tenant": tenant,
        "actor": message.actor,
        "user_id": message.user_id,
        "session_id": message.session_id,
        "client_id": message.client_id,
        "outcome": message.outcome,
        "reason": message.reason,
        "ip_address": message.ip_address,
    }
    return render(wording, variables).text
