"""The naive server does honest work: what it accepts and refuses is what anybody would expect of it."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from argus.server.api import Failure, failure_of
from argus.server.bench.hot import Begun, Hot, claims_of
from argus.server.bench.runs import Pace
from argus.v1.session_service_pb2 import TerminateSessionRequest
from argus.v1.token_service_pb2 import IssueClientTokenRequest, RefreshTokenRequest, VerifyAccessTokenRequest
from bench.peers.contender import Naive, naive
from bench.peers.naive.tokens import RefreshAlgorithm
from tests.support.people import new_person
from tests.support.stack import Stack


@pytest.fixture(scope="module", params=["RS256", "EdDSA"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Naive]:
    """A naive server of these tests."""
    refresh: RefreshAlgorithm = request.param
    async with naive(refresh) as running:
        yield running


async def begun(server: Naive) -> Begun:
    """A new session."""
    (one,) = await Hot(server).begin(1)
    return one


async def refused(server: Naive, token: str) -> Failure | None:
    """How a verification is refused."""
    return await failure_of(server.api.tokens.VerifyAccessToken(VerifyAccessTokenRequest(access_token=token)))


async def refresh_refused(server: Naive, token: str) -> Failure | None:
    """How a refresh is refused."""
    return await failure_of(server.api.tokens.RefreshToken(RefreshTokenRequest(refresh_token=token)))


async def test_it_goes_through_what_a_benchmark_does(server: Naive) -> None:
    hot = Hot(server)
    sessions = await hot.begin(8)
    turn = await hot.verify(sessions, 16, Pace(in_flight=4))
    assert turn.calls == 16
    assert turn.cpu_us["server"] > 0
    assert turn.cpu_us["redis"] > 0
    _, renewed = await hot.refresh(sessions, Pace(in_flight=4))
    _, again = await hot.refresh(renewed, Pace(in_flight=4))
    assert {one.generation for one in again} == {3}


async def test_only_its_own_tokens_in_their_place_are_good(server: Naive) -> None:
    one = await begun(server)
    head, claims, signature = one.access_token.split(".")
    for bad in (f"{head}.{claims}.{signature[:-8]}AAAAAAAA", one.refresh_token, f"{head}.{claims}.", ""):
        failure = await refused(server, bad)
        assert failure is not None
        assert failure.code == "UNAUTHENTICATED"
    failure = await refresh_refused(server, one.access_token)
    assert failure is not None
    assert await refused(server, one.access_token) is None


async def test_a_second_use_of_a_refresh_token_ends_the_session(server: Naive) -> None:
    one = await begun(server)
    assert await refresh_refused(server, one.refresh_token) is None
    assert await refused(server, one.access_token) is None
    assert await refresh_refused(server, one.refresh_token) is not None
    assert await refused(server, one.access_token) is not None


async def test_ended_means_ended(server: Naive) -> None:
    one = await begun(server)
    await server.api.sessions.TerminateSession(TerminateSessionRequest(name=one.name))
    assert await refused(server, one.access_token) is not None
    assert await refresh_refused(server, one.refresh_token) is not None


async def test_callers_prove_who_they_are(server: Naive) -> None:
    one = await begun(server)
    async with grpc.aio.insecure_channel(server.address) as channel:
        call: Any = channel.unary_unary("/argus.v1.TokenService/VerifyAccessToken")
        request = VerifyAccessTokenRequest(access_token=one.access_token).SerializeToString()
        for metadata in ((), (("authorization", f"Bearer {one.access_token}"),)):
            failure = await failure_of(call(request, metadata=metadata))
            assert failure is not None
            assert failure.code == "UNAUTHENTICATED"
    wrong = IssueClientTokenRequest(client_id="backend", client_secret="wrong")
    assert await failure_of(server.api.tokens.IssueClientToken(wrong)) is not None


async def test_its_tokens_say_what_those_of_argus_say(server: Naive, stack: Stack) -> None:
    api = await stack.new_tenant()
    tokens = (await (await new_person(api)).sign_in(scope="documents.read")).tokens
    theirs = await begun(server)
    for ours, peer in ((tokens.access_token, theirs.access_token), (tokens.refresh_token, theirs.refresh_token)):
        assert set(claims_of(peer)) == set(claims_of(ours))
        assert _header(peer).keys() == _header(ours).keys()
    assert len(theirs.access_token.rpartition(".")[2]) == len(tokens.access_token.rpartition(".")[2])


def _header(token: str) -> dict[str, str]:
    header: dict[str, str] = claims_of("." + token)
    return header
