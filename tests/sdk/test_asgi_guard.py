"""An ASGI application behind the SDK: RFC 6750, RFC 9449 and RFC 9470, and 401, 403 and 503 apart."""

from collections.abc import AsyncIterator, MutableMapping
from datetime import timedelta
from typing import Any

import httpx
import pytest

from argus.sdk.errors import VerifierUnavailableError
from argus.sdk.guards.asgi import ArgusMiddleware, Receive, Scope, Send
from argus.sdk.guards.current import caller, caller_or_none
from argus.sdk.model import NO_PROOF, NO_REQUIREMENT, Proof, Requirement, Verified
from tests.sdk.test_verifiers import bound, now
from tests.support.dpop import DpopClient
from tests.support.people import new_person
from tests.support.service import Service

ORIGIN = "https://documents.example.com"
ASKED = {
    "/burn": Requirement(scopes=("documents.burn",)),
    "/sign": Requirement(acr_values=("urn:argus:acr:2", "urn:argus:acr:3")),
    "/recent": Requirement(max_age=timedelta(0)),
    "/health": None,
}


def asked(scope: Scope) -> Requirement | None:
    return ASKED.get(scope["path"], NO_REQUIREMENT)


async def application(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers with the caller's name."""
    known = caller_or_none()
    assert scope.get("argus.caller") is known
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": known.subject.encode() if known else b"nobody"})


@pytest.fixture
async def web(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    app = ArgusMiddleware(application, service.verifier(), requirement=asked, realm="documents", origin=ORIGIN)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN) as client:
        yield client


async def test_a_good_token_comes_through_and_its_caller_is_known(service: Service, web: httpx.AsyncClient) -> None:
    person = await new_person(service.api)
    token = (await person.sign_in()).tokens.access_token
    for scheme in ("Bearer", "bearer", "BEARER"):
        answer = await web.get("/read", headers={"authorization": f"{scheme} {token}"})
        assert (answer.status_code, answer.text) == (200, person.user_id)
    assert (await web.get("/health")).text == "nobody"
    with pytest.raises(LookupError):
        caller()


async def test_a_request_that_needs_no_token_is_nobodys(service: Service, web: httpx.AsyncClient) -> None:
    """Though it begins in the context of another one, as pipelined requests of a connection do."""
    person = await new_person(service.api)
    token = (await person.sign_in()).tokens.access_token
    inner: list[str] = []

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        inner.extend([caller().subject, (await web.get("/health")).text, caller().subject])
        await application(scope, receive, send)

    transport = httpx.ASGITransport(ArgusMiddleware(outer, service.verifier()))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        await client.get("/read", headers={"authorization": f"Bearer {token}"})
    assert inner == [person.user_id, "nobody", person.user_id]


@pytest.mark.parametrize(
    ("path", "headers", "status", "challenge"),
    [
        ("/read", [], 401, 'Bearer realm="documents"'),
        ("/read", [("authorization", "Basic abc")], 401, 'Bearer realm="documents"'),
        ("/read", [("authorization", "Bearer a.b.c")], 401, 'error="invalid_token"'),
        ("/read", [("authorization", "Bearer ")], 400, 'error="invalid_request"'),
        ("/read", [("authorization", "Bearer a b")], 400, 'error="invalid_request"'),
        ("/read", [("authorization", "{good}"), ("authorization", "{good}")], 400, 'error="invalid_request"'),
        ("/read", [("authorization", "{good}"), ("dpop", "a"), ("dpop", "b")], 400, 'error="invalid_request"'),
        ("/read", [("authorization", "{good}"), ("dpop", "a.b.c")], 401, 'DPoP realm="documents", error="invalid_dpop'),
        ("/read", [("authorization", "DPoP a.b.c")], 401, 'DPoP realm="documents", error="invalid_token"'),
        ("/burn", [("authorization", "{good}")], 403, 'error="insufficient_scope", scope="documents.burn"'),
        ("/sign", [("authorization", "{good}")], 401, 'acr_values="urn:argus:acr:2 urn:argus:acr:3"'),
        ("/recent", [("authorization", "{good}")], 401, 'max_age="0"'),
        ("/sign", [("authorization", "{good}")], 401, 'error="insufficient_user_authentication"'),
    ],
)
async def test_every_refusal_has_its_status_and_challenge(
    service: Service,
    web: httpx.AsyncClient,
    path: str,
    headers: list[tuple[str, str]],
    status: int,
    challenge: str,
) -> None:
    token = (await (await new_person(service.api)).sign_in()).tokens.access_token
    await service.stack.advance(timedelta(seconds=2))
    filled = [(name, value.replace("{good}", f"Bearer {token}")) for name, value in headers]
    answer = await web.get(path, headers=filled)
    assert answer.status_code == status
    assert challenge in answer.headers["www-authenticate"]
    assert answer.headers["cache-control"] == "no-store"
    assert token not in answer.text + answer.headers["www-authenticate"]


async def test_a_dpop_proof_is_of_the_address_without_its_query(service: Service, web: httpx.AsyncClient) -> None:
    client = DpopClient()
    token = await bound(service, client.proof(now=now(service)))

    async def status(path: str, proof_of: str) -> int:
        jwt = client.jwt(now=now(service), access_token=token, htm="GET", htu=f"{ORIGIN}{proof_of}")
        return (await web.get(path, headers={"authorization": f"DPoP {token}", "dpop": jwt})).status_code

    assert await status("/read?page=2", "/read") == 200
    assert await status("/a%2Fb", "/a%2Fb") == 200
    assert await status("/read", "/write") == 401


class Away:
    """A verifier that can't know."""

    async def verify(
        self, token: str, requirement: Requirement = NO_REQUIREMENT, *, proof: Proof = NO_PROOF
    ) -> Verified:
        del token, requirement, proof
        raise VerifierUnavailableError("redis-7.internal is down", retry_after=timedelta(seconds=2.1))


async def test_promise_4_an_outage_is_503_and_no_challenge() -> None:
    transport = httpx.ASGITransport(ArgusMiddleware(application, Away()))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as web:
        answer = await web.get("/read", headers={"authorization": "Bearer a.b.c"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert "www-authenticate" not in answer.headers
    assert "redis" not in answer.text


@pytest.mark.parametrize(("authorization", "code"), [(b"Bearer a.b.c", 1008), (None, 1008)])
async def test_a_web_socket_that_is_not_let_in_is_closed(
    service: Service, authorization: bytes | None, code: int
) -> None:
    sent: list[MutableMapping[str, Any]] = []
    headers = [(b"authorization", authorization)] if authorization else []
    scope = {"type": "websocket", "path": "/read", "scheme": "wss", "headers": headers}

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await ArgusMiddleware(application, service.verifier())(scope, receive, send)
    assert [(one["type"], one["code"]) for one in sent] == [("websocket.close", code)]


async def test_what_is_no_request_comes_through() -> None:
    """The application's own start and stop."""
    seen = []

    async def start(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return {}

    await ArgusMiddleware(start, Away())({"type": "lifespan"}, nothing, nothing)
    assert seen == ["lifespan"]


@pytest.mark.parametrize("realm", ['a"b', "a\\b", "a\nb"])
def test_a_realm_that_would_break_the_header_is_refused(realm: str) -> None:
    with pytest.raises(ValueError, match="realm"):
        ArgusMiddleware(application, Away(), realm=realm)
