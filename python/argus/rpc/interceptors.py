"""What stands before every handler.

Left alone, grpc.aio tells the caller an exception's text. Here an `ArgusError` is sent in full, anything else as a bare
INTERNAL with the request id. The same place knows the request id, the deadline, the log line and the metrics.
"""

import asyncio
import inspect
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias

import grpc
import structlog
from google.rpc import code_pb2, status_pb2

from argus.base.errors import ArgusError, Code, OverloadedError, UnavailableError
from argus.base.ids import new_id
from argus.rpc.context import Call, enter_call, peer_address
from argus.rpc.errors import (
    DeadlineError,
    DefectError,
    MethodUnknownError,
    StatusError,
    reason_of,
    to_status,
)
from argus.rpc.metrics import RpcMetrics

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER: Final = "x-request-id"
STATUS_HEADER: Final = "grpc-status-details-bin"
PEER_HEADER: Final = "x-argus-door-peer"
"""Metadata of the front door: the caller's address. It takes out what callers send under its names."""
CALL_HEADER: Final = "x-argus-door-call"
"""Its own id of a hot call that it has asked the engine about."""
NEED_HEADER: Final = "x-argus-door-need-bin"
"""What the engine said that it needs."""
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_OVERLOAD_PAUSE: Final = timedelta(seconds=1)
# The cause of an UNAVAILABLE: the client would have waited on.
_SERVER_DEADLINE: Final = "SERVER_DEADLINE"
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class CallInterceptor(grpc.aio.ServerInterceptor):
    """The outermost interceptor: request id, deadline, errors, log line, metrics."""

    def __init__(
        self,
        *,
        metrics: RpcMetrics,
        longest: timedelta,
        most_calls: int,
        digest_key: bytes,
        known_methods: frozenset[str],
        is_behind_door: bool,
    ) -> None:
        """Stands before every handler.

        Args:
            metrics: Where calls are counted.
            longest: Deadlines beyond it are cut to it; also that of calls without one.
            most_calls: Calls answered at a time, and streams of each method; more are turned away at once.
            digest_key: Key of request digests (`Origin.request_sha256`).
            known_methods: RPCs of Argus; all others share one label in the metrics.
            is_behind_door: Only the front door can call, which tells who does.
        """
        self._metrics = metrics
        self._longest = longest.total_seconds()
        self._most_calls = most_calls
        self._running = 0
        self._streams: Counter[str] = Counter()
        self._digest_key = digest_key
        self._known_methods = known_methods
        self._is_behind_door = is_behind_door

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler of one call, or answers that there is none."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None:
            # Streaming, so that it answers before it reads a request.
            return grpc.stream_stream_rpc_method_handler(self._unknown(method))
        if handler.request_streaming or handler.response_streaming:
            return self._streaming(method, handler)
        return grpc.unary_unary_rpc_method_handler(
            self._unary(method, handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _unary(self, method: str, behaviour: Any) -> Callable[..., Awaitable[Any]]:
        async def answer(request: Any, context: Context) -> Any:
            async with self._guard(method, context) as call:
                with self._place():
                    return await _in_time(behaviour(request, context), call)

        return answer

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Raises `OverloadedError` where as many calls are answered as may be."""
        if self._running >= self._most_calls:
            raise OverloadedError(_OVERLOAD_PAUSE)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    @contextmanager
    def _stream(self, method: str) -> Iterator[None]:
        """The same for streams, of each method by itself: they last, and must not take the places of calls."""
        if self._streams[method] >= self._most_calls:
            raise OverloadedError(_OVERLOAD_PAUSE)
        self._streams[method] += 1
        try:
            yield
        finally:
            self._streams[method] -= 1

    def _unknown(self, method: str) -> Callable[..., Awaitable[None]]:
        async def answer(_requests: Any, context: Context) -> None:
            async with self._guard(method, context):
                raise MethodUnknownError

        return answer

    def _streaming(self, method: str, handler: Any) -> Handler:
        """Watches and reflection: no deadline, but their failures are told like all others."""
        behaviour = handler.stream_stream or handler.unary_stream or handler.stream_unary

        async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self._guard(method, context):
                with self._stream(method):
                    async with aclosing(behaviour(request, context)) as responses:
                        async for response in responses:
                            yield response

        async def write(request: Any, context: Context) -> Any:
            async with self._guard(method, context):
                with self._stream(method):
                    return await behaviour(request, context)

        make: Any = grpc.stream_stream_rpc_method_handler
        if handler.stream_unary:
            make = grpc.stream_unary_rpc_method_handler
        elif handler.unary_stream:
            make = grpc.unary_stream_rpc_method_handler
        wrapped = stream if inspect.isasyncgenfunction(behaviour) else write
        made: Handler = make(wrapped, handler.request_deserializer, handler.response_serializer)
        return made

    @asynccontextmanager
    async def _guard(self, method: str, context: Context) -> AsyncIterator[Call]:
        started = time.perf_counter()
        call = self._enter(method, context)
        self._metrics.started()
        outcome = ("CANCELLED", "")
        try:
            yield call
            outcome = ("OK", "")
        except grpc.aio.AbortError:
            outcome = (_code_name(context.code()), "")
            raise
        except Exception as error:  # noqa: BLE001 - the last place before grpcio would tell its text
            status = self._status_of(error, call)
            outcome = (code_pb2.Code.Name(status.code), reason_of(status))
            await _send(status, call, context)
        finally:
            self._finish(call, outcome, time.perf_counter() - started)

    def _enter(self, method: str, context: Context) -> Call:
        received: list[tuple[str, Any]] = list(context.invocation_metadata() or ())
        # Of several the first counts, as at the door: else the two would go by other tokens.
        metadata = {key: value for key, value in reversed(received) if isinstance(value, str)}
        # Without the door anybody could say so.
        told = metadata if self._is_behind_door else {}
        needs = [value for key, value in received if key == NEED_HEADER and isinstance(value, bytes)]
        given = metadata.get(REQUEST_ID_HEADER, "")
        # None for calls without a deadline, whatever its type says.
        remaining: float | None = context.time_remaining()
        seconds = self._longest if remaining is None else max(0.0, min(remaining, self._longest))
        call = Call(
            method=method,
            request_id=given if _REQUEST_ID.fullmatch(given) else new_id(),
            peer=told.get(PEER_HEADER, "") if self._is_behind_door else peer_address(context.peer()),
            call_id=told.get(CALL_HEADER, ""),
            need=needs[0] if needs and self._is_behind_door else b"",
            authorization=metadata.get("authorization"),
            deadline_ms=int(seconds * 1000),
            is_cut=remaining is None or remaining > self._longest,
            digest_key=self._digest_key,
        )
        enter_call(call)
        context.set_trailing_metadata(((REQUEST_ID_HEADER, call.request_id),))
        return call

    def _status_of(self, error: Exception, call: Call) -> status_pb2.Status:
        if isinstance(error, StatusError | ArgusError):
            status = error.status if isinstance(error, StatusError) else to_status(error)
            if status.code == Code.DEADLINE_EXCEEDED and call.is_cut:
                return to_status(UnavailableError("argus", cause=_SERVER_DEADLINE))
            return status
        log.error("rpc.failed", method=call.method, request_id=call.request_id, exc_info=error)
        return to_status(DefectError(call.request_id))

    def _finish(self, call: Call, outcome: tuple[str, str], seconds: float) -> None:
        code, reason = outcome
        method = call.method if call.method in self._known_methods else "other"
        self._metrics.answered(method, code, reason, seconds)
        # Good hot calls and health checks are too many for a line each; the metrics count them.
        is_quiet = code == "OK" and (call.is_hot or method == "other")
        caller = call.caller
        (log.debug if is_quiet else log.info)(
            "rpc.answered",
            method=call.method,
            status=code,
            reason=reason,
            duration_ms=round(seconds * 1000, 3),
            tenant_id=caller.tenant_id if caller else "",
            caller=caller.client_id if caller else "",
            request_id=call.request_id,
        )


async def _in_time(answering: Awaitable[Any], call: Call) -> Any:
    """The answer, or `DeadlineError` at the deadline, even while a store that hangs holds up the cancelling."""
    task = asyncio.ensure_future(answering)
    task.add_done_callback(_forget)
    try:
        done, _ = await asyncio.wait([task], timeout=call.deadline_ms / 1000)
    finally:
        task.cancel()  # without effect on one that is done
    if not done:
        raise DeadlineError
    return task.result()


def _forget(task: asyncio.Future[Any]) -> None:
    """Looks at the outcome, which nobody else does where the call was answered or given up without it."""
    if not task.cancelled():
        task.exception()


async def _send(status: status_pb2.Status, call: Call, context: Context) -> None:
    await context.abort(
        _CODES.get(status.code, grpc.StatusCode.UNKNOWN),
        status.message,
        ((REQUEST_ID_HEADER, call.request_id), (STATUS_HEADER, status.SerializeToString())),
    )


def _code_name(code: Any) -> str:
    if isinstance(code, grpc.StatusCode):
        return code.name
    return _CODES[code].name if code in _CODES else "UNKNOWN"
