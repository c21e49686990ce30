"""Puts a token on the calls of a channel that threads use, and takes another one where it is not taken."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import grpc

from argus.sdk.loop import LoopThread
from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.interceptors import AUTHORIZATION, is_about_own_token
from argus.sdk.tokens.renewal import TokenSource

__all__ = ["sync_client_interceptors"]

Continue: TypeAlias = Callable[[Any, Any], Any]


class _Details(NamedTuple):
    """Those of a call, whatever the interceptor before has made them of."""

    method: str
    timeout: float | None
    metadata: list[tuple[str, str | bytes]]
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _CallDetails(_Details, grpc.ClientCallDetails):  # type: ignore[misc]  # its type knows tuples only
    pass


def sync_client_interceptors(tokens: TokenSource, loop: LoopThread) -> list[Any]:
    """Interceptors for every kind of call, for `grpc.intercept_channel(channel, *…)`.

    They do what `client_interceptors` does. A call that is made by `future` and not answered at once is not made once
    more, for that would have to wait for it; the next one has another token.

    Args:
        tokens: Where tokens come from; used on `loop` alone.
        loop: Where it lives; runs for longer than the channel.
    """
    return [_Bearer(tokens, loop)]


class _Bearer(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, tokens: TokenSource, loop: LoopThread) -> None:
        self._tokens = tokens
        self._loop = loop

    def intercept_unary_unary(self, continuation: Continue, client_call_details: Any, request: Any) -> Any:
        """Makes a call that is refused for its token once more with another one: nothing was done yet."""
        details, token = self._put(client_call_details)
        call = continuation(details, request)
        if not token:
            return call
        if not call.done():
            return self._watched(call, token)
        if not _is_refused(call):
            return call
        self._loop.run(self._refuse(token))
        details, another = self._put(client_call_details)
        return call if another == token else continuation(details, request)

    def intercept_unary_stream(self, continuation: Continue, client_call_details: Any, request: Any) -> Any:
        """Begins a stream. One that is refused is not begun again; the next one has another token."""
        return self._begin(continuation, client_call_details, request)

    def intercept_stream_unary(self, continuation: Continue, client_call_details: Any, request_iterator: Any) -> Any:
        """The same."""
        return self._begin(continuation, client_call_details, request_iterator)

    def intercept_stream_stream(self, continuation: Continue, client_call_details: Any, request_iterator: Any) -> Any:
        """The same."""
        return self._begin(continuation, client_call_details, request_iterator)

    def _begin(self, continuation: Continue, client_call_details: Any, request: Any) -> Any:
        details, token = self._put(client_call_details)
        call = continuation(details, request)
        return self._watched(call, token) if token else call

    def _put(self, details: Any) -> tuple[Any, str]:
        """The call's details with a token, and the token; empty where the call has brought one."""
        metadata = list(details.metadata or ())
        if any(key == AUTHORIZATION for key, _ in metadata):
            return details, ""
        token = self._loop.run(self._tokens.token)
        metadata.append((AUTHORIZATION, f"Bearer {token}"))
        return _CallDetails(
            method=details.method,
            timeout=details.timeout,
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=getattr(details, "wait_for_ready", None),
            compression=getattr(details, "compression", None),
        ), token

    def _watched(self, call: Any, token: str) -> Any:
        def look(ended: Any) -> None:
            if _is_refused(ended):
                self._loop.tell(lambda: self._tokens.refused(token))

        call.add_done_callback(look)
        return call

    def _refuse(self, token: str) -> Callable[[], Any]:
        async def refuse() -> None:
            self._tokens.refused(token)

        return refuse


def _is_refused(call: Any) -> bool:
    code = call.code()
    return code is grpc.StatusCode.UNAUTHENTICATED and is_about_own_token(Told.of(code, call.trailing_metadata()))
