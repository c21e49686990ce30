"""Argus behind nginx and HAProxy, as the guide says: gRPC and HTTP over TLS on one port, streams, lost servers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from argus.server.served import Served
from argus.v1 import token_service_pb2 as tokens
from tests.conformance.doors import SERVICE, Answer, ask
from tests.support.people import new_person
from tests.support.proxies import haproxy, nginx
from tests.support.servers import free_ports
from tests.support.tls import certificates

if TYPE_CHECKING:
    from argus.server.private_stack import PrivateStack

VERIFY: Final = SERVICE + "VerifyAccessToken"
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
UNAVAILABLE: Final = grpc.StatusCode.UNAVAILABLE.value[0]
PATIENCE: Final = 30.0
PROXIES: Final[dict[str, Callable[..., Any]]] = {"nginx": nginx, "haproxy": haproxy}


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A proxy, and the server behind it.

    Attributes:
        port: The proxy's.
        authority: Of its certificate.
        server: What is behind it, in a process of its own.
        tenant_id: A tenant.
        bearer: Metadata of its client.
        access_token: A good one.
    """

    port: int
    authority: bytes
    server: Served
    tenant_id: str
    bearer: str
    access_token: str

    def channel(self) -> Any:
        """A connection to the proxy."""
        trusted = grpc.ssl_channel_credentials(self.authority)
        return grpc.aio.secure_channel(f"127.0.0.1:{self.port}", trusted)

    async def verify(self, channel: Any, token: str | None = None, request_id: str = "proxied-1") -> Answer:
        """Of the good token, where none is named."""
        request = tokens.VerifyAccessTokenRequest(access_token=self.access_token if token is None else token)
        metadata = (("authorization", self.bearer), ("x-request-id", request_id))
        return await ask(channel, VERIFY, request.SerializeToString(), metadata)


@pytest.fixture(scope="module")
async def private(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PrivateStack]:
    """Stores that go by the system's time, as a server in a process of its own does."""
    from argus.server.private_stack import stack_over
    from argus.storage.embedded import EmbeddedStores

    with EmbeddedStores(tmp_path_factory.mktemp("stores") / "stores") as own:
        async with stack_over(own.urls) as made:
            yield made
        own.delete()


@pytest.fixture(scope="module", params=PROXIES)
async def behind(
    request: pytest.FixtureRequest, private: PrivateStack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Behind]:
    """Each of them, before a server whose ports stay when it is started again."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    authority, chain, key = certificates()
    files = {"authority.pem": authority, "proxy.pem": chain, "proxy.key": key, "proxy-and-key.pem": chain + key}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    port, own = free_ports(2)
    text = {"127.0.0.1:8443": f"127.0.0.1:{port}", "127.0.0.1:50051": f"127.0.0.1:{own}"}
    text |= {"/etc/argus/": f"{folder}/"}
    listen = f"127.0.0.1:{own}"
    tls = {"grpc_tls_certificate": str(folder / "proxy.pem"), "grpc_tls_key": str(folder / "proxy.key")}
    settings = private.settings
    api = await private.new_tenant()
    signed_in = await (await new_person(api)).sign_in()
    server = Served(settings, folder / "server", grpc_listen=listen, drain_time="0s", **tls)
    async with PROXIES[request.param](folder, text, port):
        with server.running():
            made = Behind(
                port=port,
                authority=authority,
                server=server,
                tenant_id=api.tenant_id,
                bearer=f"Bearer {await api.token()}",
                access_token=signed_in.tokens.access_token,
            )
            async with made.channel() as channel:
                await until(lambda: is_answered(made, channel))
            yield made


async def is_answered(behind: Behind, channel: Any) -> bool:
    """Whether a call is answered by Argus."""
    return (await behind.verify(channel)).code == 0


async def until(condition: Callable[[], Any]) -> None:
    """Waits, for what the proxy's health checks take."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110 - nobody says when
            await asyncio.sleep(0.1)


async def test_calls_come_through_with_their_metadata_and_details(behind: Behind) -> None:
    """Good ones and refused ones, hot and cold."""
    async with behind.channel() as channel:
        good = await behind.verify(channel)
        assert (good.code, ("x-request-id", "proxied-1") in good.metadata) == (0, True)
        refused = await behind.verify(channel, "garbage")
        assert (refused.reason, ("x-request-id", "proxied-1") in refused.metadata) == ("TOKEN_INVALID", True)
        # A token of 8 KiB as the caller's own: the largest header.
        wide = await ask(channel, VERIFY, b"", (("authorization", "Bearer " + "a" * 8100),))
        assert wide.reason == "CALLER_TOKEN_INVALID"
        unknown = await ask(channel, SERVICE + "Nothing", b"")
        assert unknown.reason == "UNIMPLEMENTED"


async def test_streams_go_in_both_directions(behind: Behind) -> None:
    """Down, and both ways one message at a time."""
    async with behind.channel() as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
        async with asyncio.timeout(PATIENCE):
            assert (await watch.read()).status == SERVING
            talk = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo()
            for _ in range(3):
                await talk.write(reflection_pb2.ServerReflectionRequest(list_services=""))
                assert (await talk.read()).list_services_response.service
            await talk.done_writing()
            assert await talk.read() is grpc.aio.EOF
        watch.cancel()


async def test_five_hundred_calls_at_once_are_all_answered(behind: Behind) -> None:
    """More than there are streams on a connection."""
    async with behind.channel() as channel:
        answers = await asyncio.gather(*(behind.verify(channel) for _ in range(500)))
    assert {answer.code for answer in answers} == {0}


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
async def test_documents_are_on_the_same_port(behind: Behind, version: str) -> None:
    """In both versions of HTTP, with their headers."""
    trusted = ssl.create_default_context(cadata=behind.authority.decode())
    http2 = version == "HTTP/2"
    async with httpx.AsyncClient(verify=trusted, http1=not http2, http2=http2) as client:
        base = f"https://127.0.0.1:{behind.port}"
        answer = await client.get(f"{base}/t/{behind.tenant_id}/.well-known/jwks.json")
        assert (answer.http_version, answer.status_code) == (version, 200)
        assert answer.json()["keys"]
        tag = answer.headers["etag"]
        again = await client.get(f"{base}/t/{behind.tenant_id}/.well-known/jwks.json", headers={"if-none-match": tag})
        assert again.status_code == 304
        assert (await client.get(f"{base}/readyz")).json()["ready"] is True


async def test_a_server_that_goes_away_is_unavailable_and_found_again(behind: Behind) -> None:
    """Never UNAUTHENTICATED, and never a page of HTML that a client can't read."""
    async with behind.channel() as channel:
        behind.server.stop()
        answers = [await behind.verify(channel) for _ in range(5)]
        assert {answer.code for answer in answers} == {UNAVAILABLE}
        behind.server.start()
        await until(lambda: is_answered(behind, channel))
