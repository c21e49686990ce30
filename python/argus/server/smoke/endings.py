"""Steps: every way a session ends, and that its tokens are refused afterwards."""

from datetime import timedelta

from argus.server.smoke.walk import Step, Walk, expect, refused, said
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users


async def terminate(walk: Walk) -> str:
    """An administrator ends a session; ending it again tells the first end."""
    await walk.sign_in()
    request = sessions.TerminateSessionRequest(name=walk.session, comment="smoke")
    ended = await walk.api.sessions.TerminateSession(request)
    expect(ended.state, types.TERMINATION_STATE_ENDED, "state")
    again = await walk.api.sessions.TerminateSession(request)
    expect(again.session.end_time, ended.session.end_time, "end time of the second end")
    return types.EndReason.Name(ended.session.end_reason)


async def refused_verify(walk: Walk) -> str:
    """The access token of an ended session is refused."""
    return said(await refused(walk.verify(), "SESSION_ENDED", endReason="ENDED_BY_ADMIN"))


async def refused_refresh(walk: Walk) -> str:
    """So is its refresh token."""
    call = walk.refresh(walk.refresh_tokens[-1])
    return said(await refused(call, "SESSION_ENDED", endReason="ENDED_BY_ADMIN"))


async def idle_end(walk: Walk) -> str:
    """A session that is not used for 8 hours ends, and the sweeper writes it down."""
    done = await walk.sign_in()
    idle = done.session.idle_expire_time.ToDatetime() - done.session.create_time.ToDatetime()
    await walk.stack.advance(idle + timedelta(seconds=6))
    failure = await refused(walk.refresh(walk.refresh_tokens[-1]), "SESSION_ENDED", endReason="IDLE_TIMEOUT")
    await _is_ended(walk, types.END_REASON_IDLE_TIMEOUT)
    return said(failure)


async def absolute_end(walk: Walk) -> str:
    """A session ends after 24 hours, however much it is used."""
    done = await walk.sign_in()
    left = done.session.absolute_expire_time.ToDatetime() - done.session.create_time.ToDatetime()
    stride = timedelta(hours=6)
    while left > stride:
        await walk.stack.advance(stride)
        left -= stride
        answer = await walk.refresh(walk.refresh_tokens[-1])
        walk.refresh_tokens.append(answer.tokens.refresh_token)
    # Its refresh token expires with the session, so that is the answer; the session says why.
    await walk.stack.advance(left + timedelta(seconds=1))
    failure = await refused(walk.refresh(walk.refresh_tokens[-1]), "TOKEN_INVALID")
    await _is_ended(walk, types.END_REASON_ABSOLUTE_TIMEOUT)
    return f"{said(failure)}; session: ABSOLUTE_TIMEOUT"


async def revoke(walk: Walk) -> str:
    """Revoking a token ends its session (RFC 7009), and introspection says inactive."""
    await walk.sign_in()
    await walk.api.tokens.RevokeToken(tokens.RevokeTokenRequest(token=walk.refresh_tokens[-1]))
    failure = await refused(walk.verify(), "SESSION_ENDED", endReason="TOKEN_REVOKED")
    answer = await walk.api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=walk.access_token))
    expect(answer, tokens.IntrospectTokenResponse(active=False), "introspection")
    return f"{said(failure)}; introspection: inactive"


async def disable_user(walk: Walk) -> str:
    """Disabling a user ends all sessions, and no new one begins."""
    await walk.sign_in()
    first = walk.access_token
    await walk.sign_in()
    await walk.api.users.DisableUser(users.DisableUserRequest(name=walk.user, comment="smoke"))
    failure = await refused(walk.verify(first), "SESSION_ENDED", endReason="USER_DISABLED")
    await refused(walk.verify(), "SESSION_ENDED", endReason="USER_DISABLED")
    counted = await walk.api.sessions.CountSessions(sessions.CountSessionsRequest(parent=walk.user))
    expect(counted.active_count, 0, "active sessions")
    await refused(walk.sign_in(), "FACTOR_REFUSED")
    return said(failure)


async def _is_ended(walk: Walk, reason: int) -> None:
    await walk.stack.server.argus.sweeper.sweep()
    read = await walk.api.sessions.GetSession(sessions.GetSessionRequest(name=walk.session))
    expect(read.session.state, types.SESSION_STATE_ENDED, "state")
    expect(read.session.end_reason, reason, "end reason")


STEPS: tuple[Step, ...] = (
    ("terminate", terminate),
    ("refused verify", refused_verify),
    ("refused refresh", refused_refresh),
    ("idle end", idle_end),
    ("absolute end", absolute_end),
    ("revoke", revoke),
    ("disable user", disable_user),
)
