"""The engine under a lease: what a node says counts only while it is confirmed as the primary."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from argus import _core
from tests.support.engine import Bench, Refusal, refresh_request, verify_request
from tests.support.sentinel import wait_until
from tests.support.valkey import Valkey

NO_LEASE = {"component": "redis", "cause": "NO_LEASE"}
OTHER = b"another."


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Valkey]:
    """A server of this test alone."""
    with Valkey(tmp_path / "one").running() as started:
        yield started


@pytest.fixture
def lease() -> _core.Lease:
    """Held by nobody yet."""
    return _core.Lease()


@pytest.fixture
def leased(server: Valkey, lease: _core.Lease) -> Iterator[Bench]:
    """An engine that believes its server by lease only."""
    clock = _core.Clock()
    engine = _core.Engine(redis_url=None, clock=clock, lease=lease, redis_timeout_ms=10_000)
    engine.use_primary(server.url)
    yield Bench(server, engine, clock)
    engine.close()


def grant(bench: Bench, lease: _core.Lease, *, age_ms: int = 0) -> None:
    """Confirms the bench's server, so long ago."""
    lease.grant(bench.valkey.now_and_lineage()[1], lease.now_ms() - age_ms)


def refusals(bench: Bench, token: str, refresh_token: str) -> list[Refusal]:
    """How verification and refresh are refused."""
    return [
        bench.refused("VerifyAccessToken", verify_request(token)),
        bench.refused("RefreshToken", refresh_request(refresh_token)),
    ]


def test_without_a_lease_nothing_is_decided_and_nothing_written(leased: Bench, lease: _core.Lease) -> None:
    """Never granted, taken back, run out, or granted for another node."""
    session = leased.sign_in()
    key = leased.keys(session.session_id)[0]
    before = leased.valkey.client.get(key)

    def check() -> None:
        for refused in refusals(leased, session.tokens.access_token, session.tokens.refresh_token):
            assert (refused.code, refused.reason, refused.metadata) == (14, "UNAVAILABLE", NO_LEASE)
            assert refused.retries
        assert leased.engine.ping() == "no_lease"
        assert leased.valkey.client.get(key) == before

    check()
    grant(leased, lease)
    lease.revoke()
    check()
    grant(leased, lease, age_ms=lease.LIFE_MS)
    check()
    lease.grant(OTHER, lease.now_ms())
    check()


def test_under_a_lease_it_is_as_ever(leased: Bench, lease: _core.Lease) -> None:
    session = leased.sign_in()
    grant(leased, lease, age_ms=lease.LIFE_MS - 2000)
    leased.verify(session.tokens.access_token)
    leased.refresh(session.tokens.refresh_token)
    assert leased.engine.ping() is None
    assert lease.is_held()


def test_a_restarted_node_counts_no_more(leased: Bench, lease: _core.Lease) -> None:
    """It may have lost writes; whether it counts is for the keeper of the lease to find out."""
    session = leased.sign_in()
    grant(leased, lease)
    leased.valkey.restart()
    assert leased.engine.ping() == "no_lease"
    lease.revoke()
    grant(leased, lease)
    # Its lineage counts again, and the record's does not.
    leased.needs("VerifyAccessToken", verify_request(session.tokens.access_token))


@pytest.mark.parametrize("how", ["revoked", "another node's", "run out"])
def test_an_answer_that_comes_after_the_lease_is_not_used(leased: Bench, lease: _core.Lease, how: str) -> None:
    """The request is under way while the primary is replaced, or while this process is stopped; then the node goes on.

    The rotation takes place there, and its answer is given to nobody: a retry gets the same successor from whoever
    counts.
    """
    session, valkey = leased.sign_in(), leased.valkey
    lineage = valkey.now_and_lineage()[1]
    grant(leased, lease)
    request = refresh_request(session.tokens.refresh_token)
    valkey.client.client_pause(60_000, all=False)
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(leased.answer, "RefreshToken", request)
        wait_until("the rotation is under way", lambda: int(valkey.info("clients")["blocked_clients"]) == 1)
        if how == "revoked":
            lease.revoke()
        elif how == "run out":
            grant(leased, lease, age_ms=lease.LIFE_MS)
        else:
            lease.grant(OTHER, lease.now_ms())
        valkey.client.client_unpause()
        kind, _ = waiting.result(timeout=30)
    assert kind == 1
    value: Any = valkey.client.get(leased.keys(session.session_id)[0])
    assert _core.SessionRecord.from_bytes(value).generation == 2
    assert not leased.effects()
    lease.grant(lineage, lease.now_ms())
    assert leased.refresh(session.tokens.refresh_token).tokens.refresh_token


def test_it_speaks_to_whom_it_is_told_to(leased: Bench, lease: _core.Lease, tmp_path: Path) -> None:
    """Another node, without a new engine."""
    session = leased.sign_in()
    grant(leased, lease)
    leased.verify(session.tokens.access_token)
    other = Valkey(tmp_path / "other")
    other.start()
    leased.engine.use_primary(other.url)
    assert leased.engine.ping() == "no_lease"
    lease.grant(other.now_and_lineage()[1], lease.now_ms())
    leased.needs("VerifyAccessToken", verify_request(session.tokens.access_token))
    other.stop()


def test_nowhere_to_go_is_unavailable(server: Valkey, lease: _core.Lease) -> None:
    """Before the primary is known."""
    engine = _core.Engine(redis_url=None, clock=_core.Clock(), lease=lease)
    lease.grant(OTHER, lease.now_ms())
    assert engine.ping() == "no_primary"
    with pytest.raises(ValueError, match="redis_url"):
        engine.use_primary("nonsense://host")
    engine.close()
    assert engine.ping() == "closed"


def test_a_replica_is_not_asked(bench: Bench, tmp_path: Path) -> None:
    """Without Sentinel, too: UNAVAILABLE, and nothing that reads like an answer."""
    session = bench.sign_in()
    primary = Valkey(tmp_path / "primary")
    primary.start()
    bench.valkey.client.replicaof("127.0.0.1", str(primary.port))
    try:
        for refused in refusals(bench, session.tokens.access_token, session.tokens.refresh_token):
            assert (refused.code, refused.reason, refused.metadata) == (14, "UNAVAILABLE", {"component": "redis"})
        assert bench.engine.ping() == "not_primary"
    finally:
        bench.valkey.client.replicaof("NO", "ONE")
        primary.stop()


def test_a_ping_takes_the_way_of_a_call(bench: Bench) -> None:
    """Missing functions are no fault of the connection: the first call that misses them loads them."""
    assert bench.engine.ping() is None
    bench.valkey.client.function_flush()
    assert bench.engine.ping() is None
