"""The RPCs that the benchmarks call."""

import asyncio
import functools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from redis.exceptions import RedisError

from argus.v1 import session_service_pb2 as sessions
from argus.v1 import session_service_pb2_grpc, token_service_pb2_grpc
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from bench.peers.naive.store import IDLE, SessionEndedError, Sessions
from bench.peers.naive.tokens import ACCESS_LIFE, CLIENT_LIFE, Session, TokenRefusedError, Tokens

Context = grpc.aio.ServicerContext[Any, Any]
P = ParamSpec("P")
T = TypeVar("T")

CLIENT_ID: Final = "backend"
CLIENT_SECRET: Final = "naive"  # noqa: S105
"""The only client, which every user belongs to. Nothing of it outlives a benchmark."""

_ABSOLUTE: Final = 86_400
_LONGEST_SECONDS: Final = 10.0
_MOST_CALLERS: Final = 1000


class Callers:
    """Who calls. A token that was verified is good until it expires, so it is not verified again."""

    def __init__(self, own: Tokens) -> None:
        self._tokens = own
        self._known: dict[str, tuple[float, str]] = {}

    def client_id(self, context: Context) -> str:
        """The client of the call's token.

        Raises:
            TokenRefusedError: It has none that is good.
        """
        bearer = next((value for key, value in context.invocation_metadata() or () if key == "authorization"), "")
        known = self._known.get(str(bearer))
        if known and time.time() < known[0]:
            return known[1]
        claims = self._tokens.read_client(str(bearer).removeprefix("Bearer "))
        if len(self._known) >= _MOST_CALLERS:
            self._known.clear()
        self._known[str(bearer)] = (claims["exp"], claims["client_id"])
        return str(claims["client_id"])


def answers(behaviour: Callable[Concatenate[Any, Any, Context, P], Awaitable[T]]) -> Any:
    """Turns what a handler raises into codes, and keeps the deadline."""

    @functools.wraps(behaviour)
    async def answer(self: Any, request: Any, context: Context, *args: P.args, **kwargs: P.kwargs) -> T:
        async with _codes(context), asyncio.timeout(_seconds(context)):
            return await behaviour(self, request, context, *args, **kwargs)

    return answer


@asynccontextmanager
async def _codes(context: Context) -> AsyncIterator[None]:
    try:
        yield
    except TokenRefusedError:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is not good")
    except SessionEndedError:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the session has ended")
    except (RedisError, TimeoutError):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "try again")


def _seconds(context: Context) -> float:
    remaining: float | None = context.time_remaining()
    return _LONGEST_SECONDS if remaining is None else min(remaining, _LONGEST_SECONDS)


