"""On whose behalf a change is made."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who asks for a change, and by which request; every method that changes something takes one.

    Attributes:
        tenant_id: Tenant that the change happens in.
        actor: "client:<id>", "user:<id>", "system:<part>" or "cli:<account>".
        request_id: Id of the call, for support.
        ip_address: Address of the user's device, where known.
        user_agent: What the user's device says it is, where known; no audit row has it.
        device_strong: Print of the installation on the user's device; empty: unknown.
        device_weak: Print of its TLS and browser family; empty: unknown.
        languages: What the user reads, as in an Accept-Language header; empty: not known.
        method: Full name of the RPC; empty outside of one.
        idempotency_key: The request's `request_id` field; empty: none was given.
        request_sha256: Digest of the request's bytes.
        validate_only: Everything is checked and nothing is kept.
    """

    tenant_id: str
    actor: str
    request_id: str
    ip_address: str | None = None
    user_agent: str = ""
    device_strong: bytes = b""
    device_weak: bytes = b""
    languages: str = ""
    method: str = ""
    idempotency_key: str = ""
    request_sha256: bytes = b""
    validate_only: bool = False
