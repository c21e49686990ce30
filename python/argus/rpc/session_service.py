"""Serves `argus.v1.SessionService`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import grpc

from argus.audit.service import Audit
from argus.base.errors import InvalidFieldError, RequestAlreadyDoneError
from argus.base.ids import session_name, user_name
from argus.base.limits import CLOCK_LEEWAY, LONGEST_ACCESS_LIFE, NEWS_BOUND
from argus.flows.history import SessionHistory
from argus.flows.notifying.payloads import event_message
from argus.flows.terminate import Terminate
from argus.flows.touch import Touch, TouchSessions
from argus.flows.vouch import Vouched, VouchedSessions
from argus.policies.service import Policies
from argus.rpc import validate
from argus.rpc.context import current_caller, origin_of
from argus.rpc.converters import termination_state
from argus.rpc.history_messages import event_filter, session_at_message
from argus.rpc.session_messages import (
    acr_level,
    amr_values,
    ended_message,
    session_message,
    session_names,
    traits,
)
from argus.sessions.model import EndReason
from argus.sessions.service import MAX_CATEGORY, MAX_DISPLAY_NAME, Sessions
from argus.users.service import Users
from argus.v1 import session_service_pb2 as pb
from argus.v1 import session_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

ONLINE_BOUND: Final = timedelta(milliseconds=500)
"""Longest time until a cached verification refuses an ended session."""

_MAX_COMMENT: Final = 200
_MAX_DEVICE_TOKEN: Final = 128
_MAX_AMR: Final = 16
_MAX_TOUCHES: Final = 1000
_DISPLAY_NAME: Final = "device.display_name"
_CATEGORY: Final = "device.category"
_REASONS: Final = frozenset(
    (EndReason.SIGNED_OUT, EndReason.ENDED_BY_USER, EndReason.ENDED_BY_ADMIN, EndReason.RISK, EndReason.USER_WIDE)
)


class SessionServicer(session_service_pb2_grpc.SessionServiceServicer):
    """Serves `argus.v1.SessionService`."""

    def __init__(
        self,
        sessions: Sessions,
        users: Users,
        policies: Policies,
        audit: Audit,
        vouched: VouchedSessions,
        touch: TouchSessions,
        terminate: Terminate,
        history: SessionHistory,
    ) -> None:
        self._sessions = sessions
        self._users = users
        self._policies = policies
        self._audit = audit
        self._vouched = vouched
        self._touch = touch
        self._terminate = terminate
        self._history = history

    async def CreateSession(self, request: pb.CreateSessionRequest, context: Context) -> pb.CreateSessionResponse:
        """Begins a session on the caller's word."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        caller, origin = current_caller(), origin_of(request)
        has_time = request.HasField("auth_time")
        vouched = Vouched(
            tenant_id=tenant_id,
            user_id=user_id,
            caller_id=caller.client_id,
            client_id=validate.client_id(request.client_id, "client_id") or caller.client_id,
            scopes=validate.scope(request.scope, "scope"),
            resource=validate.resource(request.resource, "resource"),
            acr=acr_level(request.acr, "acr", default=1),
            amr=amr_values(list(request.amr), "amr"),
            auth_time=validate.timestamp(request.auth_time, "auth_time") if has_time else None,
            traits=traits(request.client_context),
            ip_address=origin.ip_address,
            device_token=validate.text(request.device_token, "device_token", _MAX_DEVICE_TOKEN),
            proof=request.proof if request.HasField("proof") else None,
            ending=_ending(tenant_id, user_id, request.end_sessions),
        )
        created = await self._vouched.create(vouched, origin=origin)
        return pb.CreateSessionResponse(
            session=session_message(created.session), tokens=created.tokens, device_token=created.device_token
        )

    async def GetSession(self, request: pb.GetSessionRequest, context: Context) -> pb.GetSessionResponse:
        """Reads one session."""
        name = validate.session(request.name, "name")
        return pb.GetSessionResponse(session=session_message(await self._sessions.get(*name)))

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        """Lists the sessions of a user."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        if request.current_session:
            validate.session(request.current_session, "current_session")
        page = await self._sessions.page(
            tenant_id,
            user_id,
            size=validate.page_size(request.page_size),
            page_token=request.page_token,
            with_ended=request.show_ended,
        )
        shown = [session_message(one, current=request.current_session) for one in page.sessions]
        return pb.ListSessionsResponse(sessions=shown, next_page_token=page.next_page_token)

    async def CountSessions(self, request: pb.CountSessionsRequest, context: Context) -> pb.CountSessionsResponse:
        """Counts the sessions of a user or tenant that are not over."""
        if "/users/" not in request.parent:
            tenant_id = validate.tenant(request.parent, "parent")
            return pb.CountSessionsResponse(active_count=await self._sessions.count(tenant_id))
        tenant_id, user_id = validate.user(request.parent, "parent")
        user = await self._users.get(tenant_id, user_id)
        policy = await self._policies.effective(tenant_id, "", user_id, user.groups)
        count = await self._sessions.count(tenant_id, user_id)
        return pb.CountSessionsResponse(active_count=count, limit=policy.policy.session_limit)

    async def UpdateSession(self, request: pb.UpdateSessionRequest, context: Context) -> pb.UpdateSessionResponse:
        """Changes what the user calls the session's device."""
        name = validate.session(request.session.name, "session.name")
        paths = validate.mask(request.update_mask, {_DISPLAY_NAME, _CATEGORY})
        device = request.session.device
        display_name = validate.text(device.display_name, f"session.{_DISPLAY_NAME}", MAX_DISPLAY_NAME)
        category = validate.text(device.category, f"session.{_CATEGORY}", MAX_CATEGORY)
        try:
            session = await self._sessions.describe(
                *name,
                display_name=display_name if _DISPLAY_NAME in paths else None,
                category=category if _CATEGORY in paths else None,
                etag=request.session.etag,
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError:
            session = await self._sessions.get(*name)
        return pb.UpdateSessionResponse(session=session_message(session))

    async def TouchSessions(self, request: pb.TouchSessionsRequest, context: Context) -> pb.TouchSessionsResponse:
        """Takes in activity that offline verifiers saw."""
        tenant_id = validate.tenant(request.parent, "parent")
        if not 0 < len(request.touches) <= _MAX_TOUCHES:
            raise InvalidFieldError("touches", f"must have 1 to {_MAX_TOUCHES} items")
        touches = [self._one_touch(touch, f"touches[{index}]") for index, touch in enumerate(request.touches)]
        touched = await self._touch.report(tenant_id, touches)
        return pb.TouchSessionsResponse(
            ended_sessions=[session_name(tenant_id, one.user_id, one.session_id) for one in touched.ended],
            unknown_sessions=[session_name(tenant_id, one.user_id, one.session_id) for one in touched.unknown],
        )

    async def TerminateSession(
        self, request: pb.TerminateSessionRequest, context: Context
    ) -> pb.TerminateSessionResponse:
        """Ends one session."""
        name = validate.session(request.name, "name")
        ended = await self._terminate.session(
            *name,
            reason=_reason(request.reason, EndReason.ENDED_BY_ADMIN),
            comment=validate.text(request.comment, "comment", _MAX_COMMENT),
            origin=origin_of(request),
        )
        access_life = LONGEST_ACCESS_LIFE
        if ended.session is not None:
            session = session_message(ended.session)
            access_life = (await self._policies.by_revision(name[0], ended.session.policy_revision)).access
        else:
            session = ended_message(*name, at=ended.end_time, reason=ended.reason)
        return pb.TerminateSessionResponse(
            session=session,
            state=termination_state(ended.state),
            operation=ended.operation,
            online_bound=validate.to_duration(ONLINE_BOUND),
            offline_bound=validate.to_duration(NEWS_BOUND),
            # Whoever verifies may be behind by the leeway.
            offline_bound_without_stream=validate.to_duration(max(access_life + CLOCK_LEEWAY, ended.older_tokens_last)),
        )

    async def TerminateSessions(
        self, request: pb.TerminateSessionsRequest, context: Context
    ) -> pb.TerminateSessionsResponse:
        """Ends all sessions of a user, or all but one."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        keep = None
        if request.keep_session:
            kept_tenant, kept_user, keep = validate.session(request.keep_session, "keep_session")
            if (kept_tenant, kept_user) != (tenant_id, user_id):
                raise InvalidFieldError("keep_session", f"must be a session of {user_name(tenant_id, user_id)}")
        ended = await self._terminate.user(
            tenant_id,
            user_id,
            reason=_reason(request.reason, EndReason.USER_WIDE),
            keep=keep,
            client_id=validate.client_id(request.client_id, "client_id") or None,
            comment=validate.text(request.comment, "comment", _MAX_COMMENT),
            origin=origin_of(request),
        )
        return pb.TerminateSessionsResponse(
            ended_count=ended.count, state=termination_state(ended.state), operation=ended.operation
        )

    async def ListSessionEvents(
        self, request: pb.ListSessionEventsRequest, context: Context
    ) -> pb.ListSessionEventsResponse:
        """Lists what happened to a session."""
        tenant_id, user_id, session_id = validate.session(request.parent, "parent")
        await self._sessions.get(tenant_id, user_id, session_id)
        events, following = await self._audit.list_session_events(
            tenant_id,
            session_id,
            page_size=validate.page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListSessionEventsResponse(events=[event_message(one) for one in events], next_page_token=following)

    async def ListSecurityEvents(
        self, request: pb.ListSecurityEventsRequest, context: Context
    ) -> pb.ListSecurityEventsResponse:
        """Lists what concerns the safety of a user."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        matching = event_filter(request)
        await self._users.get(tenant_id, user_id)
        events, following = await self._audit.list_user_events(
            tenant_id,
            user_id,
            matching=matching,
            page_size=validate.page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListSecurityEventsResponse(events=[event_message(one) for one in events], next_page_token=following)

    async def GetSessionAt(self, request: pb.GetSessionAtRequest, context: Context) -> pb.GetSessionAtResponse:
        """Says how a session stood at an instant."""
        name = validate.session(request.name, "name")
        if not request.HasField("time"):
            raise InvalidFieldError("time", "is required")
        return session_at_message(await self._history.at(*name, validate.timestamp(request.time, "time")))

    @staticmethod
    def _one_touch(touch: pb.SessionTouch, path: str) -> Touch:
        _, user_id, session_id = validate.session(touch.name, f"{path}.name")
        active = validate.timestamp(touch.active_time, f"{path}.active_time")
        if active.timestamp() <= 0:
            raise InvalidFieldError(f"{path}.active_time", "is required")
        return Touch(user_id=user_id, session_id=session_id, active_time=active)


def _ending(tenant_id: str, user_id: str, names: Sequence[str]) -> list[str]:
    """Ids of the sessions that are to make room, which must be the user's."""
    found = session_names(names, "end_sessions")
    for place, (tenant, user, _) in enumerate(found):
        if (tenant, user) != (tenant_id, user_id):
            raise InvalidFieldError(f"end_sessions[{place}]", "is not a session of the user")
    return [session_id for _, _, session_id in found]


def _reason(number: int, default: EndReason) -> EndReason:
    """The reason that a caller gives for an end."""
    if not number:
        return default
    if number not in _REASONS:
        raise InvalidFieldError("reason", "must be one that a caller can give")
    return EndReason(number)