class TokenService(token_service_pb2_grpc.TokenServiceServicer):
    """Serves `argus.v1.TokenService`, as far as the benchmarks call it."""

    def __init__(self, own: Tokens, store: Sessions, *, client_id: str, client_secret: str) -> None:
        self._tokens = own
        self._sessions = store
        self._callers = Callers(own)
        self._client = (client_id, client_secret)

    @answers
    async def IssueClientToken(  # noqa: N802 - grpc's name
        self, request: tokens.IssueClientTokenRequest, _context: Context
    ) -> tokens.IssueClientTokenResponse:
        """Gives a service its token."""
        client_id, secret = self._client
        if request.client_id != client_id or not secrets.compare_digest(request.client_secret, secret):
            raise TokenRefusedError
        token = types.TokenSet(
            access_token=self._tokens.client(client_id, request.scope),
            token_type="Bearer",  # noqa: S106 - the kind of the token
            expires_in=Duration(seconds=CLIENT_LIFE),
        )
        return tokens.IssueClientTokenResponse(tokens=token)

    @answers
    async def VerifyAccessToken(  # noqa: N802
        self, request: tokens.VerifyAccessTokenRequest, context: Context
    ) -> tokens.VerifyAccessTokenResponse:
        """Says whether an access token is good: its signature, and its session in Redis."""
        self._callers.client_id(context)
        claims = self._tokens.read_access(request.access_token)
        await self._sessions.check(claims["sid"])
        scopes = claims["scope"].split()
        if not set(request.required_scopes) <= set(scopes):
            raise TokenRefusedError
        return tokens.VerifyAccessTokenResponse(
            session=f"{claims['sub']}/sessions/{claims['sid']}",
            iss=claims["iss"],
            sub=claims["sub"],
            client_id=claims["client_id"],
            jti=claims["jti"],
            aud=[claims["aud"]],
            scopes=scopes,
            acr=claims["acr"],
            amr=claims["amr"],
            auth_time=Timestamp(seconds=claims["auth_time"]),
            expire_time=Timestamp(seconds=claims["exp"]),
            state_time=_now(),
        )

    @answers
    async def RefreshToken(  # noqa: N802
        self, request: tokens.RefreshTokenRequest, context: Context
    ) -> tokens.RefreshTokenResponse:
        """Changes a refresh token for new tokens."""
        client_id = self._callers.client_id(context)
        claims = self._tokens.read_refresh(request.refresh_token)
        if claims["client_id"] != client_id:
            raise TokenRefusedError
        generation = await self._sessions.rotate(claims["sid"], claims["gen"])
        session = Session(
            session_id=claims["sid"],
            user=claims["sub"],
            client_id=client_id,
            scope=claims["scope"],
            acr=claims["acr"],
            amr=claims["amr"],
            auth_time=claims["auth_time"],
            absolute_deadline=claims["exp"],
            generation=generation,
        )
        now = int(time.time())
        return tokens.RefreshTokenResponse(
            tokens=token_set(self._tokens, session, now),
            session=f"{session.user}/sessions/{session.session_id}",
            idle_expire_time=Timestamp(seconds=now + IDLE),
            absolute_expire_time=Timestamp(seconds=session.absolute_deadline),
        )


class SessionService(session_service_pb2_grpc.SessionServiceServicer):
    """Serves `argus.v1.SessionService`, as far as the benchmarks call it."""

    def __init__(self, own: Tokens, store: Sessions) -> None:
        self._tokens = own
        self._sessions = store
        self._callers = Callers(own)

    @answers
    async def CreateSession(  # noqa: N802
        self, request: sessions.CreateSessionRequest, context: Context
    ) -> sessions.CreateSessionResponse:
        """Begins a session of a user whom the caller has authenticated."""
        client_id = self._callers.client_id(context)
        now = int(time.time())
        session = Session(
            session_id=secrets.token_urlsafe(18),
            user=request.parent,
            client_id=client_id,
            scope=request.scope,
            acr=request.acr or "urn:argus:acr:1",
            amr=list(request.amr),
            auth_time=now,
            absolute_deadline=now + _ABSOLUTE,
        )
        agent, address = request.client_context.user_agent, request.client_context.ip_address
        told = {"client": client_id, "scope": session.scope, "acr": session.acr, "amr": " ".join(session.amr)}
        fields: dict[str, str | int] = {**told, "auth_time": now, "user_agent": agent, "ip_address": address}
        await self._sessions.create(session.session_id, session.user, fields, session.absolute_deadline)
        name = f"{session.user}/sessions/{session.session_id}"
        return sessions.CreateSessionResponse(
            session=types.Session(name=name, client_id=client_id), tokens=token_set(self._tokens, session, now)
        )

    @answers
    async def TerminateSession(  # noqa: N802
        self, request: sessions.TerminateSessionRequest, context: Context
    ) -> sessions.TerminateSessionResponse:
        """Ends a session."""
        self._callers.client_id(context)
        await self._sessions.end(request.name.rpartition("/")[2])
        return sessions.TerminateSessionResponse()


def _now() -> Timestamp:
    moment = Timestamp()
    moment.GetCurrentTime()
    return moment


def token_set(own: Tokens, session: Session, now: int) -> types.TokenSet:
    """Both tokens of a session, as OAuth 2.0 names them."""
    return types.TokenSet(
        access_token=own.access(session),
        token_type="Bearer",  # noqa: S106 - the kind of the token
        expires_in=Duration(seconds=ACCESS_LIFE),
        refresh_token=own.refresh(session),
        refresh_expires_in=Duration(seconds=session.absolute_deadline - now),
        scope=session.scope,
    )
