"""Types of the Rust extension (checked against it by mypy.stubtest)."""

from collections.abc import Sequence
from typing import final

__all__ = [
    "HOT_METHODS",
    "SOURCE_DIGEST",
    "Clock",
    "Engine",
    "Keyspace",
    "Lease",
    "Load",
    "LoadReport",
    "PublicKey",
    "SessionRecord",
    "expire_twin",
    "function_library",
    "function_library_name",
    "function_name",
    "generate_ed25519_key",
    "generate_rsa_key",
    "public_jwk",
    "read_key_set",
    "rebuild_twin",
    "rotation_twin",
    "touch_twin",
]

SOURCE_DIGEST: str
"""Digest (hex) of the sources the extension was built from (`rust_core/py/build.rs` says how it is made)."""

@final
class Clock:
    """The time that decisions are made by: the system's, plus an offset that only tests set."""

    def __new__(cls, *, offset_ms: int = 0) -> Clock: ...
    def now_ms(self) -> int:
        """Milliseconds since 1970."""
    def advance(self, ms: int) -> None:
        """Moves the clock (tests)."""
    @property
    def offset_ms(self) -> int:
        """Distance from the system's clock."""

@final
class Keyspace:
    """Names of Redis keys, and ids that carry their slot."""

    def __new__(cls, bucket_key: bytes) -> Keyspace: ...
    def new_session_id(self, tenant_id: str, user_id: str) -> str:
        """2 bytes of bucket and 16 random bytes as base64url, 24 characters."""
    @staticmethod
    def is_session_id(text: str) -> bool: ...
    @staticmethod
    def session_key(session_id: str) -> bytes: ...
    def user_key(self, tenant_id: str, user_id: str) -> bytes: ...
    def index_key(self, tenant_id: str, user_id: str) -> bytes: ...
    @staticmethod
    def not_before_key(tenant_id: str, client_id: str = "") -> bytes: ...

@final
class Load:
    """A run of the load client: one method, called many times from a thread of its own. Giving it up stops the run."""

    def __new__(
        cls,
        address: str,
        method: str,
        requests: Sequence[bytes],
        *,
        calls: int,
        authorization: str,
        deadline_ms: int,
        connections: int,
        in_flight: int | None = None,
        rate: float | None = None,
    ) -> Load:
        """Starts the run.

        Args:
            address: Host and port; without TLS.
            method: Full name of the method: /package.Service/Method.
            requests: Encoded requests, sent in turn.
            calls: Calls in all.
            authorization: Metadata of that name; empty: none.
            deadline_ms: Deadline of each call, which the server is told.
            connections: Connections, used in turn.
            in_flight: Closed loop: calls at a time.
            rate: Open loop: calls a second, whatever comes back.

        Raises:
            ValueError: Something of this makes no sense.
            OSError: There is no thread for it.
        """
    @property
    def answered(self) -> int:
        """Calls answered so far."""
    def wait(self, seconds: float) -> LoadReport | None:
        """Waits for the end of the run, so long at most; None if it has not come by then.

        Raises:
            ConnectionError: Nobody listens at the address.
            ValueError: The method or the authorization can't be sent.
            OSError: The run could not go on.
        """

@final
class LoadReport:
    """What came of a run."""

    @property
    def seconds(self) -> float:
        """From the first call to the last answer."""
    @property
    def client_cpu_seconds(self) -> float:
        """CPU time of the client's thread."""
    @property
    def codes(self) -> dict[int, int]:
        """Answers by `google.rpc.Code`."""
    def answers(self) -> list[tuple[int, bytes]]:
        """Of each call, in their order, its code, and the encoded response or what the server said."""
    def latency(self, percent: float) -> float:
        """Seconds within which so many percent of the calls were answered; in an open loop from when they were due."""
    def lateness(self, percent: float) -> float:
        """Seconds by which so many percent of the calls of an open loop were late at most.

        Where this is not small, the client was the limit.
        """

