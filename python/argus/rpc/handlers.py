"""Puts servicers behind authentication, decoding and the general checks.

The generated `add_…_to_server` functions are not used: they would let grpcio decode the request, and it answers bytes
that it cannot decode with an INTERNAL of its own making.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from argus import _core
from argus.flows.snapshot import Snapshot
from argus.rpc.access import AccessRule, access_rule, authenticate
from argus.rpc.context import Call, Caller, current_call
from argus.rpc.entitled import Entitled, Subscriptions, entitled
from argus.rpc.errors import StatusError
from argus.rpc.requests import decode

Behaviour: TypeAlias = Callable[[Message, grpc.aio.ServicerContext[Any, Any]], Awaitable[Message]]
Streaming: TypeAlias = Callable[[Message, grpc.aio.ServicerContext[Any, Any]], AsyncGenerator[Message, None]]
Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]

_TRUST: Final = timedelta(seconds=5)
"""How long a stream goes on before its caller's token is looked at again."""


class HotAnswers(Protocol):
    """Answers the hot RPCs: bytes in, bytes out."""

    async def answer(
        self,
        method: str,
        request: bytes,
        *,
        authorization: str | None,
        request_id: str,
        deadline_ms: int,
        call_id: str = "",
        need: bytes = b"",
    ) -> tuple[int, bytes]:
        """(0, encoded response) or (1, encoded google.rpc.Status)."""
        ...


_Answers = TypeVar("_Answers")


class _ServicerCall(Generic[_Answers]):
    """An RPC that a servicer answers, one way or the other."""

    def __init__(
        self,
        engine: _core.Engine,
        snapshot: Snapshot,
        rule: AccessRule,
        needs: Entitled,
        request_class: type[Message],
        behaviour: _Answers,
    ) -> None:
        self._engine = engine
        self._snapshot = snapshot
        self._rule = rule
        self._needs = needs
        self._request_class = request_class
        self._behaviour = behaviour

    async def _authenticate(self, call: Call) -> Caller:
        return await authenticate(self._engine, self._snapshot, self._rule, call)


class ManagementCall(_ServicerCall[Behaviour]):
    """An RPC that a servicer answers."""

    async def __call__(self, encoded: bytes, context: Context) -> bytes:
        """Answers one request."""
        call = current_call()
        call.caller = await self._authenticate(call)
        request = decode(self._request_class, encoded)
        await self._needs.check(call, request)
        response = await self._behaviour(request, context)
        return response.SerializeToString()


class StreamCall(_ServicerCall[Streaming]):
    """An RPC that a servicer answers by a stream. It is as good as its caller's token, and ends with it."""

    async def answer(self, encoded: bytes, context: Context) -> AsyncGenerator[bytes, None]:
        """Answers one request, message by message."""
        call, time = current_call(), asyncio.get_running_loop().time
        call.caller = await self._authenticate(call)
        trusted_until = time() + _TRUST.total_seconds()
        request = decode(self._request_class, encoded)
        await self._needs.check(call, request)
        async with aclosing(self._behaviour(request, context)) as responses:
            async for response in responses:
                if time() > trusted_until:
                    await self._authenticate(call)
                    trusted_until = time() + _TRUST.total_seconds()
                yield response.SerializeToString()


class HotCall:
    """An RPC that the engine answers; it authenticates and checks by itself."""

    def __init__(self, hot: HotAnswers, method: str) -> None:
        self._hot = hot
        self._method = method

    async def __call__(self, encoded: bytes, _context: Context) -> bytes:
        """Answers one request."""
        call = current_call()
        call.is_hot = True
        outcome, answer = await self._hot.answer(
            self._method,
            encoded,
            authorization=call.authorization,
            request_id=call.request_id,
            deadline_ms=call.deadline_ms,
            call_id=call.call_id,
            need=call.need,
        )
        if outcome != 0:
            raise StatusError.from_bytes(answer)
        return answer


def service_handler(
    service: ServiceDescriptor,
    servicer: object,
    *,
    engine: _core.Engine,
    snapshot: Snapshot,
    plans: Subscriptions,
    hot: HotAnswers,
) -> grpc.GenericRpcHandler:
    """The handler of all RPCs of a service.

    Args:
        service: Its descriptor.
        servicer: Has a method for each RPC that is not a hot one.
        engine: Authenticates callers.
        snapshot: What the engine knows.
        plans: What the callers' tenants have bought.
        hot: Answers the hot RPCs.

    Raises:
        AccessRuleMissingError: An RPC does not say who may call it.
        EntitlementMissingError: It is not said what was bought with one.
        TypeError: The servicer lacks a method.
    """
    handlers: dict[str, Any] = {}
    for method in service.methods:
        path = method_path(service, method)
        rule = access_rule(service, method)
        needs = entitled(service, method, plans)
        if path in _core.HOT_METHODS:
            answer: Callable[..., Awaitable[bytes]] = HotCall(hot, path)
        else:
            request_class = message_factory.GetMessageClass(method.input_type)
            behaviour = _behaviour(servicer, method)
            if method.server_streaming:
                stream = StreamCall(engine, snapshot, rule, needs, request_class, behaviour)
                handlers[method.name] = grpc.unary_stream_rpc_method_handler(stream.answer)
                continue
            answer = ManagementCall(engine, snapshot, rule, needs, request_class, behaviour)
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(answer)
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def method_path(service: ServiceDescriptor, method: MethodDescriptor) -> str:
    """Full name of an RPC as it travels."""
    return f"/{service.full_name}/{method.name}"


def method_paths(services: Iterable[ServiceDescriptor]) -> frozenset[str]:
    """Full names of all RPCs of some services."""
    return frozenset(method_path(service, method) for service in services for method in service.methods)


def _behaviour(servicer: object, method: MethodDescriptor) -> Any:
    found = type(servicer).__dict__.get(method.name)
    if found is None:
        # The generated base class would answer it by a bare UNIMPLEMENTED.
        raise TypeError(f"{type(servicer).__name__} does not serve {method.full_name}")
    return getattr(servicer, method.name)
