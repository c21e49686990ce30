"""Two engines over one Valkey that must give the same answers: one that keeps, and one that reads."""

import random
from collections.abc import Callable
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from argus import _core
from argus.internal.v1.engine_pb2 import SnapshotKeyUse
from argus.v1.token_service_pb2 import (
    BatchVerifyAccessTokensRequest,
    BatchVerifyAccessTokensResponse,
    VerifyAccessTokenRequest,
    VerifyAccessTokenResponse,
)
from argus.v1.types_pb2 import Activity, Consistency
from tests.support.engine import IDLE, SERVICE, Bench, verify_request
from tests.support.engine_snapshot import access_key

STRONG: Final = Consistency.CONSISTENCY_STRONG
PASSIVE: Final = Activity.ACTIVITY_PASSIVE


class Twins:
    """Two engines over one Valkey: one that keeps, and one that reads."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311
        self.bench = bench
        self.plain = _core.Engine(redis_url=bench.valkey.url, clock=bench.clock)
        self.sessions = [bench.sign_in(acr=1 + number % 3) for number in range(4)]
        self.tokens = [one.tokens.access_token for one in self.sessions]
        self.bearers = [bench.bearer, bench.client_token(scope="things.read")]
        self.load()

    def load(self) -> None:
        """Gives both the snapshot as it is now."""
        self.bench.load()
        self.plain.load(self.bench.snapshot.SerializeToString())

    def compare(self, method: str, request: Message, bearer: str) -> None:
        """Both say the same; the one that keeps says it twice."""
        said = [self._ask(engine, method, request, bearer) for engine in (self.plain, *[self.bench.engine] * 2)]
        assert said[0] == said[1] == said[2], (method, request)

    def _ask(self, engine: _core.Engine, method: str, request: Message, bearer: str) -> tuple[int, bytes]:
        kind, content = engine.answer(
            SERVICE + method,
            request.SerializeToString(),
            authorization=f"Bearer {bearer}",
            request_id="r",
            deadline_ms=10_000,
            snapshot_confirmed=True,
        )
        if kind == 2 and method.startswith("Batch"):  # of which item, is a matter of chance
            return kind, b""
        return kind, _without_state_time(method, content) if kind == 0 else content

    def verify(self) -> None:
        """One token with some demands, or several in a batch."""
        requests = [self._request() for _ in range(self.random.choice([1, 1, 1, 3]))]
        bearer = self.random.choice([self.bench.bearer] * 6 + self.bearers)
        if len(requests) == 1:
            self.compare("VerifyAccessToken", requests[0], bearer)
        else:
            self.compare("BatchVerifyAccessTokens", BatchVerifyAccessTokensRequest(requests=requests), bearer)

    def _request(self) -> VerifyAccessTokenRequest:
        demands: dict[str, object] = self.random.choice(
            [
                *[{}] * 6,
                {"resource": "https://other.test"},
                {"acr_values": ["urn:argus:acr:2"]},
                {"max_age": Duration(seconds=60)},
                {"required_scopes": ["more"]},
                {"consistency": STRONG},
            ]
        )
        return verify_request(self.random.choice(self.tokens[-12:]), activity=PASSIVE, **demands)

    def change(self) -> None:
        """Something happens; what disables for good does so until the next time."""
        if self.bench.tenant.clients[0].disabled:
            self.bench.tenant.clients[0].disabled = False
            self.load()
        self._call("set_user", 0, 0)
        changes: list[Callable[[], None]] = [
            lambda: self.bench.end(self.random.choice(self.sessions)),
            lambda: self.bench.write_not_before(client=self.bench.now - self.random.randrange(400)),
            lambda: self._call("set_user", -1, self.bench.now - self.random.randrange(400)),
            lambda: self._call("set_user", 1, 0),
            lambda: self._call("contest", 1, key=0),
            self._lose,
            self._new_family,
            *[self._new_session] * 4,
            lambda: self._advance(self.random.choice([1, 100, 301, IDLE + 1])),
            self._pull,
            self._disable,
            self._shorten,
            self._empty,
        ]
        self.random.choice(changes)()
        self.bearers.append(self.bench.bearer)
        self.bench.settle()

    def _call(self, function: str, *args: int, key: int = 1) -> None:
        self.bench.valkey.call(function, [self.bench.keys(self.random.choice(self.sessions).session_id)[key]], *args)

    def _empty(self) -> None:
        if self.random.random() < 0.2:
            self.bench.valkey.client.flushall()

    def _lose(self) -> None:
        self.bench.valkey.client.delete(self.bench.keys(self.random.choice(self.sessions).session_id)[0])

    def _new_family(self) -> None:
        one = self.random.choice(self.sessions)
        one.request.family += 1
        self.tokens.append(self.bench.access_token(one))

    def _new_session(self) -> None:
        self.bench.write_not_before()
        self.sessions.append(self.bench.sign_in(acr=self.random.randrange(1, 4)))
        self.tokens += [self.sessions[-1].tokens.access_token] * 3

    def _advance(self, seconds: int) -> None:
        self.bench.advance(seconds)
        self.tokens += [self.bench.access_token(one) for one in self.sessions[-4:]]

    def _pull(self) -> None:
        keys = self.bench.tenant.keys
        for key in keys:
            if key.use == SnapshotKeyUse.SNAPSHOT_KEY_USE_ACCESS:
                key.signs, key.revoked = False, self.random.random() < 0.5
        keys.append(access_key(_core.generate_rsa_key(2048)))
        self.load()
        self.bench.bearer = self.bench.client_token()

    def _disable(self) -> None:
        self.bench.tenant.clients[0].disabled = True
        self.load()

    def _shorten(self) -> None:
        policy = self.bench.tenant.policies[0]
        policy.idle = self.random.choice([60, 600, IDLE])
        self.load()


def _without_state_time(method: str, content: bytes) -> bytes:
    if method == "VerifyAccessToken":
        one = VerifyAccessTokenResponse.FromString(content)
        one.ClearField("state_time")
        return one.SerializeToString(deterministic=True)
    batch = BatchVerifyAccessTokensResponse.FromString(content)
    for result in batch.results:
        result.verified.ClearField("state_time")
    return batch.SerializeToString(deterministic=True)
