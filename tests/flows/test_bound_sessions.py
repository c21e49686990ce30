"""Sessions bound to a key, over gRPC on the running server: begun, refreshed, stolen, lost and found."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from argus import _core
from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.dpop import DpopClient, certificate
from tests.support.people import PASSWORD, Person, context, new_person, reason_of

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

GRACE = timedelta(seconds=30)
DEBOUNCE = timedelta(seconds=41)
REFUSED = "TOKEN_PROOF_REQUIRED"


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def owner(stack: Stack, api: Api) -> Owner:
    return Owner(stack, await new_person(api))


class Owner:
    """A user whose client holds a key."""

    def __init__(self, stack: Stack, person: Person) -> None:
        self.stack = stack
        self.api = person.api
        self.person = person
        self.client = DpopClient()

    def proof(self, *, access_token: str = "", **changes: Any) -> types.Proof:
        """A new proof of the key."""
        now = self.stack.private.clock.now_ms() // 1000
        return self.client.proof(now=now, access_token=access_token, **changes)

    async def sign_in(self, proof: types.Proof | None = None) -> authentication.SubmitFactorResponse:
        """Signs in with a proof, a new one by default."""
        return await self.submit(await self.person.start(), proof or self.proof())

    async def submit(self, login_token: str, proof: types.Proof) -> authentication.SubmitFactorResponse:
        """Hands in the password with a proof."""
        request = authentication.SubmitFactorRequest(
            parent=self.api.parent, login_token=login_token, password=PASSWORD, client_context=context(), proof=proof
        )
        return await self.api.authentication.SubmitFactor(request)

    async def refresh(self, token: str, proof: types.Proof | None = None, *, ip: str = "") -> types.TokenSet:
        """Refreshes with a proof, a new one by default."""
        request = tokens.RefreshTokenRequest(
            refresh_token=token, proof=proof or self.proof(), client_context=context(ip)
        )
        return (await self.api.tokens.RefreshToken(request)).tokens

    async def verify(self, token: str) -> tokens.VerifyAccessTokenResponse:
        """Verifies with a new proof."""
        request = tokens.VerifyAccessTokenRequest(access_token=token, proof=self.proof(access_token=token))
        return await self.api.tokens.VerifyAccessToken(request)

    async def create(self, **fields: Any) -> sessions.CreateSessionResponse:
        """Has a session made on the caller's word."""
        request = sessions.CreateSessionRequest(parent=self.person.name, **fields)
        return await self.api.sessions.CreateSession(request)

    async def record(self, session: str) -> bytes:
        """What Redis holds of a session."""
        found = await self.stack.argus.redis.client.get(_core.Keyspace.session_key(session.rpartition("/")[2]))
        assert isinstance(found, bytes)
        return found

    async def forget(self, session: str) -> None:
        """Redis loses the session's record."""
        await self.stack.argus.redis.client.delete(_core.Keyspace.session_key(session.rpartition("/")[2]))


async def test_a_sign_in_with_a_proof_binds_the_session(stack: Stack, owner: Owner) -> None:
    """In PostgreSQL, in its record, in its tokens; introspection says to what."""
    done = await owner.sign_in()
    assert done.tokens.token_type == "DPoP"
    digest = hashlib.sha256(owner.client.confirmation.jkt.encode()).digest()[:16]
    session_id = done.session.name.rpartition("/")[2]
    row = await stack.argus.db.fetch_one("SELECT binding FROM sessions WHERE session_id = %s", (session_id,))
    assert row is not None
    assert bytes(row["binding"]) == digest
    assert digest in await owner.record(done.session.name)
    access = done.tokens.access_token
    assert (await owner.verify(access)).cnf == owner.client.confirmation
    told = await owner.api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=access))
    assert (told.active, told.cnf) == (True, owner.client.confirmation)
    bare = owner.api.tokens.VerifyAccessToken(tokens.VerifyAccessTokenRequest(access_token=access))
    failure = await failure_of(bare)
    assert failure is not None
    assert (failure.code, failure.reason, failure.metadata["binding"]) == ("UNAUTHENTICATED", REFUSED, "dpop")


