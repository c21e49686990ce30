"""Other people's stacks over TLS, through the front door: stubs in Go, Java and Node.js of `proto/`, grpcurl, ghz."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from argus.rpc.services import all_services
from argus.server.private_stack import CLIENT_ID, stack_over
from argus.v1 import token_service_pb2 as tokens
from tests.support import stubs
from tests.support.people import new_person
from tests.support.tls import certificates
from tests.support.toolchains import AbsentError

if TYPE_CHECKING:
    from argus.storage.embedded import StoreUrls
    from tests.support.stack import Stack

T = TypeVar("T")

PATIENCE: Final = 90
CALLS: Final = 500

# A first build fetches and compiles.
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server with a front door that has a certificate, and a tenant of it.

    Attributes:
        address: Host and port.
        authority: File of the authority of its certificate.
        tenant: Resource name.
        secret: Secret of its only client.
        bearer: A client token.
        user: Resource name of a user.
        access_token: An access token of hers.
    """

    address: str
    authority: Path
    tenant: str
    secret: str
    bearer: str
    user: str
    access_token: str


@pytest.fixture(scope="module")
async def server(stores: StoreUrls, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One for all."""
    folder = tmp_path_factory.mktemp("stubs")
    authority, chain, key = certificates()
    for name, content in (("authority", authority), ("chain", chain), ("key", key)):
        (folder / f"{name}.pem").write_bytes(content)
    tls = {"grpc_tls_certificate": folder / "chain.pem", "grpc_tls_key": folder / "key.pem"}
    key_encryption_key = stack.private.settings.key_encryption_key
    async with stack_over(stores, clock=stack.private.clock, key_encryption_key=key_encryption_key, **tls) as other:
        api = await stack.new_tenant()
        person = await new_person(api)
        signed_in = await person.sign_in()
        yield Server(
            address=other.server.grpc_address,
            authority=folder / "authority.pem",
            tenant=api.parent,
            secret=api._secret,
            bearer=await api.token(),
            user=person.name,
            access_token=signed_in.tokens.access_token,
        )


async def made(make: Callable[[], T]) -> T:
    """What the test runs; it is skipped where that can't be had."""
    try:
        return await asyncio.to_thread(make)
    except AbsentError as error:
        pytest.skip(str(error))


async def run(command: stubs.Command, said: str = "") -> str:
    """What a program prints; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(said.encode()), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode() + out.decode()
    return out.decode()


@pytest.mark.parametrize("client", [stubs.go, stubs.node, stubs.java], ids=lambda client: client.__name__)
async def test_generated_stubs_do_the_main_job(client: Callable[[], stubs.Command], server: Server) -> None:
    """A session is made, verified, refreshed, listed and ended; then it is refused, with the reason; and a stream."""
    command = await made(client)
    job = {
        "Address": server.address,
        "Authority": str(server.authority),
        "Parent": server.tenant,
        "ClientID": CLIENT_ID,
        "ClientSecret": server.secret,
        "User": server.user,
        "Proto": str(stubs.PROTO),
    }
    told: dict[str, Any] = json.loads(await run(command, json.dumps(job)))
    session = told["session"]
    assert session.startswith(f"{server.user}/sessions/")
    assert (told["verified"], told["again"]) == (session, session)
    # That of the fixture, and its own.
    assert told["listed"] == 2
    # Go writes Unauthenticated.
    assert told["ended"].upper() == "UNAUTHENTICATED SESSION_ENDED"
    assert told["health"] == "SERVING"


async def test_grpcurl_lists_and_calls(server: Server) -> None:
    """By reflection: no proto is at hand."""
    grpcurl = await made(lambda: stubs.go_tool("grpcurl"))
    always = (grpcurl, "-cacert", server.authority)
    listed = await run((*always, server.address, "list"))
    assert set(all_services()) <= set(listed.split())
    request = json.dumps({"access_token": server.access_token})
    metadata = ("-H", f"authorization: Bearer {server.bearer}")
    method = "argus.v1.TokenService/VerifyAccessToken"
    answered = json.loads(await run((*always, *metadata, "-d", "@", server.address, method), request))
    assert answered["session"].startswith(f"{server.user}/sessions/")
    users = await run((*always, *metadata, "-d", "@", server.address, "argus.v1.UserService/GetUser"), _name(server))
    assert json.loads(users)["user"]["name"] == server.user


def _name(server: Server) -> str:
    return json.dumps({"name": server.user})


async def test_ghz_has_all_its_calls_answered(server: Server, tmp_path: Path) -> None:
    """Hot ones, 500 of them over four connections, and none is refused or lost."""
    ghz = await made(lambda: stubs.go_tool("ghz"))
    data = tmp_path / "request.bin"
    data.write_bytes(tokens.VerifyAccessTokenRequest(access_token=server.access_token).SerializeToString())
    metadata = tmp_path / "metadata.json"
    metadata.write_text(json.dumps({"authorization": f"Bearer {server.bearer}"}))
    command = (
        *(ghz, "--cacert", server.authority, "--call", "argus.v1.TokenService.VerifyAccessToken"),
        *("--protoset", stubs.described(tmp_path)),
        *("--binary-file", data, "--metadata-file", metadata, "-n", str(CALLS), "-c", "16", "--connections", "4"),
        *("--format", "json", server.address),
    )
    report = json.loads(await run(command))
    assert report["count"] == CALLS
    assert report["statusCodeDistribution"] == {"OK": CALLS}
