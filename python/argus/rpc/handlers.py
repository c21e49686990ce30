"""Puts servicers behind authentication, decoding and the general checks.

The generated `add_…_to_server` functions are not used: they would let grpcio decode the request, and it answers bytes
that it cannot decode with an INTERNAL of its own making.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

from argus import _core
from argus.rpc.access import AccessRule, access_rule, authenticate
from argus.rpc.context import current_call
from argus.rpc.errors import StatusError
from argus.rpc.requests import decode

Behaviour: TypeAlias = Callable[[Message, grpc.aio.ServicerContext[Any, Any]], Awaitable[Message]]
Context: TypeAlias = grpc.aio.ServicerContext[bytes, bytes]


class HotAnswers(Protocol):
    """Answers the hot RPCs: bytes in, bytes out."""

    async def answer(
        self, method: str, request: bytes, *, authorization: str | None, request_id: str, deadline_ms: int
    ) -> tuple[int, bytes]:
        """(0, encoded response) or (1, encoded google.rpc.Status)."""
        ...


class ManagementCall:
    """An RPC that a servicer answers."""

    def __init__(
        self, engine: _core.Engine, rule: AccessRule, request_class: type[Message], behaviour: Behaviour
    ) -> None:
        self._engine = engine
        self._rule = rule
        self._request_class = request_class
        self._behaviour = behaviour

    async def __call__(self, encoded: bytes, context: Context) -> bytes:
        """Answers one request."""
        call = current_call()
        call.caller = authenticate(self._engine, self._rule, call)
        request = decode(self._request_class, encoded)
        response = await self._behaviour(request, context)
        return response.SerializeToString()


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
        )
        if outcome != 0:
            raise StatusError.from_bytes(answer)
        return answer


def service_handler(
    service: ServiceDescriptor, servicer: object, *, engine: _core.Engine, hot: HotAnswers
) -> grpc.GenericRpcHandler:
    """The handler of all RPCs of a service.

    Args:
        service: Its descriptor.
        servicer: Has a method for each RPC that is not a hot one.
        engine: Authenticates callers.
        hot: Answers the hot RPCs.

    Raises:
        AccessRuleMissingError: An RPC does not say who may call it.
        TypeError: The servicer lacks a method.
    """
    handlers: dict[str, Any] = {}
    for method in service.methods:
        path = method_path(service, method)
        rule = access_rule(service, method)
        if path in _core.HOT_METHODS:
            answer: Callable[..., Awaitable[bytes]] = HotCall(hot, path)
        else:
            request_class = message_factory.GetMessageClass(method.input_type)
            answer = ManagementCall(engine, rule, request_class, _behaviour(servicer, method))
        handlers[method.name] = grpc.unary_unary_rpc_method_handler(answer)
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def method_path(service: ServiceDescriptor, method: MethodDescriptor) -> str:
    """Full name of an RPC as it travels."""
    return f"/{service.full_name}/{method.name}"


def method_paths(services: Iterable[ServiceDescriptor]) -> frozenset[str]:
    """Full names of all RPCs of some services."""
    return frozenset(method_path(service, method) for service in services for method in service.methods)


def _behaviour(servicer: object, method: MethodDescriptor) -> Behaviour:
    found = type(servicer).__dict__.get(method.name)
    if found is None:
        # The generated base class would answer it by a bare UNIMPLEMENTED.
        raise TypeError(f"{type(servicer).__name__} does not serve {method.full_name}")
    behaviour: Behaviour = getattr(servicer, method.name)
    return behaviour
