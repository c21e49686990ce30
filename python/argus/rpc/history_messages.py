"""What happened and how it was, between messages and features."""

import json
from typing import Final

from argus.audit.model import EventFilter
from argus.base.errors import InvalidFieldError
from argus.flows.history import Decision, SessionAt
from argus.flows.notifying.payloads import event_message
from argus.flows.self.security_events import KINDS
from argus.policies.model import to_document
from argus.rpc import validate
from argus.rpc.session_messages import STATES
from argus.sessions.model import ACR_PREFIX
from argus.v1 import session_service_pb2 as pb
from argus.v1 import types_pb2

_MOST_TYPES: Final = 50
_DECISIONS: Final = {
    Decision.ALLOWED: pb.SESSION_DECISION_ALLOWED,
    Decision.STEP_UP_REQUIRED: pb.SESSION_DECISION_STEP_UP_REQUIRED,
    Decision.SESSION_ENDED: pb.SESSION_DECISION_SESSION_ENDED,
}


def event_filter(request: pb.ListSecurityEventsRequest) -> EventFilter:
    """Which events a request asks for."""
    if len(request.types) > _MOST_TYPES:
        raise InvalidFieldError("types", f"must have at most {_MOST_TYPES} items")
    for place, one in enumerate(request.types):
        if one not in KINDS:
            raise InvalidFieldError(f"types[{place}]", "must be an event that concerns a user's safety")
    if request.outcome not in ("", "success", "failure"):
        raise InvalidFieldError("outcome", "must be success or failure")
    has_start, has_end = request.HasField("start_time"), request.HasField("end_time")
    return EventFilter(
        types=sorted(request.types or KINDS),
        outcome=request.outcome or None,
        client_id=validate.client_id(request.client_id, "client_id") or None,
        since=validate.timestamp(request.start_time, "start_time") if has_start else None,
        before=validate.timestamp(request.end_time, "end_time") if has_end else None,
    )


def session_at_message(found: SessionAt) -> pb.GetSessionAtResponse:
    """A session at an instant."""
    return pb.GetSessionAtResponse(
        state=STATES[found.state] if found.state else types_pb2.SESSION_STATE_UNSPECIFIED,
        decision=_decision(found.decision),
        end_time=validate.to_timestamp(found.end_time),
        end_reason=types_pb2.EndReason.ValueType(found.end_reason or 0),
        policy_revision=found.policy_revision,
        policy_document=json.dumps(to_document(found.policy), sort_keys=True) if found.policy else "",
        narrower_fields=sorted(found.narrower),
        client_policy_revision=found.in_force.effective.revision,
        client_policy_document=json.dumps(to_document(found.in_force.effective.policy), sort_keys=True),
        client_policies=[
            pb.PolicyThen(
                scope_kind=one.scope.kind,
                scope_id=one.scope.id,
                revision=one.number,
                author=one.author,
                reason=one.reason,
            )
            for one in found.in_force.revisions
        ],
        refresh_decision=_decision(found.refresh_decision),
        acr="" if found.acr is None else f"{ACR_PREFIX}{found.acr}",
        amr=found.amr,
        auth_time=validate.to_timestamp(found.auth_time),
        events=[event_message(one) for one in found.events],
    )


def _decision(decision: Decision | None) -> pb.SessionDecision.ValueType:
    return _DECISIONS[decision] if decision else pb.SESSION_DECISION_UNSPECIFIED
