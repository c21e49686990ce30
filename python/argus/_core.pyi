"""Types of the Rust extension (checked against it by mypy.stubtest)."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, final

__all__ = [
    "HOT_METHODS",
    "SOURCE_DIGEST",
    "Clock",
    "Condition",
    "Door",
    "DoorCertificate",
    "DoorCounts",
    "DoorLimits",
    "Echo",
    "Engine",
    "Keyspace",
    "Lease",
    "Load",
    "LoadReport",
    "PublicKey",
    "SessionRecord",
    "TrustInputs",
    "aged_trust",
    "check_dpop_proof",
    "context_prints",
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
    "signature_costs",
    "touch_twin",
    "verify_access_token",
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
class Door:
    """One port for gRPC and HTTP: hot calls are answered in place, all else is passed on over unix sockets."""

    def __new__(
        cls,
        engine: Engine,
        address: str,
        *,
        grpc_socket: PathLike[str] | str,
        http_socket: PathLike[str] | str,
        certificate: DoorCertificate | None = None,
        limits: DoorLimits | None = None,
    ) -> Door:
        """Listens and serves, on the engine's threads.

        Args:
            engine: Answers the hot calls.
            address: IP address and port; port 0: any free one.
            grpc_socket: Unix socket of the gRPC server behind the door.
            http_socket: Unix socket of the HTTP edge.
            certificate: None: without TLS.
            limits: What strangers may use up.

        Raises:
            ValueError: The address or the certificate can't be used.
            OSError: Nobody can listen there.
        """
    @property
    def port(self) -> int:
        """Port that it listens on."""
    def counted(self) -> DoorCounts:
        """What it has counted since it was opened."""
    def use_certificate(self, certificate: DoorCertificate) -> None:
        """Has new connections use another certificate. Raises ValueError; the one before stays."""
    def close(self, grace: float) -> bool:
        """Takes no further connections and lets calls finish, so many seconds at most; whether all have."""

@final
class DoorCertificate:
    """A certificate chain with its key, and whose clients' certificates are asked for."""

    def __new__(
        cls, chain: bytes, key: bytes, *, client_authorities: bytes | None = None, requires_client: bool = False
    ) -> DoorCertificate:
        """All PEM. With `requires_client` a connection without a client's certificate is refused."""

@final
class DoorCounts:
    """What a door has counted."""

    BUCKETS: Sequence[float]
    """Upper bounds of the histogram of times, in seconds; the last bucket has none."""

    @property
    def connections(self) -> int:
        """Connections that are open now."""
    @property
    def totals(self) -> dict[str, int]:
        """Connections "mute" in their handshake or "cut" for giving up calls; requests "passed", "shed", and "late".

        Passed on; turned away for want of a place; not there in time.
        """
    @property
    def handled(self) -> list[tuple[str, int, str, int]]:
        """Hot calls that were answered in place: method, gRPC code, reason, how many."""
    @property
    def timed(self) -> list[tuple[str, float, list[int]]]:
        """How long that took: method, seconds together, how many in each bucket and in none."""

@final
class DoorLimits:
    """What strangers may use up; what is not given has its default."""

    def __new__(
        cls,
        *,
        grpc: bool = True,
        connections: int | None = None,
        streams: int | None = None,
        waiting: int | None = None,
        passed: int | None = None,
        aborts_per_second: int | None = None,
        handshake: float | None = None,
        request: float | None = None,
    ) -> DoorLimits:
        """Takes bounds.

        Args:
            grpc: Whether gRPC is answered; without it such calls are HTTP requests like all others.
            connections: Connections at a time; further ones wait in the system's queue. Default 10,000.
            streams: Streams of a connection at a time. Default 1,000.
            waiting: Bytes of all requests that have begun and not yet come whole; more are turned away. One connection
                has an eighth of it. Default 128 MiB.
            passed: Calls that wait for a server behind the door at a time; more are turned away. Default 4,000.
            aborts_per_second: Calls a second that a connection may give up; beyond it is closed. Default 200.
            handshake: Seconds until a new connection has said what it speaks, with TLS has shaken hands. Default 5.
            request: Seconds that a hot call's message may take, the head of an HTTP/1.1 request, the beginning of any
                other request, and a silence after it before it is answered. Default 10.

        Raises:
            ValueError: A time is none.
        """

