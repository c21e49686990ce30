"""What an engine keeps in memory: a hit is a yes that reading would give, too, and whatever is not is read."""

from typing import Final

import pytest

from argus import _core
from argus.v1.token_service_pb2 import (
    BatchVerifyAccessTokensRequest,
    BatchVerifyAccessTokensResponse,
)
from argus.v1.types_pb2 import Consistency
from tests.support.engine import (
    CACHES,
    CLIENT,
    IDLE,
    RESOURCE,
    SERVICE,
    Bench,
    Caches,
    Session,
    verify_request,
)
from tests.support.engine_snapshot import access_key
from tests.support.engine_twins import Twins
from tests.support.valkey import Valkey

STRONG: Final = Consistency.CONSISTENCY_STRONG


@pytest.fixture
def keeps() -> Caches:
    """Everything."""
    return CACHES


def counted(bench: Bench, name: str, cache: str) -> int:
    """A counter of a cache."""
    return bench.engine.counters()[f"cache_{name}{{cache={cache}}}"]


def hits(bench: Bench) -> tuple[int, int]:
    """Hits of signatures, the callers' among them, and of states."""
    signatures = sum(counted(bench, "hits", cache) for cache in ("callers", "signatures"))
    return signatures, counted(bench, "hits", "states")


def test_a_known_token_of_a_known_session_is_answered_without_redis(bench: Bench) -> None:
    """And says the same; until when the state is known moves on."""
    token = bench.sign_in(acr=2, groups=("staff",)).tokens.access_token
    first = bench.verify(token)
    assert hits(bench)[1] == 0
    again = bench.verify(token)
    assert hits(bench) == (2, 1)
    assert (again.state_time.seconds, again.state_time.nanos) > (first.state_time.seconds, first.state_time.nanos)
    again.state_time.CopyFrom(first.state_time)
    assert again == first


def test_strong_consistency_reads_redis_every_time(bench: Bench) -> None:
    """Whatever is known."""
    token = bench.sign_in().tokens.access_token
    for _ in range(3):
        bench.verify(token, consistency=STRONG)
    assert (hits(bench)[1], counted(bench, "misses", "states"), bench.engine.gauges()["states"]) == (0, 0, 0)
    for _ in range(2):
        bench.verify(token)
    states = hits(bench)[1]
    bench.verify(token, consistency=STRONG)
    assert hits(bench)[1] == states == 1


def test_a_pulled_key_is_refused_out_of_a_warm_cache(bench: Bench) -> None:
    """Pulled, or gone from the set: in the same moment, of tokens and of callers."""
    token, old = bench.sign_in().tokens.access_token, bench.bearer
    for _ in range(2):
        bench.verify(token)
    pulled = bench.tenant.keys[0]
    fresh = _core.generate_rsa_key(2048)
    bench.tenant.keys.append(access_key(fresh))
    pulled.signs, pulled.revoked = False, True
    bench.load()
    bench.bearer = bench.client_token()
    assert bench.refused("VerifyAccessToken", verify_request(token)).reason == "TOKEN_INVALID"
    assert bench.refused("VerifyAccessToken", verify_request(token), bearer=old).reason == "CALLER_TOKEN_INVALID"
    del bench.tenant.keys[0]
    bench.load()
    bench.snapshot_confirmed = True
    assert bench.refused("VerifyAccessToken", verify_request(token)).reason == "TOKEN_INVALID"


def test_entries_are_bounded(engine_valkey: Valkey) -> None:
    """By memory: what came last is there."""
    engine_valkey.client.flushall()
    engine_valkey.load()
    clock = _core.Clock()
    engine = _core.Engine(redis_url=engine_valkey.url, clock=clock, signature_cache=1 << 16, state_cache=1 << 14)
    bench = Bench(engine_valkey, engine, clock, is_cached=True)
    sessions = [bench.sign_in() for _ in range(200)]
    for session in sessions:
        assert (
            engine.answer(
                SERVICE + "VerifyAccessToken",
                verify_request(session.tokens.access_token).SerializeToString(),
                authorization=f"Bearer {bench.bearer}",
                request_id="",
                deadline_ms=10_000,
            )[0]
            == 0
        )
    gauges = engine.gauges()
    assert 0 < gauges["signature_bytes"] <= 1 << 16
    assert 0 < gauges["state_bytes"] <= 1 << 14
    assert counted(bench, "evictions", "signatures") >= 200 - gauges["signatures"]
    assert counted(bench, "evictions", "states") > 0
    engine.close()


