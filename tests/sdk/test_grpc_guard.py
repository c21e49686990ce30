"""A gRPC service behind the SDK: what is let in, and what callers are told, each in its own way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest

from argus.sdk.errors import VerifierUnavailableError
from argus.sdk.guards.current import caller, caller_or_none
from argus.sdk.guards.grpc_aio import VerifyingInterceptor
from argus.sdk.model import NO_PROOF, NO_REQUIREMENT, Proof, Requirement, Verified, Verifier
from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.interceptors import client_interceptors
from argus.sdk.tokens.session import SavedSession, SessionOverError, SessionTokens
from tests.sdk.test_verifiers import bound, now
from tests.support.dpop import DpopClient
from tests.support.people import new_person, terminate
from tests.support.service import Service

ORIGIN = "https://documents.example.com"
KINDS = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
ASKED = {
    "/documents/burn": Requirement(scopes=("documents.burn",)),
    "/documents/sign": Requirement(acr_values=("urn:argus:acr:2",), max_age=timedelta(minutes=1)),
    "/documents/health": None,
}


class EveryMethod(grpc.GenericRpcHandler):
    """Every method is there, of the kind that its name ends with; handlers are named by their kind."""

    def service(self, handler_call_details: Any) -> Any:
        kind = handler_call_details.method.rpartition("_as_")[2]
        make: Any = getattr(grpc, f"{kind if kind in KINDS else 'unary_unary'}_rpc_method_handler")
        handlers: Any = self
        return make(getattr(handlers, kind, None) or handlers.unary_unary)

    @staticmethod
    def _name() -> bytes:
        known = caller_or_none()
        return known.subject.encode() if known else b"nobody"


class Documents(EveryMethod):
    """Every method of every kind answers with the caller's name, once for each request."""

    async def unary_unary(self, _request: bytes, _context: Any) -> bytes:
        return self._name()

    async def unary_stream(self, _request: bytes, _context: Any) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield self._name()

    async def stream_unary(self, requests: Any, _context: Any) -> bytes:
        return b" ".join([self._name() async for _ in requests])

    async def stream_stream(self, requests: Any, _context: Any) -> AsyncIterator[bytes]:
        async for _ in requests:
            yield self._name()


