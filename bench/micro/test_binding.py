"""Calls through the binding. Names are for ever: results are compared by them."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from argus import _core
from argus.v1.token_service_pb2 import IntrospectTokenRequest
from tests.support.engine import SERVICE, TENANT, USER, Bench, verify_request

Benchmark: TypeAlias = Callable[..., Any]

_OK: Final = 0
_REFUSED: Final = 1


def test_a_call_that_does_nothing(benchmark: Benchmark, bench: Bench) -> None:
    assert benchmark(bench.engine.snapshot_version) > 0


def test_make_a_session_id(benchmark: Benchmark, bench: Bench) -> None:
    assert benchmark(bench.keyspace.new_session_id, TENANT, USER)


def test_read_a_session_record(benchmark: Benchmark, bench: Bench) -> None:
    value: Any = bench.valkey.client.get(bench.keys(bench.sign_in().session_id)[0])
    assert benchmark(_core.SessionRecord.from_bytes, value).generation == 1


def test_authenticate_a_caller(benchmark: Benchmark, bench: Bench) -> None:
    bearer = f"Bearer {bench.bearer}"
    kind, _ = benchmark(bench.engine.authenticate, bearer, scope="tokens.verify", system_tenant_only=False)
    assert kind == _OK


def test_read_an_access_token(benchmark: Benchmark, bench: Bench) -> None:
    kind, _ = benchmark(bench.engine.read_token, bench.sign_in().tokens.access_token)
    assert kind == _OK


def test_verify_over_valkey(benchmark: Benchmark, bench: Bench) -> None:
    request = verify_request(bench.sign_in().tokens.access_token).SerializeToString()
    assert _hot(benchmark, bench, "VerifyAccessToken", request) == _OK


def test_verify_garbage(benchmark: Benchmark, bench: Bench) -> None:
    request = verify_request("e30.e30.AA").SerializeToString()
    assert _hot(benchmark, bench, "VerifyAccessToken", request) == _REFUSED


def test_introspect_over_valkey(benchmark: Benchmark, bench: Bench) -> None:
    request = IntrospectTokenRequest(token=bench.sign_in().tokens.access_token).SerializeToString()
    assert _hot(benchmark, bench, "IntrospectToken", request) == _OK


def _hot(benchmark: Benchmark, bench: Bench, method: str, request: bytes) -> int:
    """A hot call again and again; its effects are taken out, or the queue would fill."""
    authorization = f"Bearer {bench.bearer}"

    def call() -> int:
        kind, _ = bench.engine.answer(
            SERVICE + method,
            request,
            authorization=authorization,
            request_id="r",
            deadline_ms=10_000,
            postgresql_answers=True,
        )
        bench.engine.discard_effects(1)
        return kind

    kind: int = benchmark(call)
    return kind