async def test_a_bad_proof_at_sign_in_is_no_try(owner: Owner) -> None:
    """Refused before the password is looked at; the login goes on with a good one, and no session is unbound."""
    login_token = await owner.person.start()
    assert await reason_of(owner.submit(login_token, owner.proof(htm="GET"))) == REFUSED
    assert await reason_of(owner.submit(login_token, types.Proof())) == REFUSED
    used = owner.proof()
    await owner.sign_in(used)
    assert await reason_of(owner.submit(login_token, used)) == REFUSED
    assert await owner.person.count() == 1
    assert (await owner.submit(login_token, owner.proof())).tokens.token_type == "DPoP"


async def test_a_proof_of_the_sign_in_is_used_for_the_refresh_too(owner: Owner) -> None:
    """Flows and hot calls have one memory."""
    proof = owner.proof()
    done = await owner.sign_in(proof)
    assert await reason_of(owner.refresh(done.tokens.refresh_token, proof)) == REFUSED


async def test_a_created_session_is_bound_and_repeated(owner: Owner) -> None:
    """Checking uses no proof up; the same request again is the same session with tokens of the same key."""
    fields: dict[str, Any] = {"proof": owner.proof(), "scope": "documents.read"}
    await owner.create(**fields, validate_only=True)
    made = await owner.create(**fields, request_id="one")
    again = await owner.create(**fields, request_id="one")
    assert again.session.name == made.session.name
    assert again.tokens.refresh_token == made.tokens.refresh_token
    assert await reason_of(owner.create(**fields, request_id="two")) == REFUSED
    for one in (made, again):
        assert (one.tokens.token_type, (await owner.verify(one.tokens.access_token)).cnf) == (
            "DPoP",
            owner.client.confirmation,
        )
    assert await owner.person.count() == 1


async def test_rfc_8705_a_certificate_binds_at_sign_in(owner: Owner) -> None:
    proof, confirmation = certificate()
    done = await owner.sign_in(proof)
    assert done.tokens.token_type == "Bearer"
    token = (await owner.refresh(done.tokens.refresh_token, proof)).access_token
    request = tokens.VerifyAccessTokenRequest(access_token=token, proof=proof)
    assert (await owner.api.tokens.VerifyAccessToken(request)).cnf == confirmation
    request.proof.CopyFrom(certificate(b"another")[0])
    failure = await failure_of(owner.api.tokens.VerifyAccessToken(request))
    assert failure is not None
    assert (failure.reason, failure.metadata["binding"]) == (REFUSED, "mtls")


async def test_bound_and_honest_there_is_never_a_step_up(stack: Stack, owner: Owner) -> None:
    """Any older token, inside and after the grace, from anywhere, after lost answers: the current token."""
    done = await owner.sign_in()
    chain = [done.tokens.refresh_token]
    for _ in range(3):
        chain.append((await owner.refresh(chain[-1])).refresh_token)
        for old in chain[:-1]:
            assert (await owner.refresh(old, ip="192.0.2.99")).refresh_token == chain[-1]
        await stack.advance(DEBOUNCE)
    assert len(set(chain)) == 4
    await stack.advance(GRACE)
    for old in chain[:-1]:
        answer = await owner.refresh(old)
        assert answer.refresh_token == chain[-1]
        await owner.verify(answer.access_token)


async def test_the_same_bytes_again_are_a_retry_and_anything_else_a_replay(owner: Owner) -> None:
    """As a transparent retry of the gRPC library sends them."""
    done = await owner.sign_in()
    proof = owner.proof()
    first = await owner.refresh(done.tokens.refresh_token, proof)
    again = await owner.refresh(done.tokens.refresh_token, proof)
    assert again.refresh_token == first.refresh_token
    record = await owner.record(done.session.name)
    assert await reason_of(owner.refresh(first.refresh_token, proof)) == REFUSED
    assert await reason_of(owner.refresh(done.tokens.refresh_token, proof, ip="203.0.113.9")) == REFUSED
    assert await owner.record(done.session.name) == record


