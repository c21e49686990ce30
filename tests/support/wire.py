"""Calls by descriptor: bytes in, bytes or a failure out, for tests that walk through every RPC."""

from dataclasses import dataclass

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from argus import _core
from argus.rpc.access import AccessRule, access_rule
from argus.rpc.handlers import method_path
from argus.rpc.services import all_services
from argus.server.api import Failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpc:
    """One RPC of the API."""

    path: str
    method: MethodDescriptor
    access: AccessRule

    @property
    def name(self) -> str:
        """Its name without the service."""
        return str(self.method.name)

    @property
    def is_hot(self) -> bool:
        """Answered by the engine."""
        return self.path in _core.HOT_METHODS

    @property
    def request_class(self) -> type[Message]:
        """Class of its requests."""
        return message_factory.GetMessageClass(self.method.input_type)


ALL_RPCS = tuple(
    Rpc(path=method_path(service, method), method=method, access=access_rule(service, method))
    for _, service in sorted(all_services().items())
    for method in service.methods
)

_STREAMS = frozenset(rpc.path for rpc in ALL_RPCS if rpc.method.server_streaming)


class Wire:
    """A channel without any stub."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)

    async def call(self, path: str, request: bytes | Message, *, authorization: str | None = None) -> bytes | Failure:
        """The encoded answer of an RPC, or what it was refused with."""
        encoded = request if isinstance(request, bytes) else request.SerializeToString()
        metadata = (("authorization", authorization),) if authorization is not None else ()
        try:
            if path in _STREAMS:
                return await self._first(path, encoded, metadata)
            method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(path)
            answer = await method(encoded, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return Failure.of(error)
        return answer

    async def _first(self, path: str, encoded: bytes, metadata: tuple[tuple[str, str], ...]) -> bytes:
        """The first message of a stream that goes on for ever."""
        method: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._channel.unary_stream(path)
        call = method(encoded, metadata=metadata)
        try:
            async for message in call:
                return message
        finally:
            call.cancel()
        raise AssertionError("the stream was empty")

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()
