"""Puts a token on the calls of a channel of grpc.aio, and takes another one where it is not taken."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import grpc

from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.renewal import TokenSource

__all__ = ["AUTHORIZATION", "client_interceptors", "is_about_own_token"]

AUTHORIZATION: Final = "authorization"
_REFUSED: Final = frozenset({"TOKEN_INVALID", "SESSION_ENDED"})


def client_interceptors(tokens: TokenSource) -> list[grpc.aio.ClientInterceptor]:
    """Interceptors for every kind of call, for `grpc.aio.secure_channel(…, interceptors=…)`.

    A call that says `authorization` itself keeps it. A call of one request and one answer that is refused because its
    token is not taken is made once more with another token: the refusal comes before anything is done.

    Args:
        tokens: Where tokens come from.
    """
    bearer = _Bearer(tokens)
    return [_UnaryUnary(bearer), _UnaryStream(bearer), _StreamUnary(bearer), _StreamStream(bearer)]


class _Bearer:
    def __init__(self, tokens: TokenSource) -> None:
        self.tokens = tokens
        # Else nobody holds them until they are done.
        self._looks: set[asyncio.Task[None]] = set()

    async def put(self, details: Any) -> tuple[Any, str]:
        """The call's details with a token, and the token; empty where the call has brought one."""
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        if any(key == AUTHORIZATION for key, _ in metadata):
            return details, ""
        token = await self.tokens.token()
        metadata.add(AUTHORIZATION, f"Bearer {token}")
        return details._replace(metadata=metadata), token

    async def begin(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Begins a stream. One that is refused is not begun again here; the next one has another token."""
        details, token = await self.put(client_call_details)
        call = await continuation(details, request)
        if token:
            call.add_done_callback(lambda _: self._ended(call, token))
        return call

    def _ended(self, call: Any, token: str) -> None:
        task = asyncio.get_running_loop().create_task(self._look(call, token))
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _look(self, call: Any, token: str) -> None:
        if await call.code() is grpc.StatusCode.UNAUTHENTICATED and await _is_about(call):
            self.tokens.refused(token)


class _UnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, bearer: _Bearer) -> None:
        self._bearer = bearer

    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        details, token = await self._bearer.put(client_call_details)
        call = await continuation(details, request)
        if not token or await call.code() is not grpc.StatusCode.UNAUTHENTICATED or not await _is_about(call):
            return call
        self._bearer.tokens.refused(token)
        details, another = await self._bearer.put(client_call_details)
        return call if another == token else await continuation(details, request)


class _UnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, bearer: _Bearer) -> None:
        self._bearer = bearer

    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request: Any
    ) -> Any:
        return await self._bearer.begin(continuation, client_call_details, request)


class _StreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    def __init__(self, bearer: _Bearer) -> None:
        self._bearer = bearer

    async def intercept_stream_unary(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._bearer.begin(continuation, client_call_details, request_iterator)


class _StreamStream(grpc.aio.StreamStreamClientInterceptor):
    def __init__(self, bearer: _Bearer) -> None:
        self._bearer = bearer

    async def intercept_stream_stream(
        self, continuation: Callable[..., Any], client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._bearer.begin(continuation, client_call_details, request_iterator)


async def _is_about(call: Any) -> bool:
    return is_about_own_token(Told.of(await call.code(), await call.trailing_metadata()))


def is_about_own_token(told: Told) -> bool:
    """Whether it is the call's own token that was refused: a RefreshToken is about another one."""
    return told.reason == "CALLER_TOKEN_INVALID" or (bool(told.challenge) and told.reason in _REFUSED)