@final
class Echo:
    """A gRPC server that answers every unary call with the same bytes: what nothing costs. For benchmarks alone."""

    def __new__(cls, address: str, answer: bytes) -> Echo:
        """Listens and serves until it is dropped.

        Args:
            address: IP address and port; port 0: any free one.
            answer: Encoded message.

        Raises:
            ValueError: The address can't be used.
            OSError: Nobody can listen there.
        """
    @property
    def port(self) -> int:
        """Port that it listens on."""

@final
class Condition:
    """A condition of a policy, compiled."""

    def __new__(cls, source: str, facts: dict[str, str]) -> Condition:
        """Compiles a condition over facts of these names and kinds ("text", "number", "flag", "texts").

        A `ValueError` has five arguments: what is wrong, the word at fault, line and column (0: all of it), and what to
        write in its place, where that is known without knowing the facts.
        """
    @property
    def names(self) -> list[str]:
        """Names of the facts that it speaks of."""
    def judge(self, facts: dict[str, Any]) -> tuple[bool, list[str]]:
        """Whether the facts meet it, and what would have to be known to say; None is not known."""

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
    def response(self, percent: float) -> float:
        """Seconds within which so many percent of the calls were answered, from when they were made."""
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
        trust: int = 0,
        risk: int = 0,
        context: bytes = ...,
    ) -> SessionRecord:
        """`trust` is in hundredths and one more; 0: not rated."""

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
    trust: float | None
    risk: int
    context: bytes

@final
class TrustInputs:
    """What is known of a device now; None is unknown."""

    def __new__(
        cls,
        *,
        passed: float = 0.0,
        failed: float = 0.0,
        usual_share: float | None = None,
        key: str = "none",
        key_missing: bool = False,
        patch_days: float | None = None,
        end_of_life: bool | None = None,
        integrity_bad: bool | None = None,
        unused_days: float = 0.0,
    ) -> TrustInputs: ...
    def device(self) -> tuple[float, list[tuple[str, float, str, float | None]]]:
        """Trust in the device, and its terms: code, weight in logits, value seen, cap.

        Raises ValueError for what no device can have.
        """
    def session(
        self, *, risk: float = 0.0, rated: float | None = None, proof_age_seconds: float = 0.0
    ) -> tuple[float, list[tuple[str, float, str, float | None]]]:
        """Trust in a session on it, and its terms.

        Args:
            risk: 0 to 1.
            rated: What the session was given when it was rated last; None: what device and risk give now.
            proof_age_seconds: Time since the user proved itself.
        """

def aged_trust(score: float, proof_age_seconds: float) -> float:
    """What is left of a session's trust so long after its user's proof."""

