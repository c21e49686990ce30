"""Every RPC refuses who may not call it, with the documented reason and nothing else."""

import pytest

from argus.server.api import Api, Failure
from argus.v1 import token_service_pb2 as tokens
from tests.support.stack import Stack
from tests.support.wire import ALL_RPCS, Rpc, Wire
from tests.support.world import World

GUARDED = [rpc for rpc in ALL_RPCS if not rpc.access.anonymous]
# What names a resource; the others take a token, and another tenant's is no good.
NAMING = [rpc for rpc in GUARDED if rpc.path.split("/")[1] not in {"argus.v1.SelfService", "argus.v1.TokenService"}]
PRESENTING = [rpc for rpc in GUARDED if rpc not in NAMING]

FORGED = (
    "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.eyJzdWIiOiJhZG1pbiIsInNjb3BlIjoidGVuYW50cy5hZG1pbiJ9.",
    "not-a-token",
    "a.b.c",
    "\u00e9".encode().decode("latin-1"),
    "x" * 7000,
)


def by_name(rpc: Rpc) -> str:
    """Name of a case."""
    return rpc.name


@pytest.fixture(scope="module")
async def caller(stack: Stack) -> Api:
    """A caller of a tenant of its own, with every scope."""
    return await stack.new_tenant()


@pytest.fixture(scope="module")
async def scopeless(stack: Stack) -> Api:
    """A caller without any scope of Argus."""
    return await stack.new_tenant(scopes=("documents.read",))


def test_every_rpc_has_a_request_in_the_walk(world: World) -> None:
    """A new RPC can't be left out."""
    for rpc in ALL_RPCS:
        assert isinstance(world.request(rpc.name), rpc.request_class)


@pytest.mark.parametrize("rpc", GUARDED, ids=by_name)
async def test_without_credentials(rpc: Rpc, wire: Wire, world: World) -> None:
    """No client token, or another scheme: CALLER_UNAUTHENTICATED."""
    for authorization in (None, "", "Basic YTpi"):
        answer = await wire.call(rpc.path, world.request(rpc.name), authorization=authorization)
        assert_refused(answer, "UNAUTHENTICATED", {"CALLER_UNAUTHENTICATED"})


@pytest.mark.parametrize("rpc", GUARDED, ids=by_name)
async def test_with_a_token_that_is_not_one(rpc: Rpc, wire: Wire, world: World) -> None:
    """Garbage, forged tokens and tokens of users: CALLER_TOKEN_INVALID, whatever is wrong with them."""
    messages = set()
    for token in (*FORGED, world.access_token, world.refresh_token):
        if not token.isascii():
            continue
        answer = await wire.call(rpc.path, world.request(rpc.name), authorization=f"Bearer {token}")
        messages.add(assert_refused(answer, "UNAUTHENTICATED", {"CALLER_TOKEN_INVALID"}).message)
    assert len(messages) == 1


@pytest.mark.parametrize("rpc", GUARDED, ids=by_name)
async def test_without_the_scope(rpc: Rpc, wire: Wire, world: World, scopeless: Api) -> None:
    """A good token that lacks the RPC's scope: CALLER_SCOPE_MISSING, naming it."""
    authorization = f"Bearer {await scopeless.token()}"
    answer = await wire.call(rpc.path, world.request(rpc.name), authorization=authorization)
    expected = {"CALLER_SCOPE_MISSING"} | ({"CALLER_TENANT_MISMATCH"} if rpc.access.system_tenant_only else set())
    failure = assert_refused(answer, "PERMISSION_DENIED", expected)
    if failure.reason == "CALLER_SCOPE_MISSING":
        assert failure.metadata == {"requiredScope": rpc.access.scope}


@pytest.mark.parametrize("rpc", NAMING, ids=by_name)
async def test_with_the_credentials_of_another_tenant(rpc: Rpc, wire: Wire, world: World, caller: Api) -> None:
    """Every scope, and another tenant's resource: refused, whether the resource exists or not."""
    authorization = f"Bearer {await caller.token()}"
    answer = await wire.call(rpc.path, world.request(rpc.name), authorization=authorization)
    assert_refused(answer, "PERMISSION_DENIED", {"CALLER_TENANT_MISMATCH"})


@pytest.mark.parametrize("rpc", PRESENTING, ids=by_name)
async def test_with_a_token_of_another_tenant(rpc: Rpc, wire: Wire, world: World, caller: Api) -> None:
    """Another tenant's token is like any bad one, and nothing happens to its session."""
    authorization = f"Bearer {await caller.token()}"
    answer = await wire.call(rpc.path, world.request(rpc.name), authorization=authorization)
    if rpc.name == "IntrospectToken":
        assert answer == tokens.IntrospectTokenResponse(active=False).SerializeToString()
    elif rpc.name == "RevokeToken":
        assert answer == b""
    elif rpc.name == "BatchVerifyAccessTokens":
        assert isinstance(answer, bytes)
        (result,) = tokens.BatchVerifyAccessTokensResponse.FromString(answer).results
        assert result.code == 16
        assert not result.HasField("verified")
    else:
        assert_refused(answer, "UNAUTHENTICATED", {"TOKEN_INVALID"})


async def test_another_tenants_revocation_ended_nothing(wire: Wire, stack: Stack, caller: Api) -> None:
    """RevokeToken says nothing; the session that it was about goes on."""
    victim = await stack.new_world()
    request = victim.request("RevokeToken")
    revoke = next(rpc for rpc in ALL_RPCS if rpc.name == "RevokeToken")
    assert await wire.call(revoke.path, request, authorization=f"Bearer {await caller.token()}") == b""
    owner = stack.api_of(victim)
    verified = await owner.tokens.VerifyAccessToken(tokens.VerifyAccessTokenRequest(access_token=victim.access_token))
    assert verified.session == victim.session


async def test_a_client_of_one_tenant_gets_no_token_of_another(stack: Stack, world: World, caller: Api) -> None:
    """Client ids are the tenant's own."""
    answer = await stack.wire.call(
        "/argus.v1.TokenService/IssueClientToken",
        tokens.IssueClientTokenRequest(
            parent=caller.parent, client_id=world.client.rpartition("/")[2], client_secret=world.client_secret
        ),
    )
    assert_refused(answer, "UNAUTHENTICATED", {"CALLER_CREDENTIALS_INVALID"})


async def test_an_unknown_method(wire: Wire) -> None:
    """UNIMPLEMENTED with our details, with and without credentials."""
    for path in ("/argus.v1.UserService/Nothing", "/argus.v1.NoService/Nothing", "/x/y"):
        assert_refused(await wire.call(path, b""), "UNIMPLEMENTED", {"UNIMPLEMENTED"})


def assert_refused(answer: bytes | Failure, code: str, reasons: set[str]) -> Failure:
    """The answer is a refusal with one of the reasons, and its text is ours."""
    assert isinstance(answer, Failure)
    assert (answer.code, answer.reason in reasons) == (code, True), answer
    assert answer.request_id
    for trace in ("Traceback", "Error(", "Exception", "psycopg", ".py"):
        assert trace not in answer.message
    return answer
