"""Health, reflection, methods that there are not, and all other RPCs: the same behind any door."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from argus.rpc.services import all_services
from tests.conformance.doors import SERVICE, ask
from tests.support.wire import ALL_RPCS, Rpc

if TYPE_CHECKING:
    from tests.conformance.doors import WireDoor
    from tests.support.world import World

# Reading or refused: what changes something would do so once a door.
READING: Final = [rpc for rpc in ALL_RPCS if rpc.name.startswith(("Get", "List", "Count")) and not rpc.is_hot]
# Good links are in mails alone.
WITHOUT_A_GOOD_ONE: Final = {"GetAccountLink", "GetDelivery"}
PATIENCE: Final = 20
REQUEST_ID: Final = ("x-request-id", "conformance-2")


async def same(doors: dict[str, WireDoor], path: str, request: bytes, *metadata: tuple[str, str]) -> Any:
    """The answer of all doors, which must be one, with its metadata."""
    answers = {name: await door.ask(path, request, (REQUEST_ID, *metadata)) for name, door in doors.items()}
    first = next(iter(answers.values()))
    assert answers == dict.fromkeys(answers, first)
    assert {answer.metadata for answer in answers.values()} == {first.metadata}
    return first


@pytest.mark.parametrize("rpc", READING, ids=lambda rpc: rpc.name)
async def test_reading_says_the_same(
    rpc: Rpc, wire_doors: dict[str, WireDoor], world: World, authorization: str
) -> None:
    """Good, without a caller, and with bytes that are no request."""
    request, caller = world.request(rpc.name).SerializeToString(), ("authorization", authorization)
    good = await same(wire_doors, rpc.path, request, caller)
    assert (good.code == 0) != (rpc.access.system_tenant_only or rpc.name in WITHOUT_A_GOOD_ONE)
    assert (await same(wire_doors, rpc.path, request)).reason == "CALLER_UNAUTHENTICATED"
    broken = await same(wire_doors, rpc.path, b"\xff\xff\xff\xff", caller)
    assert broken.reason == ("CALLER_TENANT_MISMATCH" if rpc.access.system_tenant_only else "FIELD_INVALID")


@pytest.mark.parametrize("method", ["TokenService/IntrospectToken", "UserService/ListUsers"])
async def test_of_several_tokens_the_first_counts(
    method: str, wire_doors: dict[str, WireDoor], world: World, authorization: str
) -> None:
    """Of a hot call and of any other: a check that somebody makes on the way is of the same one."""
    request = world.request(method.partition("/")[2]).SerializeToString()
    good, forged = ("authorization", authorization), ("authorization", "Bearer a.b.c")
    assert (await same(wire_doors, f"/argus.v1.{method}", request, good, forged)).code == 0
    assert (await same(wire_doors, f"/argus.v1.{method}", request, forged, good)).reason == "CALLER_TOKEN_INVALID"


@pytest.mark.parametrize(
    "path",
    [
        SERVICE + "Nothing",
        "/argus.v1.Nothing/Nothing",
        "/nothing",
        SERVICE + "VerifyAccessToken/",
        SERVICE.lower() + "verifyaccesstoken",
        "/" + SERVICE + "VerifyAccessToken",
    ],
)
async def test_methods_that_there_are_not(path: str, wire_doors: dict[str, WireDoor]) -> None:
    """With the reason, as every error of Argus."""
    answer = await same(wire_doors, path, b"")
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED.value[0], "UNIMPLEMENTED")


async def test_health_is_told(wire_doors: dict[str, WireDoor]) -> None:
    """Once and as a stream, of the whole and of a service; an unknown one is not found."""
    for door in wire_doors.values():
        health = health_pb2_grpc.HealthStub(door.channel)
        for service in ("", *all_services()):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watch = health.Watch(health_pb2.HealthCheckRequest(service=""))
        async with asyncio.timeout(PATIENCE):
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()
        unknown = await ask(
            door.channel,
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest(service="nobody").SerializeToString(),
        )
        assert unknown.code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_reflection_shows_every_service(wire_doors: dict[str, WireDoor]) -> None:
    """Both ways over one stream: their names, and then a file."""
    for door in wire_doors.values():
        talk = reflection_pb2_grpc.ServerReflectionStub(door.channel).ServerReflectionInfo()
        async with asyncio.timeout(PATIENCE):
            await talk.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            listed = {one.name for one in (await talk.read()).list_services_response.service}
            await talk.write(reflection_pb2.ServerReflectionRequest(file_containing_symbol="argus.v1.TokenService"))
            files = (await talk.read()).file_descriptor_response.file_descriptor_proto
            await talk.done_writing()
            assert await talk.read() is grpc.aio.EOF
        assert set(all_services()) <= listed
        assert any(b"token_service.proto" in one for one in files)