async def test_a_stolen_bound_token_without_the_key_changes_nothing(stack: Stack, owner: Owner) -> None:
    """The record is the same to the bit, also where Redis had lost it; every try is in the audit."""
    done = await owner.sign_in()
    token = done.tokens.refresh_token
    thief = DpopClient()
    now = stack.private.clock.now_ms() // 1000
    before = await owner.record(done.session.name)
    for proof in (types.Proof(), thief.proof(now=now), certificate()[0], owner.proof(htu="https://evil.test/token")):
        assert await reason_of(owner.refresh(token, proof)) == REFUSED
    assert await owner.record(done.session.name) == before
    await owner.forget(done.session.name)
    assert await reason_of(owner.refresh(token, thief.proof(now=now))) == REFUSED
    await stack.argus.effects.flush()
    rows = await stack.argus.db.fetch_all(
        "SELECT reason FROM audit_events WHERE session_id = %s AND type = 'proof.refused' ORDER BY reason",
        (done.session.name.rpartition("/")[2],),
    )
    assert [row["reason"] for row in rows] == ["htu", "missing", "other_key", "other_key", "other_key"]
    assert (await owner.refresh(token)).refresh_token != token


async def test_a_rebuild_keeps_the_binding(owner: Owner) -> None:
    done = await owner.sign_in()
    newest = await owner.refresh(done.tokens.refresh_token)
    await owner.stack.argus.effects.flush()
    before = await owner.record(done.session.name)
    await owner.forget(done.session.name)
    assert (await owner.refresh(newest.refresh_token)).token_type == "DPoP"
    after = await owner.record(done.session.name)
    assert after[31:47] == before[31:47] != bytes(16)
    assert after[2] & 1
    await owner.verify(newest.access_token)


async def test_a_batch_that_needs_a_rebuild_uses_each_proof_once(owner: Owner) -> None:
    """Items that were good before the rebuild are asked for again: that is the same call."""
    signed_in = [await owner.sign_in() for _ in range(3)]
    items = [
        tokens.VerifyAccessTokenRequest(
            access_token=done.tokens.access_token, proof=owner.proof(access_token=done.tokens.access_token)
        )
        for done in signed_in
    ]
    batch = tokens.BatchVerifyAccessTokensRequest(requests=items)
    await owner.forget(signed_in[1].session.name)
    results = (await owner.api.tokens.BatchVerifyAccessTokens(batch)).results
    assert [result.code for result in results] == [0, 0, 0]
    results = (await owner.api.tokens.BatchVerifyAccessTokens(batch)).results
    assert [result.code for result in results] == [16, 16, 16]


async def test_sixteen_tabs_at_once_are_one_chain(stack: Stack, owner: Owner) -> None:
    """Each with a proof of its own; then the next refresh works."""
    done = await owner.sign_in()
    answers = await asyncio.gather(*(owner.refresh(done.tokens.refresh_token) for _ in range(16)))
    assert len({answer.refresh_token for answer in answers}) == 1
    await stack.advance(DEBOUNCE)
    assert (await owner.refresh(answers[3].refresh_token)).refresh_token != answers[3].refresh_token


async def test_one_proof_at_once_for_many_is_taken_once(owner: Owner) -> None:
    """A race for a proof has one winner."""
    signed_in = [await owner.sign_in() for _ in range(8)]
    proof = owner.proof()
    outcomes = await asyncio.gather(*(reason_of(owner.refresh(one.tokens.refresh_token, proof)) for one in signed_in))
    assert sorted(outcomes) == ["", *[REFUSED] * 7]


@pytest.mark.parametrize(
    ("proof", "field"),
    [
        (
            types.Proof(dpop=types.DpopProof(jwt="x", http_method="", http_uri="https://a.test/")),
            "proof.dpop.http_method",
        ),
        (types.Proof(dpop=types.DpopProof(jwt="x", http_method="GET", http_uri="a")), "proof.dpop.http_uri"),
        (types.Proof(mtls_certificate_sha256=b"short"), "proof.mtls_certificate_sha256"),
    ],
)
async def test_a_callers_mistake_is_told_by_field(owner: Owner, proof: types.Proof, field: str) -> None:
    login_token = await owner.person.start()
    calls: list[Any] = [owner.submit(login_token, proof), owner.create(proof=proof)]
    for call in calls:
        failure = await failure_of(call)
        assert failure is not None
        assert (failure.reason, failure.field) == ("FIELD_INVALID", field)
