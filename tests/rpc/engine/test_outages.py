"""What the engine does without its stores: an outage is never an answer."""

import time
from pathlib import Path
from typing import Any

import pytest

from argus import _core
from argus.internal.v1.engine_pb2 import FlowNeed
from argus.v1.token_service_pb2 import BatchVerifyAccessTokensRequest
from tests.support.engine import SERVICE, TENANT, USER, Bench, refresh_request, refusal, verify_request
from tests.support.tls import TlsFront


def test_redis_away_is_unavailable_and_nothing_else(own: Bench) -> None:
    """Verify, refresh and introspection; the caller is told to come back."""
    session = own.sign_in()
    own.valkey.stop()
    for method, request in (
        ("VerifyAccessToken", verify_request(session.tokens.access_token)),
        ("RefreshToken", refresh_request(session.tokens.refresh_token)),
    ):
        for _ in range(2):
            refused = own.refused(method, request)
            assert (refused.code, refused.reason, refused.retries) == (14, "UNAVAILABLE", True)
            assert refused.metadata == {"component": "redis"}
    assert sum(count for name, count in own.engine.counters().items() if name.startswith("redis_failures")) == 4


def test_after_a_restart_every_value_is_of_another_lineage_and_is_rebuilt(own: Bench) -> None:
    """All keys are there, and none decides anything."""
    session = own.sign_in()
    old = own.bearer
    own.valkey.restart()
    need = own.needs("VerifyAccessToken", verify_request(session.tokens.access_token))
    assert need.need == FlowNeed.FLOW_NEED_SESSION
    assert (need.tenant_id, need.user_id, need.session_id, need.client_id) == (TENANT, USER, session.session_id, "web")
    assert need.lineage == own.valkey.now_and_lineage()[1]
    assert own.needs("RefreshToken", refresh_request(session.tokens.refresh_token)).need == FlowNeed.FLOW_NEED_SESSION
    batch = BatchVerifyAccessTokensRequest(requests=[verify_request(session.tokens.access_token)])
    assert own.needs("BatchVerifyAccessTokens", batch).need == FlowNeed.FLOW_NEED_SESSION
    assert old == own.bearer


def test_a_missing_record_user_or_not_before_is_asked_for_by_name(bench: Bench) -> None:
    """Missing data is unknown, never "ended" and never "fine"."""
    session = bench.sign_in()
    verify, refresh = verify_request(session.tokens.access_token), refresh_request(session.tokens.refresh_token)
    key, user, _ = bench.keys(session.session_id)
    for name, need in (
        (_core.Keyspace.not_before_key(TENANT).decode(), FlowNeed.FLOW_NEED_NOT_BEFORE),
        (_core.Keyspace.not_before_key(TENANT, "web").decode(), FlowNeed.FLOW_NEED_NOT_BEFORE),
        (user, FlowNeed.FLOW_NEED_USER),
        (key, FlowNeed.FLOW_NEED_SESSION),
    ):
        value = bench.valkey.client.getdel(name)
        assert bench.needs("VerifyAccessToken", verify).need == need, name
        assert bench.needs("RefreshToken", refresh).need == need, name
        bench.valkey.client.set(name, value)  # type: ignore[arg-type]
    bench.verify(session.tokens.access_token)


def test_missing_functions_are_asked_for(bench: Bench) -> None:
    """As after FUNCTION FLUSH, or in a new node."""
    session = bench.sign_in()
    bench.valkey.client.function_flush()
    need = bench.needs("VerifyAccessToken", verify_request(session.tokens.access_token))
    assert need.need == FlowNeed.FLOW_NEED_FUNCTIONS
    bench.valkey.load(offset_ms=bench.clock.offset_ms)
    bench.verify(session.tokens.access_token)


def test_without_a_snapshot_nothing_is_known(bench: Bench) -> None:
    """Not even who calls."""
    engine = _core.Engine(redis_url=bench.valkey.url, clock=bench.clock)
    for answer in (
        engine.answer(SERVICE + "VerifyAccessToken", b"", authorization=None, request_id="r", deadline_ms=1000),
        engine.authenticate(None, scope="x", system_tenant_only=False),
    ):
        refused = refusal(answer[1])
        assert (answer[0], refused.reason, refused.metadata) == (1, "UNAVAILABLE", {"component": "snapshot"})
    engine.close()


