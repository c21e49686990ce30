"""The same service on threads: what is let in, what callers are told, and a client that keeps its session."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest

from argus.sdk.channel import open_channel, open_sync_channel
from argus.sdk.errors import VerifierUnavailableError
from argus.sdk.guards.grpc_sync import SyncVerifyingInterceptor
from argus.sdk.loop import LoopOverError, LoopThread
from argus.sdk.model import NO_PROOF, NO_REQUIREMENT, Proof, Requirement, Verified, Verifier
from argus.sdk.tokens.client import ClientTokens
from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.renewal import RenewalUnavailableError, TokenSource
from argus.sdk.tokens.session import SavedSession, SessionOverError, SessionTokens
from tests.sdk.test_grpc_guard import ASKED, KINDS, ORIGIN, EveryMethod
from tests.sdk.test_verifiers import bound, now
from tests.support.dpop import DpopClient
from tests.support.people import new_person, terminate
from tests.support.sentinel import wait_until
from tests.support.service import Service

SECONDS = 20


class Documents(EveryMethod):
    """Every method of every kind answers with the caller's name, once for each request."""

    def unary_unary(self, _request: bytes, _context: Any) -> bytes:
        return self._name()

    def unary_stream(self, _request: bytes, _context: Any) -> Iterator[bytes]:
        for _ in range(3):
            yield self._name()

    def stream_unary(self, requests: Any, _context: Any) -> bytes:
        return b" ".join([self._name() for _ in requests])

    def stream_stream(self, requests: Any, _context: Any) -> Iterator[bytes]:
        for _ in requests:
            yield self._name()


