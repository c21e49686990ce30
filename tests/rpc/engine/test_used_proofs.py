"""A proof is used once, whichever process checks it: a retry is no replay, and a store that is away no yes."""

import pytest
from google.protobuf.message import Message

from argus import _core
from argus.v1.token_service_pb2 import (
    BatchVerifyAccessTokensRequest,
    BatchVerifyAccessTokensResponse,
    RefreshTokenResponse,
    VerifyAccessTokenResponse,
)
from argus.v1.types_pb2 import ClientContext
from tests.support.dpop import DpopClient
from tests.support.engine import DEADLINE, GRACE, SERVICE, TENANT, Bench, refresh_request, refusal, verify_request
from tests.support.proofs import record, refused_proof, used_proofs

MEMORY = 70


@pytest.fixture(scope="module")
def client() -> DpopClient:
    """The owner of the bound sessions here."""
    return DpopClient()


def test_a_used_proof_is_refused_and_changes_nothing(bench: Bench, client: DpopClient) -> None:
    """By another refresh, by verify, through another engine; it is remembered as long as it would be taken."""
    first, second = bench.sign_in(cnf=client.confirmation), bench.sign_in(cnf=client.confirmation)
    proof = client.proof(now=bench.now)
    bench.refresh(first.tokens.refresh_token, proof=proof)
    before = record(bench, second)
    replay = refresh_request(second.tokens.refresh_token, proof=proof)
    assert refused_proof(bench, "RefreshToken", replay) == "replayed"
    another = _core.Engine(redis_url=bench.valkey.url, clock=bench.clock)
    another.load(bench.snapshot.SerializeToString())
    kind, status = another.answer(
        f"{SERVICE}RefreshToken",
        replay.SerializeToString(),
        authorization=f"Bearer {bench.bearer}",
        request_id="1",
        deadline_ms=10_000,
    )
    another.close()
    assert (kind, refusal(status).reason) == (1, "TOKEN_PROOF_REQUIRED")
    assert record(bench, second) == before
    (name,) = used_proofs(bench)
    assert MEMORY - 20 < bench.valkey.client.ttl(name) <= MEMORY
    assert len(name) == 28


def test_an_answer_that_was_lost_may_be_asked_for_again(bench: Bench, client: DpopClient) -> None:
    """The same refresh to the byte: the same successor. Anything changed: a replay."""
    session = bench.sign_in(cnf=client.confirmation)
    request = refresh_request(
        session.tokens.refresh_token, proof=client.proof(now=bench.now), attempt_id="a", scope="things.read"
    )
    answers = [bench.ok("RefreshToken", request, RefreshTokenResponse) for _ in range(3)]
    assert len({answer.tokens.refresh_token for answer in answers}) == 1
    changed = []
    for name, value in (("attempt_id", "b"), ("scope", ""), ("user_active", True), ("client_context", ClientContext())):
        other = refresh_request(session.tokens.refresh_token, proof=request.proof, attempt_id="a", scope="things.read")
        if isinstance(value, ClientContext):
            other.client_context.tls_print = "thief"
        else:
            setattr(other, name, value)
        changed.append(other)
    for other in changed:
        assert refused_proof(bench, "RefreshToken", other) == "replayed"


def test_a_strict_family_is_not_ended_by_a_repeated_request(bench: Bench, client: DpopClient) -> None:
    """There a repeat would be a replay of the token: the used proof stops it before that."""
    bench.tenant.policies[0].strict = True
    bench.load()
    session = bench.sign_in(cnf=client.confirmation)
    request = refresh_request(session.tokens.refresh_token, proof=client.proof(now=bench.now))
    need = bench.needs("RefreshToken", request)
    assert need.answer
    before = record(bench, session)
    assert refused_proof(bench, "RefreshToken", request) == "replayed"
    assert record(bench, session) == before


def answer_in_call(bench: Bench, method: str, request: Message, call_id: str) -> tuple[int, bytes]:
    """What the engine says to a question of a call."""
    return bench.engine.answer(
        SERVICE + method,
        request.SerializeToString(),
        authorization=f"Bearer {bench.bearer}",
        request_id="same",
        deadline_ms=10_000,
        call_id=call_id,
    )


def test_verify_takes_a_proof_once_but_for_its_own_call_and_attempt(bench: Bench, client: DpopClient) -> None:
    """A thief would send the same bytes: only the caller's word makes it the same attempt, not the request id."""
    access = bench.sign_in(cnf=client.confirmation).tokens.access_token
    request = verify_request(access, proof=client.proof(now=bench.now, access_token=access))
    assert answer_in_call(bench, "VerifyAccessToken", request, "one")[0] == 0
    assert answer_in_call(bench, "VerifyAccessToken", request, "one")[0] == 0
    kind, status = answer_in_call(bench, "VerifyAccessToken", request, "two")
    assert (kind, refusal(status).reason) == (1, "TOKEN_PROOF_REQUIRED")
    assert refused_proof(bench, "VerifyAccessToken", request) == "replayed"
    retried = verify_request(access, proof=client.proof(now=bench.now, access_token=access), attempt_id="a")
    for _ in range(2):
        bench.ok("VerifyAccessToken", retried, VerifyAccessTokenResponse)
    retried.attempt_id = "b"
    assert refused_proof(bench, "VerifyAccessToken", retried) == "replayed"


