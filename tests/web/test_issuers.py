"""What tenants publish: key sets and metadata, and how long who may keep them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette

from argus.v1 import key_service_pb2 as keys
from argus.v1.session_service_pb2 import CreateSessionRequest
from argus.v1.token_service_pb2 import IntrospectTokenRequest
from argus.web.documents import Documents
from argus.web.issuers import Issuers
from tests.support.dpop import DpopClient, certificate
from tests.support.people import new_person
from tests.support.stack import Stack

PATHS = (
    "/t/{}/.well-known/jwks.json",
    "/t/{}/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server/t/{}",
)


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the public listener."""
    async with httpx.AsyncClient(base_url=stack.server.http_url) as client:
        yield client


_questions = count()


def unshared(path: str) -> str:
    """The same, asked by itself: for a moment the front door gives everybody who asks alike the same answer."""
    return f"{path}?{next(_questions)}"


async def keys_of(http: httpx.AsyncClient, tenant_id: str) -> set[str]:
    """Names of the published keys."""
    published = await http.get(unshared(PATHS[0].format(tenant_id)))
    return {key["kid"] for key in published.json()["keys"]}


async def test_the_key_set_verifies_access_tokens_and_no_refresh_tokens(http: httpx.AsyncClient, stack: Stack) -> None:
    """Another implementation (joserfc) verifies by the published keys; refresh keys are never published."""
    world = await stack.new_world()
    published = await http.get(f"/t/{world.tenant.partition('/')[2]}/.well-known/jwks.json")
    assert published.headers["content-type"] == "application/jwk-set+json"
    key_set = KeySet.import_key_set(published.json())
    claims = jwt.decode(world.access_token, key_set, algorithms=["RS256"]).claims
    assert claims["sid"] == world.session.rpartition("/")[2]
    api = stack.api_of(world)
    own = await api.keys.ListKeys(keys.ListKeysRequest(parent=world.tenant))
    access = {key.name.rpartition("/")[2] for key in own.keys if key.use == keys.KEY_USE_ACCESS}
    assert {key["kid"] for key in published.json()["keys"]} == access
    # J12: nothing private, and nothing that nobody needs.
    assert all(key.keys() == {"kty", "use", "alg", "kid", "n", "e"} for key in published.json()["keys"])


async def test_the_key_set_may_be_cached(http: httpx.AsyncClient, stack: Stack) -> None:
    """Cache-Control and ETag; a consumer that has it gets 304, after a rotation the new one."""
    api = await stack.new_tenant()
    path = f"/t/{api.tenant_id}/.well-known/jwks.json"
    first = await http.get(path)
    assert first.headers["cache-control"].startswith("public, max-age=")
    etag = first.headers["etag"]
    for known in (etag, f"W/{etag}", f'"x", {etag}'):
        assert (await http.get(path, headers={"if-none-match": known})).status_code == 304
    await api.keys.RotateKey(keys.RotateKeyRequest(parent=api.parent, use=keys.KEY_USE_ACCESS))
    await stack.argus.snapshot.refresh()
    second = await http.get(unshared(path), headers={"if-none-match": etag})
    assert second.status_code == 200
    assert len(second.json()["keys"]) == len(first.json()["keys"]) + 1


async def test_a_key_is_published_before_it_signs_and_kept_after(http: httpx.AsyncClient, stack: Stack) -> None:
    """J12: ahead by twice the time that readers may keep the set; afterwards as long as a token of it can be good."""
    api = await stack.new_tenant()
    (old,) = await keys_of(http, api.tenant_id)
    made = await api.keys.RotateKey(keys.RotateKeyRequest(parent=api.parent, use=keys.KEY_USE_ACCESS))
    new = made.key.name.rpartition("/")[2]
    ahead = made.key.active_time.ToDatetime() - made.key.create_time.ToDatetime()
    assert ahead == 2 * stack.argus.settings.key_set_max_age == timedelta(minutes=10)
    await stack.argus.snapshot.refresh()
    assert await keys_of(http, api.tenant_id) == {old, new}

    async def signing() -> str:
        key_set = KeySet.import_key_set((await http.get(PATHS[0].format(api.tenant_id))).json())
        token = (await api.issue()).tokens.access_token
        return str(jwt.decode(token, key_set, algorithms=["RS256"]).header["kid"])

    assert await signing() == old
    await stack.advance(ahead)
    await stack.argus.signing_keys.advance_due()
    await stack.argus.snapshot.refresh()
    assert await signing() == new
    assert await keys_of(http, api.tenant_id) == {old, new}
    # The longest life of an access token, and the leeway.
    await stack.advance(timedelta(hours=1, seconds=4))
    await stack.argus.signing_keys.advance_due()
    await stack.argus.snapshot.refresh()
    assert await keys_of(http, api.tenant_id) == {old, new}
    await stack.advance(timedelta(seconds=2))
    await stack.argus.signing_keys.advance_due()
    await stack.argus.snapshot.refresh()
    assert await keys_of(http, api.tenant_id) == {new}


