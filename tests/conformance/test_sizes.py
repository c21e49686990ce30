"""Messages and metadata that are too large: refused alike, and by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import grpc
import pytest

from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from tests.conformance.doors import SERVICE, ask

if TYPE_CHECKING:
    from tests.conformance.doors import Answer, WireDoor

MIB: Final = 1024 * 1024
COLD: Final = "/argus.v1.SessionService/GetSession"
VERIFY: Final = SERVICE + "VerifyAccessToken"
EXHAUSTED: Final = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


async def answers(doors: dict[str, WireDoor], path: str, request: bytes, authorization: str) -> dict[str, Answer]:
    """What each door says."""
    metadata = (("x-request-id", "conformance-4"), ("authorization", authorization))
    return {name: await ask(door.channel, path, request, metadata) for name, door in doors.items()}


async def test_cold_messages_beyond_the_bound(wire_doors: dict[str, WireDoor], authorization: str) -> None:
    """By grpcio, wherever it is; two megabytes less one are read."""
    for size, is_read in ((2 * MIB - 100, True), (2 * MIB + 1, False), (5 * MIB, False)):
        request = sessions.GetSessionRequest(name="x" * size).SerializeToString()
        found = await answers(wire_doors, COLD, request, authorization)
        first = next(iter(found.values()))
        assert found == dict.fromkeys(found, first)
        assert (first.code == EXHAUSTED) != is_read


@pytest.mark.parametrize("size", [3 * MIB, 5 * MIB])
async def test_hot_messages_beyond_the_bound(wire_doors: dict[str, WireDoor], authorization: str, size: int) -> None:
    """The same bound and the same answer as of all other calls."""
    request = tokens.VerifyAccessTokenRequest(access_token="x" * size).SerializeToString()
    found = await answers(wire_doors, VERIFY, request, authorization)
    assert found == dict.fromkeys(found, next(iter(found.values())))


@pytest.mark.parametrize("path", [VERIFY, COLD])
async def test_metadata_beyond_the_bound(wire_doors: dict[str, WireDoor], path: str) -> None:
    """Refused, and the connection goes on; 4 KiB are let through by all."""
    for name, door in wire_doors.items():
        wide = await ask(door.channel, path, b"", (("large", "x" * 100_000),))
        assert wide.code in {EXHAUSTED, grpc.StatusCode.UNKNOWN.value[0], grpc.StatusCode.INTERNAL.value[0]}, name
        allowed = await ask(door.channel, path, b"", (("large", "x" * 4000),))
        assert allowed.reason == "CALLER_UNAUTHENTICATED", name