@final
class SessionRecord:
    """The packed record of a living session. Times are seconds since 1970."""

    def __new__(
        cls,
        *,
        contested: bool = False,
        bound: bool = False,
        made_by_rotation: bool = False,
        family: int,
        generation: int,
        made: int,
        attempt: bytes = ...,
        print: bytes = ...,
        binding: bytes = ...,
        device: bytes = ...,
        created: int,
        idle_deadline: int,
        absolute_deadline: int,
        policy_revision: int,
        acr: int,
        amr: list[str],
        auth_time: int,
        refresh_id_key: int,
        context: bytes = ...,
    ) -> SessionRecord: ...
    def to_bytes(self) -> bytes:
        """With a lineage of zeros: the function that writes it puts the real one in."""
    @staticmethod
    def from_bytes(data: bytes) -> SessionRecord:
        """Raises ValueError for a tombstone or anything else that is not a version 1 record."""
    lineage: bytes
    contested: bool
    bound: bool
    made_by_rotation: bool
    rebuilt: bool
    family: int
    generation: int
    made: int
    created: int
    idle_deadline: int
    absolute_deadline: int
    policy_revision: int
    acr: int
    amr: list[str]
    auth_time: int
    refresh_id_key: int

@final
class Lease:
    """Which Redis node counts, and until when this process knows it; shared by both halves of Argus."""

    LIFE_MS: int
    """How long a confirmation counts."""
    TAKEOVER_MS: int
    """How long a node that takes the place of another one waits."""

    def __new__(cls) -> Lease: ...
    @staticmethod
    def now_ms() -> int:
        """Now, by a clock that nothing moves: to be read before the question whose answer is then granted."""
    def grant(self, lineage: bytes, asked_ms: int) -> None:
        """The node of this lineage counts: so said the answer to a question of `asked_ms`. Raises ValueError."""
    def revoke(self) -> None:
        """No node counts any more, as far as this process knows."""
    def allows(self, lineage: bytes) -> bool:
        """Whether what the node of this lineage has answered may be used now."""
    def is_held(self) -> bool:
        """Whether any node's answers may be used now."""
    def age_ms(self) -> int | None:
        """Milliseconds since the question that the last confirmation answered, or None."""

@final
class PublicKey:
    """A key that verifies, read strictly and parsed once; bound to one algorithm."""

    @property
    def algorithm(self) -> str:
        """The one `alg` of its signatures: "RS256" or "EdDSA"."""
    @property
    def thumbprint(self) -> str:
        """RFC 7638 thumbprint with SHA-256."""
    def verify(self, message: bytes, signature: bytes) -> None:
        """Raises ValueError if the signature is not the key's."""

@final
class Engine:
    """Answers the hot RPCs: bytes in, bytes out, with the GIL free."""

    def __new__(
        cls,
        *,
        redis_url: str | None,
        clock: Clock,
        redis_timeout_ms: int = 2000,
        effect_capacity: int = 100_000,
        redis_ca_pem: bytes | None = None,
        lease: Lease | None = None,
    ) -> Engine: ...
    def use_primary(self, url: str) -> None:
        """Speaks to the Redis at this URL from now on. Raises ValueError."""
    def ping(self) -> str | None:
        """Asks Redis over the engine's own connection, as a call does; why it can't be used, or None."""
    def load(self, snapshot: bytes) -> None:
        """Takes an encoded argus.internal.v1.Snapshot in the place of the one before. Raises ValueError."""
    def snapshot_version(self) -> int: ...
    def answer(
        self,
        method: str,
        request: bytes,
        *,
        authorization: str | None,
        request_id: str,
        deadline_ms: int,
        postgresql_answers: bool = False,
        call_id: str = "",
    ) -> tuple[int, bytes]:
        """Answers one of HOT_METHODS.

        Args:
            method: Full name of the method.
            request: Encoded request.
            authorization: Metadata `authorization`.
            request_id: Request id.
            deadline_ms: Time left for the call.
            postgresql_answers: The need FLOW_NEED_POSTGRESQL of this very call was met.
            call_id: The same for all questions about one call, and known to nobody else: a proof that was used for it
                may be used for it again. Empty: there will be but this one.

        Returns:
            (0, encoded response), (1, encoded google.rpc.Status) or (2, encoded argus.internal.v1.NeedsFlow).
        """
    def authenticate(
        self, authorization: str | None, *, scope: str, system_tenant_only: bool, request_id: str = ""
    ) -> tuple[int, bytes]:
        """(0, encoded argus.internal.v1.Caller) or (1, encoded google.rpc.Status). Never touches Redis."""
    def check_proof(self, proof: bytes, *, tenant_id: str, caller: str, attempt: bytes | None) -> tuple[int, bytes]:
        """Checks an encoded argus.v1.Proof that binds a session.

        Args:
            proof: Encoded.
            tenant_id: Tenant.
            caller: Who checks: each caller has a memory of its own of the proofs that were used.
            attempt: What the proof is used for; used before for something else it is refused. None: it is not used up.

        Returns:
            (0, encoded argus.v1.Confirmation), (1, class of the fault), (2, field of the proof and what it must be) or
            (3, part of Argus that is away: nothing is used up).
        """
    def issue(self, request: bytes) -> bytes:
        """Encoded argus.v1.TokenSet for an encoded argus.internal.v1.IssueRequest. Raises ValueError, KeyError."""
    def issue_client_token(self, request: bytes) -> bytes:
        """Encoded argus.v1.TokenSet for an encoded argus.internal.v1.IssueClientTokenInput."""
    def read_token(self, token: str) -> tuple[int, bytes]:
        """Reads an access or refresh token whose signature, type, issuer and times are good.

        Expired ones too, for revocation: see TokenClaims.expire_time.

        Returns:
            (0, encoded argus.internal.v1.TokenClaims) or (1, class of the fault as UTF-8).
        """
    def read_refresh_token(self, token: str, *, tenant_id: str, request_id: str) -> tuple[int, bytes]:
        """Reads a refresh token of a tenant that stands for its session now, if only for a step-up.

        Good in everything, but that its signing key may have been pulled (TokenClaims.key_revoked).

        Returns:
            (0, encoded argus.internal.v1.TokenClaims), (1, class of the fault as UTF-8), or (2, nothing) where the
            snapshot may be behind: to be asked again once it was read anew.
        """
    def peek_effects(self, limit: int) -> bytes:
        """Up to `limit` effects, the oldest, which stay in the queue: encoded argus.internal.v1.Effects."""
    def end_counts(self) -> None:
        """Queues the counts of refusals that were not told yet: before the end of the process."""
    def discard_effects(self, count: int) -> None:
        """Takes the oldest effects out of the queue: they have been written."""
    def queue_effects(self, effects: bytes) -> None:
        """Adds effects; a full queue drops those that are no bounds."""
    def effects_queued(self) -> tuple[int, int]:
        """(how many, age of the oldest in ms)."""
    def jwks(self, tenant_id: str) -> bytes | None:
        """The tenant's published key set as JSON (RFC 7517)."""
    def counters(self) -> dict[str, int]:
        """Counts since the start, by "name{label=value}"."""
    def close(self) -> None: ...

