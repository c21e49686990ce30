"""Interceptor for servers of grpc that run on threads: a call comes through with a good token, or is answered here."""

import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final, NoReturn, TypeAlias

import grpc

from argus.sdk.errors import VerificationError, VerifierUnavailableError
from argus.sdk.guards.current import enter
from argus.sdk.guards.grpc_calls import behaviour_of, presented, refusal, rewrapped
from argus.sdk.loop import LoopOverError, LoopThread
from argus.sdk.model import Requirement, Verified, Verifier

__all__ = ["SyncVerifyingInterceptor"]

Context: TypeAlias = grpc.ServicerContext
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

_PATIENCE: Final = timedelta(seconds=10)


class SyncVerifyingInterceptor(grpc.ServerInterceptor):
    """`VerifyingInterceptor` for `grpc.server`: the same answers, by the same verifier.

    The verifier lives on a `LoopThread`; the threads of the server wait for it, each for its own call and never longer
    than that has time. Handlers find who calls by `argus.sdk.guards.current.caller()`, on the thread that they are
    called on; threads that they start themselves do not know.
    """

    def __init__(
        self,
        verifier: Verifier,
        loop: LoopThread,
        *,
        requirement: Callable[[str], Requirement | None] = lambda _method: Requirement(),
        realm: str = "api",
        origin: str = "",
    ) -> None:
        """Stands before all handlers of a server.

        Args:
            verifier: Says whether tokens are good; used on `loop` alone.
            loop: Where it lives; runs for longer than the server.
            requirement: What a method ("/package.Service/Method") asks of its token; None: nothing, it needs none.
            realm: Name of what is protected, for challenges.
            origin: Scheme and host as clients address the service, which DPoP proofs are about. Empty: DPoP proofs are
                refused.
        """
        self._verifier = verifier
        self._loop = loop
        self._requirement = requirement
        self._realm = realm
        self._origin = origin.rstrip("/")

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Any],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler of one call."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or (requirement := self._requirement(method)) is None:
            found: Handler = handler
            return found

        def admit(context: Context) -> Verified:
            try:
                return self._verify(method, requirement, context)
            except VerificationError as error:
                self._refuse(error, context)

        return _wrapped(handler, admit)

    def _verify(self, method: str, requirement: Requirement, context: Context) -> Verified:
        # Lists of bytes, whatever its type says.
        shown: Any = context.auth_context()
        token, proof = presented(method, context.invocation_metadata(), shown, origin=self._origin)
        # None for calls without a deadline, whatever its type says.
        left: float | None = context.time_remaining()
        patience = _PATIENCE if left is None else min(_PATIENCE, timedelta(seconds=max(0.0, left)))
        try:
            return self._loop.run(lambda: self._verifier.verify(token, requirement, proof=proof), timeout=patience)
        except TimeoutError as error:
            raise VerifierUnavailableError(f"no verdict within {patience.total_seconds():.3g} s") from error
        except LoopOverError as error:
            raise VerifierUnavailableError(str(error)) from error

    def _refuse(self, error: VerificationError, context: Context) -> NoReturn:
        told = refusal(error, realm=self._realm)
        context.set_trailing_metadata(told.trailing)
        context.abort(told.code, told.text)
        raise AssertionError("unreachable: abort raises")


def _wrapped(handler: Any, admit: Callable[[Context], Verified]) -> Handler:
    """The same kind of handler, which admits the call first."""
    behaviour = behaviour_of(handler)
    if inspect.iscoroutinefunction(behaviour) or inspect.isasyncgenfunction(behaviour):
        raise TypeError("a coroutine is a handler of grpc.aio: guard it with VerifyingInterceptor")

    # grpc runs each call in a context of its own: the next call on the same thread does not know of this one.
    def answer(request: Any, context: Context) -> Any:
        enter(admit(context))
        return behaviour(request, context)

    def stream(request: Any, context: Context) -> Iterator[Any]:
        enter(admit(context))
        yield from behaviour(request, context)

    made: Handler = rewrapped(handler, stream if handler.response_streaming else answer)
    return made