def test_a_batch_has_a_proof_for_each_item(bench: Bench, client: DpopClient) -> None:
    """Good, without, used in another item."""
    first, second = (bench.sign_in(cnf=client.confirmation).tokens.access_token for _ in range(2))
    proof = client.proof(now=bench.now, access_token=first, jti="same")
    items = [verify_request(first, proof=proof), verify_request(first), verify_request(second, proof=proof)]
    request = BatchVerifyAccessTokensRequest(requests=items)
    results = bench.ok("BatchVerifyAccessTokens", request, BatchVerifyAccessTokensResponse).results
    assert [result.code for result in results] == [0, 16, 16]
    assert [dict(result.metadata) for result in results[1:]] == [{"binding": "dpop"}] * 2
    assert sorted(reason for _, reason in bench.events()) == ["ath", "missing"]


def test_a_proof_is_good_for_a_minute_by_the_clock(bench: Bench, client: DpopClient) -> None:
    """60 s old is good, 62 s is not; 5 s ahead is good, 8 s is not (a second of slack for the test's own time)."""
    session = bench.sign_in(cnf=client.confirmation)
    made = bench.now
    request = refresh_request(session.tokens.refresh_token, proof=client.proof(now=made + 4))
    bench.ok("RefreshToken", request, RefreshTokenResponse)
    late = refresh_request(session.tokens.refresh_token, proof=client.proof(now=made))
    bench.advance(58)
    bench.ok("RefreshToken", late, RefreshTokenResponse)
    bench.advance(4)
    assert refused_proof(bench, "RefreshToken", late) == "iat"


def test_an_older_token_of_a_bound_session_gets_the_current_one(bench: Bench, client: DpopClient) -> None:
    """Promise of rotation.md: bound, not even a step-up, however old the token and late the retry."""
    session = bench.sign_in(cnf=client.confirmation)
    tokens = [session.tokens.refresh_token]
    for _ in range(3):
        bench.effects()
        bench.advance(GRACE + DEADLINE + 1)
        answer = bench.refresh(tokens[-1], proof=client.proof(now=bench.now), client_context=_context("a"))
        tokens.append(answer.tokens.refresh_token)
    bench.advance(GRACE + DEADLINE + 1)
    before = record(bench, session)[:47]
    for old in tokens[:-1]:
        answer = bench.refresh(old, proof=client.proof(now=bench.now), client_context=_context("b"))
        assert answer.tokens.refresh_token == tokens[-1]
    assert record(bench, session)[:47] == before


def _context(installation: str) -> ClientContext:
    return ClientContext(installation_id=installation)


def test_a_store_that_is_away_uses_no_proof_up(own: Bench, client: DpopClient) -> None:
    """UNAVAILABLE, and the same proof is good once the store is back."""
    session = own.sign_in(cnf=client.confirmation)
    access = session.tokens.access_token
    asked: list[tuple[str, Message]] = [
        ("RefreshToken", refresh_request(session.tokens.refresh_token, proof=client.proof(now=own.now))),
        ("VerifyAccessToken", verify_request(access, proof=client.proof(now=own.now, access_token=access))),
    ]
    own.valkey.client.save()
    own.valkey.stop()
    for method, request in asked:
        refused = own.refused(method, request)
        assert (refused.code, refused.reason) == (14, "UNAVAILABLE")
    proof = client.proof(now=own.now).SerializeToString()
    check = {"tenant_id": TENANT, "caller": "client:web", "attempt": b"a"}
    assert own.engine.check_proof(proof, **check) == (3, b"redis")  # type: ignore[arg-type]
    own.valkey.start()
    assert used_proofs(own) == []
    own.needs(*asked[0])  # another lineage: rebuilt by a flow, which the tests of the server do
    assert own.engine.check_proof(proof, **check)[0] == 0  # type: ignore[arg-type]
    assert own.engine.check_proof(proof, **check)[0] == 0  # type: ignore[arg-type]
    assert own.engine.check_proof(proof, **{**check, "attempt": b"b"}) == (1, b"replayed")  # type: ignore[arg-type]


def test_a_memory_that_has_run_out_is_no_yes(bench: Bench, client: DpopClient) -> None:
    """Redis refuses the write (maxmemory, noeviction): nothing is decided."""
    session = bench.sign_in(cnf=client.confirmation)
    access = session.tokens.access_token
    before = record(bench, session)
    bench.valkey.client.config_set("maxmemory", 1)
    try:
        for method, request in (
            ("RefreshToken", refresh_request(session.tokens.refresh_token, proof=client.proof(now=bench.now))),
            ("VerifyAccessToken", verify_request(access, proof=client.proof(now=bench.now, access_token=access))),
        ):
            assert bench.refused(method, request).reason == "UNAVAILABLE"
    finally:
        bench.valkey.client.config_set("maxmemory", 0)
    assert record(bench, session) == before
