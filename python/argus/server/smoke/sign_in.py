"""Steps: a caller's token, a user, sign-in, verify, list."""

from google.protobuf.field_mask_pb2 import FieldMask

from argus.server.smoke.walk import GRANTED_SCOPE, IDENTIFIER, Step, Walk, expect, expect_that, refused, said
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users


async def client_token(walk: Walk) -> str:
    """A service gets its client token, and not with a wrong secret."""
    issued = await walk.api.issue()
    await refused(walk.api.issue(secret="a" * 43), "CALLER_CREDENTIALS_INVALID")
    return f"{issued.tokens.token_type}, for {issued.tokens.expires_in.seconds} s"


async def bad_request(walk: Walk) -> str:
    """A malformed request names its field."""
    call = walk.api.users.CreateUser(users.CreateUserRequest(parent="tenant/acme"))
    failure = await refused(call, "FIELD_INVALID")
    expect(failure.field, "parent", "field")
    return said(failure)


async def create_user(walk: Walk) -> str:
    """A user with an identifier and a password."""
    identifier = users.Identifier(kind=users.IDENTIFIER_KIND_EMAIL, value=IDENTIFIER)
    created = await walk.api.users.CreateUser(
        users.CreateUserRequest(
            parent=walk.api.parent,
            user=users.User(display_name="Ada", identifiers=[identifier]),
            password=walk.password,
        )
    )
    walk.user = created.user.name
    return walk.user


async def wrong_password(walk: Walk) -> str:
    """A wrong password is refused."""
    begun = await walk.start(IDENTIFIER)
    return said(await refused(walk.submit(begun.login_token, "not the password of Ada"), "FACTOR_REFUSED"))


async def unknown_user(walk: Walk) -> str:
    """An unknown user gets the same answers as a known one."""
    known, unknown = await walk.start(IDENTIFIER), await walk.start("nobody@example.com")
    expect(list(unknown.login.challenges), list(known.login.challenges), "challenges")
    first = await refused(walk.submit(known.login_token, "not the password of Ada"), "FACTOR_REFUSED")
    second = await refused(walk.submit(unknown.login_token, "not the password of Ada"), "FACTOR_REFUSED")
    expect((second.message, second.metadata), (first.message, first.metadata), "answer")
    return f"same answer: {said(second)}"


async def sign_in(walk: Walk) -> str:
    """The right password begins a session."""
    done = await walk.sign_in()
    expect(done.session.state, types.SESSION_STATE_ACTIVE, "session state")
    expect_that(done.device_token != "", "a device token for the new device")
    return f"{walk.session.rpartition('/')[2]}, {done.session.acr}, {'+'.join(done.session.amr)}"


async def verify(walk: Walk) -> str:
    """The access token is good."""
    verified = await walk.verify()
    expect(verified.session, walk.session, "session")
    expect(" ".join(sorted(verified.scopes)), GRANTED_SCOPE, "scopes")
    return f"OK: sub {verified.sub}, scopes {' '.join(verified.scopes)}"


async def introspect(walk: Walk) -> str:
    """The access token is active (RFC 7662)."""
    answer = await walk.api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=walk.access_token))
    expect_that(answer.active, "an active token")
    return f"active, {answer.token_type}"


async def list_sessions(walk: Walk) -> str:
    """The session is in the user's list."""
    listed = await walk.api.sessions.ListSessions(
        sessions.ListSessionsRequest(parent=walk.user, current_session=walk.session)
    )
    expect([(one.name, one.current) for one in listed.sessions], [(walk.session, True)], "sessions")
    device = listed.sessions[0].device
    return f"1 session: {device.browser} on {device.os}"


async def count_sessions(walk: Walk) -> str:
    """The session counts against the limit."""
    counted = await walk.api.sessions.CountSessions(sessions.CountSessionsRequest(parent=walk.user))
    expect(counted.active_count, 1, "active sessions")
    return f"{counted.active_count} of {counted.limit}"


async def update_session(walk: Walk) -> str:
    """The device gets a name of the user's."""
    read = await walk.api.sessions.GetSession(sessions.GetSessionRequest(name=walk.session))
    changed = types.Session(name=walk.session, etag=read.session.etag, device=types.Device(display_name="Ada's laptop"))
    mask = FieldMask(paths=["device.display_name"])
    updated = await walk.api.sessions.UpdateSession(sessions.UpdateSessionRequest(session=changed, update_mask=mask))
    expect(updated.session.device.display_name, "Ada's laptop", "display name")
    stale = walk.api.sessions.UpdateSession(sessions.UpdateSessionRequest(session=changed, update_mask=mask))
    return f"renamed; again with the old etag: {said(await refused(stale, 'ETAG_MISMATCH'))}"


STEPS: tuple[Step, ...] = (
    ("client token", client_token),
    ("bad request", bad_request),
    ("create user", create_user),
    ("wrong password", wrong_password),
    ("unknown user", unknown_user),
    ("sign in", sign_in),
    ("verify", verify),
    ("introspect", introspect),
    ("list sessions", list_sessions),
    ("count sessions", count_sessions),
    ("update session", update_session),
)