def test_deadline_method_and_bytes_are_looked_at(bench: Bench) -> None:
    """A deadline that has passed, a method of somebody else, bytes that are no request; a closed engine."""

    def reason(method: str, request: bytes, deadline_ms: int = 1000) -> str:
        kind, content = bench.engine.answer(
            method, request, authorization=f"Bearer {bench.bearer}", request_id="r", deadline_ms=deadline_ms
        )
        assert kind == 1
        return refusal(content).reason

    method, request = SERVICE + "VerifyAccessToken", verify_request(bench.sign_in().tokens.access_token)
    assert reason(method, request.SerializeToString(), deadline_ms=0) == "DEADLINE_EXCEEDED"
    assert reason(SERVICE + "RevokeToken", b"") == "UNIMPLEMENTED"
    assert reason(method, b"\xff") == "FIELD_INVALID"
    bench.engine.close()
    assert reason(method, request.SerializeToString()) == "UNAVAILABLE"


def test_redis_over_tls_is_believed_only_with_a_certificate_of_the_given_authority(own: Bench, tmp_path: Path) -> None:
    """`rediss://`, with the password in the URL."""
    own.valkey.client.acl_setuser("argus", enabled=True, passwords="+s3cret", keys=["*"], categories=["+@all"])
    front = TlsFront(tmp_path, own.valkey.url.removeprefix("unix://"))
    token = own.sign_in().tokens.access_token
    for password, ca_pem, outcome in (
        ("s3cret", front.ca_pem, 0),
        ("wrong", front.ca_pem, 1),
        ("s3cret", None, 1),
    ):
        url = f"rediss://argus:{password}@127.0.0.1:{front.port}"
        engine = _core.Engine(redis_url=url, clock=own.clock, redis_timeout_ms=1000, redis_ca_pem=ca_pem)
        over_tls = Bench(own.valkey, engine, own.clock, own.snapshot)
        kind, content = over_tls.answer("VerifyAccessToken", verify_request(token))
        assert kind == outcome
        if outcome:
            assert refusal(content).metadata == {"component": "redis"}
            assert password not in refusal(content).message
        engine.close()
    front.close()


def test_a_refused_password_is_not_remembered_when_it_is_good_again(own: Bench) -> None:
    """As while a password is being changed, or after a replica without its users took over."""
    own.valkey.client.acl_setuser("argus", enabled=True, passwords="+s3cret", keys=["*"], categories=["+@all"])
    url = own.valkey.url.replace("unix://", "redis+unix://") + "?user=argus&pass=s3cret"
    engine = _core.Engine(redis_url=url, clock=own.clock, redis_timeout_ms=500)
    authenticated = Bench(own.valkey, engine, own.clock, own.snapshot)
    request = verify_request(own.sign_in().tokens.access_token)
    assert authenticated.answer("VerifyAccessToken", request)[0] == 0
    own.valkey.client.acl_setuser("argus", enabled=True, passwords=["-s3cret", "+other"])
    client: Any = own.valkey.client
    client.execute_command("CLIENT", "KILL", "USER", "argus")
    assert authenticated.refused("VerifyAccessToken", request).metadata == {"component": "redis"}
    own.valkey.client.acl_setuser("argus", enabled=True, passwords=["-other", "+s3cret"])
    begun = time.monotonic()
    while authenticated.answer("VerifyAccessToken", request)[0] != 0:
        assert time.monotonic() - begun < 10
    engine.close()


def test_a_bad_url_is_refused_without_being_repeated() -> None:
    """A password may be in it."""
    with pytest.raises(ValueError, match="redis_url") as caught:
        _core.Engine(redis_url="nonsense://user:hunter2@host", clock=_core.Clock())
    assert "hunter2" not in str(caught.value)
