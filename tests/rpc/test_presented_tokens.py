"""What is wrong with a presented token has one answer, whichever RPC takes it, and is counted by class."""

from typing import Any, Final

import httpx
import pytest

from argus.server.api import Failure, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import errors_pb2 as errors
from argus.v1 import token_service_pb2 as tokens
from tests.support.stack import Stack
from tests.support.wire import ALL_RPCS, Wire
from tests.support.world import World

FIELDS: Final = {
    "VerifyAccessToken": "access_token",
    "RefreshToken": "refresh_token",
    "IntrospectToken": "token",
    "RevokeToken": "token",
    "StartStepUp": "refresh_token",
} | {rpc.name: "access_token" for rpc in ALL_RPCS if rpc.path.startswith("/argus.v1.SelfService/")}
# RFC 7009 and RFC 7662: what is not good is not told.
SILENT: Final = {"RevokeToken": b"", "IntrospectToken": tokens.IntrospectTokenResponse().SerializeToString()}
BAD: Final = {
    "structure": "x",
    "base64": "\x00.\u0085.z",
    "size": f"e30.e30.{'A' * 9000}",
    "json": "AAAA.e30.AAAA",
}


def request_of(world: World, name: str, token: str) -> Any:
    """A good request but for its token."""
    request = world.request(name)
    setattr(request, FIELDS[name], token)
    return request


def test_every_rpc_that_takes_a_token_is_here() -> None:
    found = {
        rpc.name: field.name
        for rpc in ALL_RPCS
        # Its tokens are those of the links in mails: no JWTs, with a reason of their own.
        if not rpc.path.startswith("/argus.v1.AccountService/")
        for field in rpc.method.input_type.fields
        if field.name in {"token", "access_token", "refresh_token"}
    }
    assert found == FIELDS


@pytest.mark.parametrize("name", FIELDS)
async def test_a_token_that_is_missing_is_the_requests_fault(
    name: str, wire: Wire, world: World, authorization: str
) -> None:
    """Nothing was presented: nobody is refused, and nothing is counted."""
    path = next(rpc.path for rpc in ALL_RPCS if rpc.name == name)
    answer = await wire.call(path, request_of(world, name, ""), authorization=authorization)
    assert isinstance(answer, Failure)
    assert (answer.code, answer.reason, answer.field) == ("INVALID_ARGUMENT", "FIELD_INVALID", FIELDS[name])


async def test_a_batch_says_the_same_of_each(wire: Wire, world: World, authorization: str) -> None:
    request = tokens.BatchVerifyAccessTokensRequest(
        requests=[tokens.VerifyAccessTokenRequest(access_token=token) for token in ("", *BAD.values())]
    )
    answer = await wire.call("/argus.v1.TokenService/BatchVerifyAccessTokens", request, authorization=authorization)
    assert isinstance(answer, bytes)
    missing, *bad = tokens.BatchVerifyAccessTokensResponse.FromString(answer).results
    assert (missing.reason, dict(missing.metadata)) == (errors.ERROR_REASON_FIELD_INVALID, {"field": "access_token"})
    assert {one.reason for one in bad} == {errors.ERROR_REASON_TOKEN_INVALID}


@pytest.mark.parametrize("name", FIELDS)
async def test_a_token_that_is_not_good_is_its_own_fault_and_counted(
    name: str, stack: Stack, wire: Wire, world: World, authorization: str
) -> None:
    """Of no form, too long, of control characters, without a header."""
    path = next(rpc.path for rpc in ALL_RPCS if rpc.name == name)
    for fault, token in BAD.items():
        before = await faults(stack)
        answer = await wire.call(path, request_of(world, name, token), authorization=authorization)
        after = await faults(stack)
        if name in SILENT:
            assert answer == SILENT[name]
        else:
            assert isinstance(answer, Failure)
            assert (answer.code, answer.reason) == ("UNAUTHENTICATED", "TOKEN_INVALID"), fault
        assert {one: after[one] - before[one] for one in after if after[one] != before[one]} == {fault: 1}, fault


async def test_a_token_of_a_client_that_may_not_is_counted(stack: Stack) -> None:
    """What Python finds out by itself, too."""
    one, other = await stack.new_tenant(), await stack.new_tenant()
    before = await faults(stack)
    await one.tokens.RevokeToken(tokens.RevokeTokenRequest(token=await other.token()))
    request = authentication.StartStepUpRequest(parent=one.parent, refresh_token=await one.token())
    failure = await failure_of(one.authentication.StartStepUp(request))
    assert failure is not None
    assert failure.reason == "TOKEN_INVALID"
    after = await faults(stack)
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == {
        "tenant": 1,
        "typ": 1,
    }


async def faults(stack: Stack) -> dict[str, int]:
    """How many tokens were refused, by class."""
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{stack.server.admin_url}/metrics")).text
    prefix = 'argus_engine_token_faults_total{class="'
    lines = [line.removeprefix(prefix).split('"} ') for line in text.splitlines() if line.startswith(prefix)]
    return {name: int(float(count)) for name, count in lines}