def context_prints(context: bytes) -> tuple[bytes, bytes]:
    """SHA-256 of the strong and of the weak evidence in an encoded `ClientContext`; empty where there is none."""

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
        caller_cache: int = 0,
        signature_cache: int = 0,
        state_cache: int = 0,
        activity_queue: int = 0,
        quotas: tuple[int, int] | None = None,
    ) -> Engine:
        """Connects at the first call.

        Args:
            redis_url: Of Redis; None: `use_primary` says it.
            clock: What decisions go by.
            redis_timeout_ms: Longest wait for an answer of Redis.
            effect_capacity: Most effects that wait.
            redis_ca_pem: Certificates to trust; None: the system's.
            lease: What may be believed of Redis.
            caller_cache: About how many bytes of verified tokens of callers are kept; 0: none.
            signature_cache: About how many bytes of verified tokens that callers ask about are kept; 0: none.
            state_cache: About how many bytes of states of sessions are kept; 0: none.
            activity_queue: Most uses of sessions that may wait to be written together; 0: each is written in place.
            quotas: Calls a second of one client, and of all clients of one tenant together; 0: any number.

        Raises:
            ValueError: The URL or the authorities can't be used.
        """
    def use_primary(self, url: str) -> None:
        """Speaks to the Redis at this URL from now on. Raises ValueError."""
    def ping(self) -> str | None:
        """Asks Redis over the engine's own connection, as a call does; why it can't be used, or None."""
    def load(self, snapshot: bytes) -> list[str]:
        """Takes an encoded argus.internal.v1.Snapshot in the place of the one before. Raises ValueError.

        Returns:
            What is wrong with keys of it that can't be used; all others can.
        """
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
        snapshot_confirmed: bool = False,
        context_judged: bool = False,
        rules_judged: bool = False,
        is_repeat: bool = False,
        call_id: str = "",
        scope: str = "",
    ) -> tuple[int, bytes]:
        """Answers one of HOT_METHODS.

        Args:
            method: Full name of the method.
            request: Encoded request.
            authorization: Metadata `authorization`.
            request_id: Request id.
            deadline_ms: Time left for the call.
            postgresql_answers: The need FLOW_NEED_POSTGRESQL of this very call was met.
            snapshot_confirmed: The need FLOW_NEED_SNAPSHOT of this very call was met.
            context_judged: The need FLOW_NEED_CONTEXT of this very call was met.
            rules_judged: The need FLOW_NEED_RULES of this very call was met.
            is_repeat: It was asked about this very call before, which was charged to its caller's quota then.
            call_id: The same for all questions about one call, and known to nobody else: a proof that was used for it
                may be used for it again. Empty: there will be but this one.
            scope: Scope that the caller must hold in the place of the method's: it called another RPC, which asks this
                one. Empty: the method's own.

        Returns:
            (0, encoded response), (1, encoded google.rpc.Status) or (2, encoded argus.internal.v1.NeedsFlow).
        """
    def authenticate(
        self,
        authorization: str | None,
        *,
        scope: str,
        system_tenant_only: bool,
        request_id: str = "",
        snapshot_confirmed: bool = False,
    ) -> tuple[int, bytes]:
        """Who calls; never touches Redis.

        Returns:
            (0, encoded argus.internal.v1.Caller), (1, encoded google.rpc.Status) or (2, encoded
            argus.internal.v1.NeedsFlow): ask again once the need was met.
        """
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
    def read_token(self, token: str, *, snapshot_confirmed: bool = False) -> tuple[int, bytes]:
        """Reads an access or refresh token whose signature, type, issuer and times are good.

        Expired ones too, for revocation: see TokenClaims.expire_time.

        Returns:
            (0, encoded argus.internal.v1.TokenClaims); (1, class of the fault as UTF-8); (2, nothing) where the
            snapshot may be behind, to be asked again once it was read anew; or (3, part of Argus that is away).
        """
    def read_refresh_token(self, token: str, *, tenant_id: str, snapshot_confirmed: bool = False) -> tuple[int, bytes]:
        """Reads a refresh token of a tenant that stands for its session now, if only for a step-up.

        Good in everything, but that its signing key may have been pulled (TokenClaims.key_revoked).

        Returns:
            As `read_token`.
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
        """The tenant's published key set as JSON (RFC 7517); None: there is no such tenant.

        Raises:
            KeyError: It would not be whole: a key of it can't be read here.
        """
    def counters(self) -> dict[str, int]:
        """Counts since the start, by "name{label=value}"."""
    def gauges(self) -> dict[str, int]:
        """Figures of now: of the caches, the tracking connection (its age; -1: there is none), waiting activity."""
    def write_activity(self, wait_ms: int) -> int:
        """Writes the uses of sessions that wait: before the end of the process. Returns how many still do."""
    def close(self) -> None: ...

HOT_METHODS: frozenset[str]
"""Full method names ("/argus.v1.TokenService/VerifyAccessToken") that Engine.answer serves."""

def function_library(*, offset_ms: int = 0) -> str:
    """Source of the Redis functions; the offset is for tests."""

def function_library_name() -> str: ...
def function_name(name: str) -> str:
    """Full name of a function ("rotate"); carries the version of its source."""

def signature_costs(count: int) -> dict[str, float]:
    """CPU seconds of one bare signature: the mean of so many, made on the calling thread. For benchmarks alone.

    Returns:
        By "RSA-2048 sign", "RSA-2048 verify", "Ed25519 sign" and "Ed25519 verify".

    Raises:
        ValueError: The count is 0.
        OSError: There is no randomness.
    """

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

def verify_access_token(
    token: str, key: PublicKey | None, *, issuer: str, tenant_id: str, audience: str, now: int
) -> tuple[int, bytes]:
    """Verifies an access token as the engine does, by a key that was found elsewhere.

    Args:
        token: As presented.
        key: The issuer's key of the name that the token wants; None: not known yet.
        issuer: Whose tokens are good.
        tenant_id: Tenant of the issuer.
        audience: Resource that it must be for.
        now: Seconds since 1970.

    Returns:
        (0, claims as JSON); (1, class of the fault); or, with no key, (2, name of the key that it wants as UTF-8).
    """

def check_dpop_proof(proof: str, *, method: str, uri: str, access_token: str, now: int) -> tuple[str, str]:
    """Checks a DPoP proof in itself, and as one of this request with this token, as the engine does.

    Returns:
        RFC 7638 thumbprint of its key, and its `jti`: whether that was used before is left to the caller.

    Raises:
        ValueError: The class of its fault; "uri" where that of the request is none.
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
