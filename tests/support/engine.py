"""An engine over a Valkey of its own, with a snapshot that a test can change: one tenant, some clients, one policy."""

import secrets
import time
from dataclasses import dataclass, field
from typing import Final, TypedDict, TypeVar

from google.protobuf.message import Message

from argus import _core
from argus.internal.v1.engine_pb2 import (
    Effect,
    Effects,
    IssueClientTokenInput,
    IssueRequest,
    NeedsFlow,
    Snapshot,
    TenantSnapshot,
)
from argus.sessions.model import binding_of
from argus.v1.token_service_pb2 import (
    RefreshTokenResponse,
    VerifyAccessTokenResponse,
)
from argus.v1.types_pb2 import Confirmation, TokenSet
from tests.support.engine_requests import Refusal, refresh_request, refusal, verify_request
from tests.support.engine_snapshot import (
    ABSOLUTE,
    CLIENT,
    DEADLINE,
    GRACE,
    IDLE,
    ISSUER,
    RESOURCE,
    SCOPES,
    TENANT,
    new_snapshot,
)
from tests.support.sentinel import wait_until
from tests.support.subject import Entry
from tests.support.valkey import Valkey

__all__ = [
    "ABSOLUTE",
    "CACHES",
    "CLIENT",
    "DEADLINE",
    "GRACE",
    "IDLE",
    "ISSUER",
    "RESOURCE",
    "SCOPES",
    "SERVICE",
    "TENANT",
    "USER",
    "Bench",
    "Caches",
    "Refusal",
    "Session",
    "of_generation",
    "refresh_request",
    "refusal",
    "verify_request",
]

USER = "u-1"
SERVICE: Final = "/argus.v1.TokenService/"

M = TypeVar("M", bound=Message)


class Caches(TypedDict, total=False):
    """What an engine keeps in memory."""

    caller_cache: int
    signature_cache: int
    state_cache: int
    activity_queue: int


CACHES: Final[Caches] = {
    "caller_cache": 1 << 22,
    "signature_cache": 1 << 22,
    "state_cache": 1 << 22,
    "activity_queue": 100,
}
"""Everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session that was created, and its first tokens."""

    session_id: str
    request: IssueRequest
    tokens: TokenSet


