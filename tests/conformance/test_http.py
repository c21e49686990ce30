"""The HTTP edge: the same documents and errors over HTTP/1.1 and HTTP/2, on the gRPC port or on its own."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import httpx
import pytest

if TYPE_CHECKING:
    from tests.conformance.doors import WireDoor
    from tests.support.world import World

Said: TypeAlias = tuple[int, dict[str, str], bytes]
# Of a server's own, or of one connection.
_OWN: Final = {"date", "connection", "keep-alive", "x-request-id", "transfer-encoding"}
_JWKS: Final = "/t/{tenant}/.well-known/jwks.json"
_REQUESTS: Final = (
    ("GET", _JWKS),
    ("HEAD", _JWKS),
    ("POST", _JWKS),
    ("GET", _JWKS + "?a=b%20c"),
    ("GET", "/t/{tenant}/.well-known/openid-configuration"),
    ("GET", "/.well-known/oauth-authorization-server/t/{tenant}"),
    ("GET", "/t/nobody/.well-known/jwks.json"),
    ("GET", "/t/%2e%2e/.well-known/jwks.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("POST", "/healthz"),
    ("GET", "//healthz"),
    ("OPTIONS", "/healthz"),
    ("GET", "/"),
    ("GET", "/argus.v1.TokenService/VerifyAccessToken"),
    ("POST", "/argus.v1.TokenService/VerifyAccessToken"),
)


def trust(door: WireDoor) -> ssl.SSLContext | bool:
    """Whose certificates a client of it takes."""
    return True if door.authority is None else ssl.create_default_context(cadata=door.authority.decode())


async def answers(doors: dict[str, WireDoor], method: str, path: str, **more: Any) -> dict[str, Said]:
    """What is said at every port that speaks HTTP, in every version that it speaks."""
    said: dict[str, Said] = {}
    for name, door in doors.items():
        trusted = trust(door)
        scheme = "http" if door.authority is None else "https"
        ports = {"http": door.running.http_url}
        if name.startswith("front"):
            ports["grpc"] = f"{scheme}://{door.running.grpc_address}"
        for port, base in ports.items():
            for version in ("HTTP/1.1", "HTTP/2") if name.startswith("front") else ("HTTP/1.1",):
                async with httpx.AsyncClient(
                    verify=trusted, http1=version == "HTTP/1.1", http2=version == "HTTP/2", base_url=base
                ) as client:
                    answer = await client.request(method, path, **more)
                assert answer.http_version == version
                headers = {key: value for key, value in answer.headers.items() if key not in _OWN}
                said[f"{name}, port of {port}, {version}"] = (answer.status_code, headers, answer.content)
    return said


@pytest.mark.parametrize(("method", "path"), _REQUESTS)
async def test_documents_and_errors_are_the_same(
    wire_doors: dict[str, WireDoor], world: World, method: str, path: str
) -> None:
    """Status, headers and body."""
    tenant_id = world.tenant.partition("/")[2]
    said = await answers(wire_doors, method, path.format(tenant=tenant_id))
    first = next(iter(said.values()))
    assert said == dict.fromkeys(said, first)
    assert len(said) == 10


async def test_what_a_reader_has_already_is_not_sent_again(wire_doors: dict[str, WireDoor], world: World) -> None:
    """By its tag."""
    path = _JWKS.format(tenant=world.tenant.partition("/")[2])
    said = await answers(wire_doors, "GET", path)
    _, headers, _ = next(iter(said.values()))
    again = await answers(wire_doors, "GET", path, headers={"if-none-match": headers["etag"]})
    first = next(iter(again.values()))
    assert (first[0], first[2]) == (304, b"")
    assert again == dict.fromkeys(again, first)


async def test_a_request_id_comes_back(wire_doors: dict[str, WireDoor]) -> None:
    """That of the caller, whatever the door."""
    for door in wire_doors.values():
        trusted = trust(door)
        async with httpx.AsyncClient(verify=trusted, base_url=door.running.http_url) as client:
            answer = await client.get("/healthz", headers={"x-request-id": "trace-1"})
        assert answer.headers["x-request-id"] == "trace-1"
