"""Interceptor for servers of grpc.aio: a call comes through with a good token, or is answered here."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn, TypeAlias

import grpc

from argus.sdk.errors import VerificationError
from argus.sdk.guards.current import enter
from argus.sdk.guards.grpc_calls import behaviour_of, presented, refusal, rewrapped
from argus.sdk.model import Requirement, Verified, Verifier

__all__ = ["VerifyingInterceptor"]

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class VerifyingInterceptor(grpc.aio.ServerInterceptor):
    """Verifies the token of each call, and answers what is not let in as Argus itself does.

    UNAUTHENTICATED where another token or a stronger proof of the user would do, PERMISSION_DENIED where only more
    rights would, UNAVAILABLE where it can't be known: with `google.rpc.ErrorInfo` (docs/reference/reasons.md), and in
    the trailing metadata `www-authenticate` what HTTP would say. Handlers find who calls by
    `argus.sdk.guards.current.caller()`.
    """

    def __init__(
        self,
        verifier: Verifier,
        *,
        requirement: Callable[[str], Requirement | None] = lambda _method: Requirement(),
        realm: str = "api",
        origin: str = "",
    ) -> None:
        """Stands before all handlers of a server.

        Args:
            verifier: Says whether tokens are good.
            requirement: What a method ("/package.Service/Method") asks of its token; None: nothing, it needs none.
            realm: Name of what is protected, for challenges.
            origin: Scheme and host as clients address the service, which DPoP proofs are about (the method is POST, the
                path is that of the gRPC method). Empty: DPoP proofs are refused.
        """
        self._verifier = verifier
        self._requirement = requirement
        self._realm = realm
        self._origin = origin.rstrip("/")

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Wraps the handler of one call."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or (requirement := self._requirement(method)) is None:
            found: Handler = handler
            return found

        async def admit(context: Context) -> None:
            try:
                enter(await self._verify(method, requirement, context))
            except VerificationError as error:
                await self._refuse(error, context)

        return _wrapped(handler, admit)

    async def _verify(self, method: str, requirement: Requirement, context: Context) -> Verified:
        token, proof = presented(method, context.invocation_metadata(), context.auth_context(), origin=self._origin)
        return await self._verifier.verify(token, requirement, proof=proof)

    async def _refuse(self, error: VerificationError, context: Context) -> NoReturn:
        told = refusal(error, realm=self._realm)
        await context.abort(told.code, told.text, told.trailing)


def _wrapped(handler: Any, admit: Callable[[Context], Awaitable[None]]) -> Handler:
    """The same kind of handler, which admits the call first. Others than coroutines run on threads, without it."""
    behaviour = behaviour_of(handler)
    if not inspect.iscoroutinefunction(behaviour) and not inspect.isasyncgenfunction(behaviour):
        raise TypeError("argus.sdk guards handlers of grpc.aio that are coroutines or asynchronous generators")

    async def answer(request: Any, context: Context) -> Any:
        await admit(context)
        return await behaviour(request, context)

    async def stream(request: Any, context: Context) -> AsyncIterator[Any]:
        await admit(context)
        async for response in behaviour(request, context):
            yield response

    made: Handler = rewrapped(handler, stream if inspect.isasyncgenfunction(behaviour) else answer)
    return made