async def test_the_metadata_says_what_is_so(http: httpx.AsyncClient, stack: Stack) -> None:
    """A10: the issuer is that of tokens, byte by byte; what is named is there; nothing else is named."""
    world = await stack.new_world()
    tenant_id = world.tenant.partition("/")[2]
    one, other = [(await http.get(path.format(tenant_id))).json() for path in PATHS[1:]]
    assert one == other
    assert set(one) == {
        "issuer",
        "jwks_uri",
        "subject_types_supported",
        "dpop_signing_alg_values_supported",
        "tls_client_certificate_bound_access_tokens",
    }
    base = stack.argus.settings.base_url
    assert one["issuer"] == f"{base}/t/{tenant_id}"
    published = (await http.get(one["jwks_uri"].removeprefix(base))).json()
    assert jwt.decode(world.access_token, KeySet.import_key_set(published)).claims["iss"] == one["issuer"]
    # Lists without elements are left out (OpenID Discovery, 4.2; RFC 8414, 3.2).
    assert all(value for value in one.values())


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"])
async def test_sessions_can_be_bound_as_the_metadata_says(
    http: httpx.AsyncClient, stack: Stack, algorithm: str
) -> None:
    """Each algorithm of proofs, and certificates."""
    api = await stack.new_tenant()
    metadata = (await http.get(PATHS[1].format(api.tenant_id))).json()
    assert algorithm in metadata["dpop_signing_alg_values_supported"]
    assert len(metadata["dpop_signing_alg_values_supported"]) == 5
    client = DpopClient("Ed25519" if algorithm == "EdDSA" else algorithm)
    person, now = await new_person(api), stack.private.clock.now_ms() // 1000
    for proof, confirmation in (
        (client.proof(now=now, header={"alg": algorithm}), client.confirmation),
        certificate(),
    ):
        request = CreateSessionRequest(parent=person.name, proof=proof)
        tokens = (await api.sessions.CreateSession(request)).tokens
        told = await api.tokens.IntrospectToken(IntrospectTokenRequest(token=tokens.access_token))
        assert told.cnf == confirmation


@pytest.mark.parametrize("path", PATHS)
async def test_documents_may_be_kept_for_a_while(http: httpx.AsyncClient, stack: Stack, path: str) -> None:
    """By browsers' applications and shared caches, too; HEAD says the same as GET without the document."""
    api = await stack.new_tenant()
    found = await http.get(path.format(api.tenant_id))
    assert found.status_code == 200
    assert found.headers["cache-control"] == "public, max-age=300, must-revalidate"
    assert found.headers["access-control-allow-origin"] == "*"
    assert "vary" not in found.headers
    headers_only = await http.head(path.format(api.tenant_id))
    assert (headers_only.status_code, headers_only.content) == (200, b"")
    differing = {"date", "x-request-id"}
    assert {k: v for k, v in headers_only.headers.items() if k not in differing} == {
        k: v for k, v in found.headers.items() if k not in differing
    }
    known = await http.get(path.format(api.tenant_id), headers={"if-none-match": found.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    for name in ("etag", "cache-control", "access-control-allow-origin"):
        assert known.headers[name] == found.headers[name]


@pytest.mark.parametrize("path", PATHS)
async def test_browsers_may_ask_from_anywhere(http: httpx.AsyncClient, stack: Stack, path: str) -> None:
    """A15; the question tells nobody which tenants there are."""
    api = await stack.new_tenant()
    asked = {"origin": "https://app.example.com", "access-control-request-method": "GET"}
    told = [await http.options(path.format(one), headers=asked) for one in (api.tenant_id, "no-such-tenant")]
    assert [one.status_code for one in told] == [204, 204]
    assert told[0].headers["access-control-allow-methods"] == "GET, HEAD"
    assert "access-control-allow-credentials" not in told[0].headers
    differing = {"date", "x-request-id"}
    assert len({tuple((k, v) for k, v in one.headers.items() if k not in differing) for one in told}) == 1


async def test_an_issuer_below_a_path() -> None:
    """RFC 8414, 3.1: the well-known part comes before the whole path, which a proxy may take away elsewhere."""
    issuers = Issuers(key_sets=lambda _: b"{}", issuer_of=lambda one: f"https://id.example.com/auth/t/{one}")
    app = Starlette(routes=issuers.routes(Documents(max_age=timedelta(minutes=5))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://id.example.com") as http:
        for path in (
            "/t/acme/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server/auth/t/acme",
        ):
            assert (await http.get(path)).json()["issuer"] == "https://id.example.com/auth/t/acme"
        assert (await http.get("/.well-known/oauth-authorization-server/t/acme")).status_code == 404