@contextmanager
def documents(verifier: Verifier, loop: LoopThread, *, threads: int = 4) -> Iterator[str]:
    """The service; where it listens."""
    guard = SyncVerifyingInterceptor(
        verifier, loop, requirement=lambda method: ASKED.get(method, NO_REQUIREMENT), origin=ORIGIN
    )
    with ThreadPoolExecutor(threads) as pool:
        server = grpc.server(pool, interceptors=[guard])
        server.add_generic_rpc_handlers((Documents(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    """Where the SDK's parts live."""
    with LoopThread() as thread:
        yield thread


def read(channel: Any, method: str, *metadata: tuple[str, str]) -> bytes:
    """The answer to a call."""
    answer: bytes = channel.unary_unary(method)(b"", metadata=metadata, timeout=SECONDS)
    return answer


def told(channel: grpc.Channel, method: str, *metadata: tuple[str, str]) -> Told:
    """What a refused call is told."""
    with pytest.raises(grpc.RpcError) as error:
        read(channel, method, *metadata)
    return Told.by(error.value)


def ask(channel: grpc.Channel, kind: str) -> list[bytes]:
    """All answers to a call of a kind."""
    call = getattr(channel, kind)(f"/documents/read_as_{kind}")
    answer = call(iter([b"", b""]) if kind.startswith("stream") else b"", timeout=SECONDS)
    return list(answer) if kind.endswith("stream") else [answer]


def session_tokens(service: Service, loop: LoopThread, refresh_token: str, **more: Any) -> SessionTokens:
    """Tokens of a session, on the loop."""

    async def make() -> SessionTokens:
        own = ClientTokens(
            open_channel(service.api.address),
            tenant_id=service.api.tenant_id,
            client_id=service.api.client_id,
            client_secret=service.api._secret,
            now=service.clock,
        )
        channel = open_channel(service.api.address, tokens=own)
        return SessionTokens(channel, SavedSession.of(refresh_token), now=service.clock, **more)

    return loop.run(make)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_call_knows_its_caller(service: Service, loop: LoopThread, kind: str) -> None:
    """With a client that keeps its session: it puts the token on calls by itself."""
    person = await new_person(service.api)
    signed_in = await person.sign_in()

    def play() -> list[bytes]:
        tokens = session_tokens(service, loop, signed_in.tokens.refresh_token)
        with documents(service.verifier(), loop) as address, open_sync_channel(address, loop, tokens=tokens) as channel:
            return ask(channel, kind)

    name = person.user_id.encode()
    expected = {"unary_stream": [name] * 3, "stream_unary": [name + b" " + name], "stream_stream": [name] * 2}
    assert await asyncio.to_thread(play) == expected.get(kind, [name])


@pytest.mark.parametrize("kind", KINDS)
async def test_no_kind_of_call_comes_through_without_a_token(service: Service, loop: LoopThread, kind: str) -> None:
    def play() -> Told:
        with documents(service.verifier(), loop) as address, grpc.insecure_channel(address) as channel:
            with pytest.raises(grpc.RpcError) as error:
                ask(channel, kind)
            return Told.by(error.value)

    answer = await asyncio.to_thread(play)
    assert (answer.reason, answer.challenge) == ("CALLER_UNAUTHENTICATED", 'Bearer realm="api"')


async def test_every_refusal_says_what_would_do(service: Service, loop: LoopThread) -> None:
    """The same as of the other kind of server: they have it from one place."""
    signed_in = await (await new_person(service.api)).sign_in()
    client = DpopClient()
    token = await bound(service, client.proof(now=now(service)))
    jwt = client.jwt(now=now(service), access_token=token, htm="POST", htu=f"{ORIGIN}/documents/read")

    def play() -> None:
        good = ("authorization", f"Bearer {signed_in.tokens.access_token}")
        dpop = (("authorization", f"DPoP {token}"), ("dpop", jwt))
        with documents(service.verifier(), loop) as address, grpc.insecure_channel(address) as channel:
            bad = told(channel, "/documents/read", ("authorization", "Bearer a.b.c"))
            assert (bad.code, bad.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
            scope = told(channel, "/documents/burn", good)
            assert (scope.code, scope.metadata) == (
                grpc.StatusCode.PERMISSION_DENIED,
                {"requiredScopes": "documents.burn"},
            )
            step_up = told(channel, "/documents/sign", good)
            assert (step_up.reason, step_up.metadata) == ("STEP_UP_REQUIRED", {"acrValues": "urn:argus:acr:2"})
            assert read(channel, "/documents/read", *dpop) not in {b"", b"nobody"}
            assert told(channel, "/documents/read", *dpop).reason == "TOKEN_PROOF_REQUIRED"

    await asyncio.to_thread(play)


async def test_a_thread_forgets_the_caller_before(service: Service, loop: LoopThread) -> None:
    """One thread serves all: a call that needs no token, after one that was given up in the middle of its stream."""
    signed_in = await (await new_person(service.api)).sign_in()
    good = (("authorization", f"Bearer {signed_in.tokens.access_token}"),)

    def play() -> list[bytes]:
        with (
            documents(service.verifier(), loop, threads=1) as address,
            grpc.insecure_channel(address) as channel,
        ):
            begin: Any = channel.unary_stream("/documents/read_as_unary_stream")
            stream = begin(b"", metadata=good, timeout=SECONDS)
            first = next(stream)
            stream.cancel()
            return [first, read(channel, "/documents/health"), read(channel, "/documents/read", *good)]

    name = signed_in.session.name.split("/")[3].encode()
    assert await asyncio.to_thread(play) == [name, b"nobody", name]


class Slow:
    """A verifier that never comes to a verdict."""

    async def verify(
        self, token: str, requirement: Requirement = NO_REQUIREMENT, *, proof: Proof = NO_PROOF
    ) -> Verified:
        del token, requirement, proof
        await asyncio.Event().wait()
        raise VerifierUnavailableError("never")


def test_promise_4_a_verdict_that_does_not_come_is_an_outage() -> None:
    """While a call has time for it; and so is a loop that has ended."""
    loop = LoopThread()
    with documents(Slow(), loop, threads=1) as address, grpc.insecure_channel(address) as channel:
        metadata = (("authorization", "Bearer a.b.c"),)
        call: Any = channel.unary_unary("/documents/read")
        with loop:
            with pytest.raises(grpc.RpcError) as late:
                call(b"", metadata=metadata, timeout=0.3)
            assert Told.by(late.value).code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
            # Its thread is there for others again.
            assert read(channel, "/documents/health") == b"nobody"
        with pytest.raises(grpc.RpcError) as over:
            call(b"", metadata=metadata, timeout=SECONDS)
    answer = Told.by(over.value)
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert answer.retry_after == timedelta(seconds=1)


async def test_a_client_whose_session_has_ended_learns_of_it(service: Service, loop: LoopThread) -> None:
    """The service refuses the token, the client asks Argus, and Argus says why."""
    signed_in = await (await new_person(service.api)).sign_in()

    def start() -> SessionTokens:
        return session_tokens(service, loop, signed_in.tokens.refresh_token)

    def play(tokens: TokenSource) -> Callable[[], bytes]:
        def once() -> bytes:
            with (
                documents(service.verifier(), loop) as address,
                open_sync_channel(address, loop, tokens=tokens) as channel,
            ):
                return read(channel, "/documents/read")

        return once

    tokens = await asyncio.to_thread(start)
    assert await asyncio.to_thread(play(tokens)) != b"nobody"
    await terminate(service.api, signed_in.session.name)
    await service.stack.advance(timedelta(minutes=5))
    service.clock.ahead += timedelta(seconds=11)
    with pytest.raises(SessionOverError, match="SESSION_ENDED"):
        await asyncio.to_thread(play(tokens))


class Tokens:
    """Gives one token after the other, on the loop's thread alone."""

    def __init__(self, *tokens: str) -> None:
        self.left = list(tokens)
        self.refusals: list[str] = []
        self.threads: set[str] = set()

    async def token(self) -> str:
        """The present one."""
        self.threads.add(threading.current_thread().name)
        if not self.left:
            raise RenewalUnavailableError("Argus is away", retry_after=timedelta(seconds=1))
        return self.left[0]

    def refused(self, token: str) -> None:
        """Goes on to the next."""
        self.threads.add(threading.current_thread().name)
        self.refusals.append(token)
        self.left.remove(token)


async def test_a_refused_call_is_made_once_more_and_a_stream_is_not(service: Service, loop: LoopThread) -> None:
    signed_in = await (await new_person(service.api)).sign_in()
    good = signed_in.tokens.access_token

    def play() -> None:
        with documents(service.verifier(), loop) as address:
            again, streamed, late, none = Tokens("a.b.c", good), Tokens("a.b.c", good), Tokens("a.b.c", good), Tokens()
            with open_sync_channel(address, loop, tokens=again) as channel:
                assert read(channel, "/documents/read") != b"nobody"
                # What says itself who calls keeps it.
                assert told(channel, "/documents/read", ("authorization", "Bearer d.e.f")).reason == "TOKEN_INVALID"
            assert again.refusals == ["a.b.c"]
            with open_sync_channel(address, loop, tokens=streamed) as channel:
                with pytest.raises(grpc.RpcError) as refused:
                    ask(channel, "unary_stream")
                assert Told.by(refused.value).reason == "TOKEN_INVALID"
                wait_until("the source has heard", lambda: bool(streamed.refusals))
                assert len(ask(channel, "unary_stream")) == 3
            with open_sync_channel(address, loop, tokens=late) as channel:
                call: Any = channel.unary_unary("/documents/read")
                # Perhaps it is answered before anybody looks, and then made once more.
                call.future(b"", timeout=SECONDS).exception()
                wait_until("the source has heard", lambda: bool(late.refusals))
                assert call.future(b"", timeout=SECONDS).result() != b"nobody"
            with open_sync_channel(address, loop, tokens=none) as channel, pytest.raises(RenewalUnavailableError):
                read(channel, "/documents/read")
            assert again.threads | streamed.threads | late.threads | none.threads == {"argus.sdk"}

    await asyncio.to_thread(play)


def test_a_loop_that_does_not_run_says_so() -> None:
    async def nothing() -> str:
        return threading.current_thread().name

    loop = LoopThread()
    with pytest.raises(LoopOverError):
        loop.run(nothing)
    with loop:
        assert loop.run(nothing) == "argus.sdk"

        async def waits_for_itself() -> None:
            loop.run(nothing)

        with pytest.raises(RuntimeError, match="use await"):
            loop.run(waits_for_itself)
        with pytest.raises(TimeoutError):
            loop.run(asyncio.Event().wait, timeout=timedelta(milliseconds=50))
    with pytest.raises(LoopOverError):
        loop.run(nothing)
    loop.tell(lambda: None)