@asynccontextmanager
async def documents(verifier: Verifier) -> AsyncIterator[str]:
    """The service; where it listens."""
    interceptor = VerifyingInterceptor(
        verifier, requirement=lambda method: ASKED.get(method, NO_REQUIREMENT), origin=ORIGIN
    )
    server = grpc.aio.server(interceptors=[interceptor])
    server.add_generic_rpc_handlers((Documents(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@pytest.fixture
async def channel(service: Service) -> AsyncIterator[grpc.aio.Channel]:
    """A bare channel to the service."""
    async with documents(service.verifier()) as address, grpc.aio.insecure_channel(address) as one:
        yield one


async def read(channel: Any, method: str, *metadata: tuple[str, str]) -> bytes:
    """The answer to a call."""
    answer: bytes = await channel.unary_unary(method)(b"", metadata=metadata)
    return answer


async def told(channel: grpc.aio.Channel, method: str, *metadata: tuple[str, str]) -> Told:
    """What a refused call is told."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await read(channel, method, *metadata)
    return Told.by(error.value)


async def ask(channel: grpc.aio.Channel, kind: str, *, is_silent: bool = False) -> list[bytes]:
    """All answers to a call of a kind; one that is silent never sends the messages of its stream.

    grpc.aio's client tells INTERNAL in the place of the answer where it writes to a call that has just been answered.
    """
    call = getattr(channel, kind)(f"/documents/read_as_{kind}")

    async def requests() -> AsyncIterator[bytes]:
        if is_silent:
            await asyncio.Event().wait()
        for _ in range(2):
            yield b""

    answer = call(requests() if kind.startswith("stream") else b"")
    return [one async for one in answer] if kind.endswith("stream") else [await answer]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_call_knows_its_caller(service: Service, kind: str) -> None:
    """With a client that keeps its session: it puts the token on calls by itself."""
    person = await new_person(service.api)
    signed_in = await person.sign_in()
    tokens = SessionTokens(service.channel, SavedSession.of(signed_in.tokens.refresh_token))
    async with (
        documents(service.verifier()) as address,
        grpc.aio.insecure_channel(address, interceptors=client_interceptors(tokens)) as channel,
    ):
        name = person.user_id.encode()
        expected = {"unary_stream": [name] * 3, "stream_unary": [name + b" " + name], "stream_stream": [name] * 2}
        assert await ask(channel, kind) == expected.get(kind, [name])
    await tokens.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_no_kind_of_call_comes_through_without_a_token(channel: grpc.aio.Channel, kind: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await ask(channel, kind, is_silent=True)
    assert Told.by(error.value).reason == "CALLER_UNAUTHENTICATED"
    assert Told.by(error.value).challenge == 'Bearer realm="api"'


async def test_every_refusal_says_what_would_do(service: Service, channel: grpc.aio.Channel) -> None:
    signed_in = await (await new_person(service.api)).sign_in()
    good = ("authorization", f"Bearer {signed_in.tokens.access_token}")

    missing = await told(channel, "/documents/read", ("authorization", "Basic abc"))
    assert (missing.code, missing.reason) == (grpc.StatusCode.UNAUTHENTICATED, "CALLER_UNAUTHENTICATED")

    bad = await told(channel, "/documents/read", ("authorization", "Bearer a.b.c"))
    assert (bad.code, bad.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert 'error="invalid_token"' in bad.challenge

    twice = await told(channel, "/documents/read", good, good)
    assert (twice.code, twice.metadata) == (grpc.StatusCode.INVALID_ARGUMENT, {"field": "authorization"})

    scope = await told(channel, "/documents/burn", good)
    assert (scope.code, scope.reason) == (grpc.StatusCode.PERMISSION_DENIED, "TOKEN_SCOPE_MISSING")
    assert scope.metadata == {"requiredScopes": "documents.burn"}
    assert 'error="insufficient_scope", scope="documents.burn"' in scope.challenge

    step_up = await told(channel, "/documents/sign", good)
    assert (step_up.code, step_up.reason) == (grpc.StatusCode.UNAUTHENTICATED, "STEP_UP_REQUIRED")
    assert step_up.metadata == {"acrValues": "urn:argus:acr:2"}
    assert 'error="insufficient_user_authentication"' in step_up.challenge
    assert 'acr_values="urn:argus:acr:2"' in step_up.challenge

    assert await read(channel, "/documents/health") == b"nobody"
    assert await read(channel, "/documents/read", good) != b"nobody"


async def test_a_dpop_proof_is_of_the_method(service: Service, channel: grpc.aio.Channel) -> None:
    client = DpopClient()
    token = await bound(service, client.proof(now=now(service)))

    def presented(path: str, scheme: str = "DPoP") -> list[tuple[str, str]]:
        jwt = client.jwt(now=now(service), access_token=token, htm="POST", htu=f"{ORIGIN}{path}")
        return [("authorization", f"{scheme} {token}"), ("dpop", jwt)]

    assert await read(channel, "/documents/read", *presented("/documents/read"))
    other = await told(channel, "/documents/read", *presented("/documents/other"))
    assert (other.code, other.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_PROOF_REQUIRED")
    assert other.metadata == {"binding": "dpop"}
    assert 'DPoP realm="api", error="invalid_dpop_proof"' in other.challenge
    bare = await told(channel, "/documents/read", ("authorization", f"Bearer {token}"))
    assert bare.reason == "TOKEN_PROOF_REQUIRED"


class Away:
    """A verifier that can't know."""

    async def verify(
        self, token: str, requirement: Requirement = NO_REQUIREMENT, *, proof: Proof = NO_PROOF
    ) -> Verified:
        del token, requirement, proof
        raise VerifierUnavailableError("redis-7.internal is down", retry_after=timedelta(seconds=3))


async def test_promise_4_an_outage_is_never_an_answer() -> None:
    async with documents(Away()) as address, grpc.aio.insecure_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await read(channel, "/documents/read", ("authorization", "Bearer a.b.c"))
    answer = Told.by(error.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert answer.retry_after == timedelta(seconds=3)
    assert answer.challenge == ""
    assert "redis-7" not in str(error.value)


async def test_a_client_whose_session_has_ended_learns_of_it(service: Service) -> None:
    """The service refuses the token, the client asks Argus, and Argus says why."""
    signed_in = await (await new_person(service.api)).sign_in()
    over: list[Any] = []
    saved = SavedSession.of(signed_in.tokens.refresh_token)
    tokens = SessionTokens(service.channel, saved, on_over=over.append, now=service.clock)
    async with (
        documents(service.verifier()) as address,
        grpc.aio.insecure_channel(address, interceptors=client_interceptors(tokens)) as channel,
    ):
        await read(channel, "/documents/read")
        await terminate(service.api, signed_in.session.name)
        await service.stack.advance(timedelta(minutes=5))
        service.clock.ahead += timedelta(seconds=11)
        with pytest.raises(SessionOverError, match="SESSION_ENDED"):
            await read(channel, "/documents/read")
    assert [one.reason for one in over] == ["SESSION_ENDED"]
    await tokens.close()


def test_outside_a_guarded_call_there_is_no_caller() -> None:
    with pytest.raises(LookupError):
        caller()
