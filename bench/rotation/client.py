"""CPU time of the engine around the function, split into what is signed, what is checked, and the rest."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from google.rpc import status_pb2

from argus import _core
from argus.v1.token_service_pb2 import RefreshTokenResponse
from tests.support.engine import Bench, Session, refresh_request
from tests.support.valkey import Valkey

KEYS = "access RS256 2048 bit, refresh EdDSA (Ed25519), refresh id HMAC-SHA-256"
"""The keys of every figure here."""


def measure(*, rounds: int, calls: int, done: Callable[[], object]) -> dict[str, float]:
    """µs of CPU a refresh, the threads of the engine included; medians of the rounds."""
    found: dict[str, list[float]] = {"all": [], "signatures": [], "checks": []}
    with TemporaryDirectory(prefix="argus-") as folder:
        valkey = Valkey(Path(folder))
        valkey.start()
        clock = _core.Clock()
        engine = _core.Engine(redis_url=valkey.url, clock=clock)
        bench = Bench(valkey, engine, clock)
        bench.tenant.policies[0].strict = True
        bench.load()
        session = bench.sign_in()
        token = session.tokens.refresh_token
        for _ in range(rounds):
            spent, token = _refreshes(bench, token, calls)
            found["all"].append(spent)
            found["signatures"].append(_each(calls, lambda: bench.issue(session.request)))
            found["checks"].append(_checks(bench, session, calls))
            done()
        engine.close()
        valkey.stop()
    medians = {name: statistics.median(values) for name, values in found.items()}
    medians["store and the rest"] = medians["all"] - medians["signatures"] - medians["checks"]
    return {name: round(value, 1) for name, value in medians.items()}


def _refreshes(bench: Bench, token: str, calls: int) -> tuple[float, str]:
    """Rotates so often, each answer's token being the next one's question."""
    spent = 0
    for _ in range(calls):
        request = refresh_request(token)
        begun = time.process_time_ns()
        need = bench.needs("RefreshToken", request)
        spent += time.process_time_ns() - begun
        response = RefreshTokenResponse()
        status_pb2.Status.FromString(need.answer).details[0].Unpack(response)
        assert response.tokens.refresh_token != token  # noqa: S101  # every call rotates
        token = response.tokens.refresh_token
    return spent / calls / 1000, token


def _checks(bench: Bench, session: Session, calls: int) -> float:
    """The signature of the presented token, and that of the caller's own."""
    scope, authorization = "tokens.refresh", f"Bearer {bench.bearer}"

    def check() -> None:
        bench.engine.read_token(session.tokens.refresh_token)
        bench.engine.authenticate(authorization, scope=scope, system_tenant_only=False)

    return _each(calls, check)


def _each(calls: int, work: Callable[[], object]) -> float:
    begun = time.process_time_ns()
    for _ in range(calls):
        work()
    return (time.process_time_ns() - begun) / calls / 1000