HOT_METHODS: frozenset[str]
"""Full method names ("/argus.v1.TokenService/VerifyAccessToken") that Engine.answer serves."""

def function_library(*, offset_ms: int = 0) -> str:
    """Source of the Redis functions; the offset is for tests."""

def function_library_name() -> str: ...
def function_name(name: str) -> str:
    """Full name of a function ("rotate"); carries the version of its source."""

def generate_rsa_key(bits: int) -> bytes:
    """PKCS#8 DER."""

def generate_ed25519_key() -> bytes:
    """PKCS#8 DER."""

def public_jwk(private_key: bytes) -> tuple[str, str]:
    """(RFC 7638 thumbprint, public JWK as JSON with kty, use, alg, kid and the public members) of a PKCS#8 key."""

def read_key_set(data: bytes) -> tuple[dict[str, PublicKey], list[tuple[str, str]]]:
    """The keys of a JSON Web Key Set that verify, by `kid`; and (`kid`, why) of those that were left out.

    Left out are symmetric and private keys, other uses than `sig`, `key_ops` without `verify`, algorithms other than
    RS256 and EdDSA, RSA below 2048 bits or with an exponent that is even or below 3, and keys without a name or with
    one that several good keys have.

    Raises:
        ValueError: It is no key set: more than 64 KiB, not strict JSON, no list `keys`.
    """

def rotation_twin(
    record: bytes, user: bytes, lineage: bytes, arguments: list[int | bytes], now_ms: int
) -> tuple[int, bytes, int]:
    """What the Redis function `rotate` would answer: verdict, record, adoption (0 no, 1, 2 unexplained). For tests.

    Raises:
        ValueError: The lineage has not 8 bytes, or there are not 15 arguments.
    """

def touch_twin(
    record: bytes, user: bytes, lineage: bytes, arguments: tuple[int, int, int, int], now_ms: int
) -> tuple[int, bytes]:
    """What the Redis function `touch` would answer: status, record. For tests. Raises ValueError."""

def rebuild_twin(stored: bytes, lineage: bytes, expected: bytes, given: bytes) -> tuple[int, bytes]:
    """Status of the Redis function `rebuild`, and what the session's key would hold. For tests. Raises ValueError."""

def expire_twin(record: bytes, lineage: bytes, absolute_max: int, now_ms: int) -> tuple[int, bytes]:
    """Status of the Redis function `expire`, and what the session's key would hold. For tests. Raises ValueError."""