@dataclass(slots=True)
class Bench:
    """The engine, its Valkey and its clock."""

    valkey: Valkey
    engine: _core.Engine
    clock: _core.Clock
    snapshot: Snapshot = field(default_factory=new_snapshot, repr=False)
    postgresql_answers: bool = True
    snapshot_confirmed: bool = False
    is_cached: bool = False
    bearer: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        self.load()
        self.write_not_before()
        self.bearer = self.client_token()

    @property
    def tenant(self) -> TenantSnapshot:
        """The tenant, to be changed before `load`."""
        return self.snapshot.tenants[0]

    @property
    def keyspace(self) -> _core.Keyspace:
        """Names of keys."""
        return _core.Keyspace(self.snapshot.bucket_key)

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return self.clock.now_ms() // 1000

    def load(self) -> None:
        """Gives the engine the snapshot as it is now."""
        self.snapshot.version += 1
        self.engine.load(self.snapshot.SerializeToString())

    def another_engine(self) -> _core.Engine:
        """One that never read anything but the snapshot as it is now; without Redis."""
        engine = _core.Engine(redis_url=None, clock=self.clock)
        engine.load(self.snapshot.SerializeToString())
        return engine

    def advance(self, seconds: int) -> None:
        """Moves engine and Valkey."""
        assert self.engine.write_activity(2000) == 0
        self.clock.advance(seconds * 1000)
        self.valkey.load(offset_ms=self.clock.offset_ms)
        self.bearer = self.client_token()

    def write_not_before(self, *, tenant: int = 0, client: int = 0) -> None:
        """Writes both values."""
        self.set_not_before(_core.Keyspace.not_before_key(TENANT), tenant)
        self.set_not_before(_core.Keyspace.not_before_key(TENANT, CLIENT), client)

    def set_not_before(self, key: bytes, value: int) -> None:
        """Raises one value."""
        assert self.valkey.call("set_not_before", [key.decode()], b"", value)[0] == 0

    def client_token(self, client_id: str = CLIENT, scope: str = " ".join(SCOPES), resource: str = "") -> str:
        """A token of a client."""
        asked = IssueClientTokenInput(
            tenant_id=TENANT, client_id=client_id, scope=scope, resource=resource, now=self.now
        )
        return TokenSet.FromString(self.engine.issue_client_token(asked.SerializeToString())).access_token

    def keys(self, session_id: str) -> list[str]:
        """Keys of session, user and index."""
        keys = self.keyspace
        names = [keys.session_key(session_id), keys.user_key(TENANT, USER), keys.index_key(TENANT, USER)]
        return [name.decode() for name in names]

    def sign_in(
        self,
        *,
        acr: int = 1,
        amr: tuple[str, ...] = ("pwd",),
        groups: tuple[str, ...] = (),
        revision: int = 1,
        cnf: Confirmation | None = None,
    ) -> Session:
        """Creates a session through the Redis functions and issues its tokens."""
        session_id = self.keyspace.new_session_id(TENANT, USER)
        session, user, index = self.keys(session_id)
        _, lineage = self.valkey.now_and_lineage()
        self.valkey.call("rebuild_user", [user, index], lineage, bytes([1, 0]) + bytes(12), 0)
        record = _core.SessionRecord(
            bound=cnf is not None,
            binding=binding_of(cnf) or bytes(16),
            family=1,
            generation=1,
            made=self.now,
            created=self.now,
            idle_deadline=self.now + IDLE,
            absolute_deadline=self.now + ABSOLUTE,
            policy_revision=revision,
            acr=acr,
            amr=list(amr),
            auth_time=self.now,
            refresh_id_key=0,
        )
        assert self.valkey.call("reserve", [user, index], session_id, 30, Entry().pack(), 0, 0, 0, 0, 0)[0] == 0
        packed = record.to_bytes()
        assert (
            self.valkey.call(
                "create", [session, user, index], packed, session_id, ABSOLUTE, ABSOLUTE, Entry().pack(), 0
            )[0]
            == 0
        )
        request = IssueRequest(
            tenant_id=TENANT,
            user_id=USER,
            client_id=CLIENT,
            session_id=session_id,
            family=1,
            generation=1,
            made=self.now,
            acr=acr,
            amr=list(amr),
            auth_time=self.now,
            scope="things.read things.write",
            resources=[RESOURCE],
            absolute_deadline=self.now + ABSOLUTE,
            policy_revision=revision,
            now=self.now,
            groups=groups,
            cnf=cnf,
        )
        return Session(session_id=session_id, request=request, tokens=self.issue(request))

    def issue(self, request: IssueRequest) -> TokenSet:
        """Tokens of a session."""
        return TokenSet.FromString(self.engine.issue(request.SerializeToString()))

    def access_token(self, session: Session) -> str:
        """An access token of now."""
        session.request.now = self.now
        return self.issue(session.request).access_token

    def rebuild(self, session: Session, *, idle_deadline: int | None = None) -> None:
        """Loses the record of a session, and writes it as PostgreSQL would know it (with an older deadline)."""
        key = self.keys(session.session_id)[0]
        value = _core.SessionRecord.from_bytes(self.valkey.client.getdel(key)).to_bytes()  # type: ignore[arg-type]
        if idle_deadline is not None:
            value = value[:67] + idle_deadline.to_bytes(4, "big") + value[71:]
        assert self.valkey.call("rebuild", [key], self.valkey.now_and_lineage()[1], value, ABSOLUTE)[0] == 0

    def end(self, session: Session, reason: int = 1) -> None:
        """Ends a session in Redis."""
        key, _, index = self.keys(session.session_id)
        self.valkey.call("end", [key, index], session.session_id, reason, self.now, ABSOLUTE)

    def answer(self, method: str, request: Message, *, bearer: str | None = None) -> tuple[int, bytes]:
        """What the engine answers, once it knows of all that was done before."""
        self.settle()
        return self.engine.answer(
            SERVICE + method,
            request.SerializeToString(),
            authorization=f"Bearer {self.bearer if bearer is None else bearer}",
            request_id=secrets.token_hex(4),
            deadline_ms=10_000,
            postgresql_answers=self.postgresql_answers,
            snapshot_confirmed=self.snapshot_confirmed,
        )

    def settle(self) -> None:
        """Waits until the engine has heard of every change that there was before."""
        if not self.is_cached:
            return
        asked = time.monotonic()

        def has_heard() -> bool:
            # Both are whole milliseconds.
            age_ms = self.engine.gauges()["tracking_age_ms"]
            return 0 <= age_ms < (time.monotonic() - asked) * 1000 - 1

        wait_until("the engine has heard", has_heard)

    def ok(self, method: str, request: Message, response: type[M], *, bearer: str | None = None) -> M:
        """A response; anything else fails the test."""
        kind, content = self.answer(method, request, bearer=bearer)
        assert kind == 0, refusal(content) if kind == 1 else NeedsFlow.FromString(content)
        return response.FromString(content)

    def refused(self, method: str, request: Message, *, bearer: str | None = None) -> Refusal:
        """A refusal; anything else fails the test."""
        kind, content = self.answer(method, request, bearer=bearer)
        assert kind == 1, (kind, content)
        return refusal(content)

    def needs(self, method: str, request: Message) -> NeedsFlow:
        """The need of a flow; anything else fails the test."""
        kind, content = self.answer(method, request)
        assert kind == 2, refusal(content) if kind == 1 else content
        return NeedsFlow.FromString(content)

    def verify(self, token: str, **more: object) -> VerifyAccessTokenResponse:
        """A good access token."""
        return self.ok("VerifyAccessToken", verify_request(token, **more), VerifyAccessTokenResponse)

    def refresh(self, token: str, **more: object) -> RefreshTokenResponse:
        """A good refresh."""
        return self.ok("RefreshToken", refresh_request(token, **more), RefreshTokenResponse)

    def effects(self) -> list[Effect]:
        """All that waits; takes it out."""
        assert self.engine.write_activity(2000) == 0
        found = list(Effects.FromString(self.engine.peek_effects(1000)).effects)
        self.engine.discard_effects(len(found))
        return found

    def events(self) -> list[tuple[str, str]]:
        """(type, reason) of the events that wait; takes everything out."""
        return [(effect.event, effect.reason) for effect in self.effects() if effect.event]


def of_generation(session: Session, generation: int, made: int) -> IssueRequest:
    """The request for a later generation's tokens."""
    changed = IssueRequest()
    changed.CopyFrom(session.request)
    changed.generation, changed.made = generation, made
    return changed
