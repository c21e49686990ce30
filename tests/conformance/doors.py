"""The doors to one installation, and what each of them says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import grpc
from google.rpc import error_details_pb2, status_pb2

from argus.base.errors import ArgusError
from argus.rpc.errors import to_status
from argus.server.private_stack import stack_over
from argus.v1 import token_service_pb2 as tokens
from tests.support.tls import certificates

if TYPE_CHECKING:
    from argus.server.app import Argus
    from argus.server.serve import Running
    from argus.storage.embedded import StoreUrls
    from tests.support.stack import Stack

Metadata: TypeAlias = Sequence[tuple[str, str | bytes]]

CACHES: Final[Mapping[str, Mapping[str, Any]]] = {
    "caches on": {},
    "caches off": {"caller_cache_mib": 0, "signature_cache_mib": 0, "state_cache_mib": 0, "activity_queue": 0},
}
"""Settings of the caches: with each of them every case is played once."""

SERVICE: Final = "/argus.v1.TokenService/"
FRONT_H2C, FRONT_TLS, GRPCIO, GRPCIO_TLS, ENGINE = (
    "front door, h2c",
    "front door, TLS",
    "grpcio",
    "grpcio, TLS",
    "engine",
)
_PATIENCE: Final = 20.0
_STATUS: Final = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a caller was told.

    Attributes:
        code: google.rpc.Code.
        message: Text of the status.
        details: Encoded google.rpc.Status of a refusal; its variables, whose order protobuf leaves open, are sorted.
        response: Encoded response, without the moment at which the state was read.
        metadata: What came at the end beside the status; nothing, where the engine was asked itself.
    """

    code: int
    message: str = ""
    details: bytes = b""
    response: bytes = b""
    metadata: frozenset[tuple[str, str | bytes]] = field(default=frozenset(), compare=False)

    @property
    def reason(self) -> str:
        """Reason of a refusal of Argus's; "" for any other's."""
        info = error_details_pb2.ErrorInfo()
        unpacked = [info.reason for one in status_pb2.Status.FromString(self.details).details if one.Unpack(info)]
        return unpacked[0] if unpacked else ""


class Door(Protocol):
    """A way to have a call answered."""

    async def ask(self, path: str, request: bytes, metadata: Metadata = ()) -> Answer:
        """What is answered; the metadata name the request's id."""


class WireDoor:
    """A server, by gRPC."""

    def __init__(self, name: str, running: Running, authority: bytes | None, **options: Any) -> None:
        self.name = name
        self.running = running
        self.authority = authority
        self.channel = self.open(**options)

    def open(self, **options: Any) -> Any:
        """A further connection (`grpc.aio.Channel`, whose calls without stubs have no types) to it."""
        address = self.running.grpc_address
        if self.authority is None:
            return grpc.aio.insecure_channel(address, **options)
        return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(self.authority), **options)

    async def ask(self, path: str, request: bytes, metadata: Metadata = ()) -> Answer:
        """By a call without a stub."""
        return await ask(self.channel, path, request, metadata)


class EngineDoor:
    """The engine, as Python calls it."""

    def __init__(self, argus: Argus) -> None:
        self._hot = argus.hot

    async def ask(self, path: str, request: bytes, metadata: Metadata = ()) -> Answer:
        """A hot call only."""
        said = dict(metadata)
        authorization, request_id = said.get("authorization"), said.get("x-request-id", "none")
        assert not isinstance(authorization, bytes)
        try:
            kind, content = await self._hot.answer(
                path, request, authorization=authorization, request_id=str(request_id), deadline_ms=10_000
            )
        except ArgusError as error:
            kind, content = 1, to_status(error).SerializeToString()
        if kind == 0:
            return Answer(code=0, response=timeless(path, content))
        status = status_pb2.Status.FromString(content)
        return Answer(code=status.code, message=status.message, details=sorted_details(content))


async def ask(channel: Any, path: str, request: bytes, metadata: Metadata = ()) -> Answer:
    """Calls without a stub."""
    call = channel.unary_unary(path)(request, metadata=tuple(metadata), timeout=_PATIENCE)
    try:
        response = await call
    except grpc.aio.AioRpcError as error:
        trailing = tuple(error.trailing_metadata() or ())
        details = dict(trailing).get(_STATUS, b"")
        assert isinstance(details, bytes)
        details = sorted_details(details)
        rest = frozenset((key, value) for key, value in trailing if key != _STATUS)
        return Answer(code=error.code().value[0], message=error.details() or "", details=details, metadata=rest)
    trailing = tuple(await call.trailing_metadata() or ())
    return Answer(code=0, response=timeless(path, response), metadata=frozenset(trailing))


def sorted_details(encoded: bytes) -> bytes:
    """An encoded status with the variables of its reason in order."""
    status, info = status_pb2.Status.FromString(encoded), error_details_pb2.ErrorInfo()
    for one in status.details:
        if one.Unpack(info):
            one.value = info.SerializeToString(deterministic=True)
    return bytes(status.SerializeToString(deterministic=True))


_TIMED: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "VerifyAccessToken": tokens.VerifyAccessTokenResponse.FromString,
    "BatchVerifyAccessTokens": tokens.BatchVerifyAccessTokensResponse.FromString,
}


def timeless(path: str, response: bytes) -> bytes:
    """A response without the moment at which the state was read."""
    read = _TIMED.get(path.removeprefix(SERVICE))
    if read is None:
        return response
    message = read(response)
    for one in [result.verified for result in message.results] if hasattr(message, "results") else [message]:
        one.ClearField("state_time")
    return bytes(message.SerializeToString(deterministic=True))


@asynccontextmanager
async def opened(
    stores: StoreUrls, stack: Stack, folder: Path, caches: Mapping[str, Any]
) -> AsyncIterator[dict[str, Door]]:
    """All doors, over the stores and the clock that there are."""
    authority, chain, key = certificates()
    (folder / "chain.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(key)
    tls: dict[str, Any] = {
        f"{listener}_tls_{what}": folder / f"{name}.pem"
        for listener in ("grpc", "http")
        for what, name in (("certificate", "chain"), ("key", "key"))
    }
    alone: dict[str, Any] = {"front_door": "off"}
    kinds: dict[str, dict[str, Any]] = {FRONT_H2C: {}, FRONT_TLS: tls, GRPCIO: alone, GRPCIO_TLS: alone | tls}
    shared: dict[str, Any] = {"key_encryption_key": stack.private.settings.key_encryption_key, **caches}
    async with AsyncExitStack() as exits:
        doors: dict[str, Door] = {}
        for name, changes in kinds.items():
            private = await exits.enter_async_context(
                stack_over(stores, clock=stack.private.clock, **shared, **changes)
            )
            door = WireDoor(name, private.server, authority if changes.keys() & tls.keys() else None)
            exits.push_async_callback(door.channel.close)
            doors[name] = door
            if name == GRPCIO:
                doors[ENGINE] = EngineDoor(private.server.argus)
        yield doors