def deadline(bench: Bench, session: Session) -> int:
    """The idle deadline that Redis has."""
    value: bytes = bench.valkey.client.get(bench.keys(session.session_id)[0])  # type: ignore[assignment]
    return int.from_bytes(value[67:71], "big")


def test_a_use_is_written_once_in_a_batch_at_its_own_moment(bench: Bench) -> None:
    """However often it is seen, and whenever it is written."""
    session = bench.sign_in()
    bench.advance(IDLE // 20)
    token, used = bench.access_token(session), bench.now
    for _ in range(5):
        bench.verify(token)
    bench.clock.advance(30_000)
    bench.valkey.load(offset_ms=bench.clock.offset_ms)
    assert bench.engine.write_activity(2000) == 0
    assert used <= deadline(bench, session) - IDLE <= used + 1
    (effect,) = bench.effects()
    assert effect.idle_deadline == deadline(bench, session)
    assert (bench.engine.counters()["activity_written"], bench.engine.gauges()["activity_queued"]) == (1, 0)


def test_a_use_that_must_not_be_late_is_written_in_its_call(bench: Bench) -> None:
    """After half of the idle time, under a shortened policy, and with STRONG."""
    late, shortened, strong = (bench.sign_in() for _ in range(3))
    bench.advance(IDLE // 20)
    bench.verify(bench.access_token(strong), consistency=STRONG)
    assert deadline(bench, strong) >= bench.now + IDLE - 1
    bench.advance(IDLE // 2)
    bench.verify(bench.access_token(late))
    assert deadline(bench, late) >= bench.now + IDLE - 1
    bench.tenant.policies[0].idle = 600
    bench.tenant.policies[0].absolute = 7200
    bench.load()
    bench.verify(bench.access_token(shortened))
    assert bench.now + 599 <= deadline(bench, shortened) <= bench.now + 601
    assert bench.engine.counters()["activity_written"] == 0


def test_a_full_queue_writes_in_place(engine_valkey: Valkey) -> None:
    """Nothing is dropped, and nobody waits for a place."""
    engine_valkey.client.flushall()
    engine_valkey.load()
    clock = _core.Clock()
    engine = _core.Engine(redis_url=engine_valkey.url, clock=clock, **(CACHES | {"activity_queue": 1}))
    bench = Bench(engine_valkey, engine, clock, is_cached=True)
    sessions = [bench.sign_in() for _ in range(3)]
    bench.advance(IDLE // 20)
    batch = BatchVerifyAccessTokensRequest(requests=[verify_request(bench.access_token(one)) for one in sessions])
    bench.ok("BatchVerifyAccessTokens", batch, BatchVerifyAccessTokensResponse)
    assert engine.write_activity(2000) == 0
    assert all(deadline(bench, one) >= bench.now + IDLE - 1 for one in sessions)
    assert len([effect for effect in bench.effects() if effect.last_active]) == len(sessions)
    engine.close()


@pytest.mark.parametrize("seed", range(3))
def test_with_and_without_caches_every_answer_is_the_same(bench: Bench, seed: int) -> None:
    """Whatever happens between two questions: the same bytes, but for the time of the state."""
    twins = Twins(bench, seed)
    try:
        for _ in range(60):
            twins.change()
            for _ in range(3):
                twins.verify()
        signatures, states = hits(bench)
        assert signatures > 50
        assert states > 10
        events = [(effect.event, effect.reason) for effect in bench.effects() if effect.event]
        assert events
    finally:
        twins.plain.close()


def test_client_tokens_are_known_by_signature_alone(bench: Bench) -> None:
    """What ends them is read every time."""
    token = bench.client_token(scope="things.read", resource=RESOURCE)
    for _ in range(2):
        bench.verify(token)
    bench.set_not_before(_core.Keyspace.not_before_key("acme", CLIENT), bench.now)
    assert bench.refused("VerifyAccessToken", verify_request(token)).reason == "TOKEN_INVALID"
