"""What is known about the call that is being answered: who calls, and on whose behalf a change is made."""

import hashlib
import hmac
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from google.protobuf.message import Message

from argus._core import context_prints
from argus.base.addresses import read_address
from argus.base.errors import InvalidFieldError
from argus.base.languages import MAX_ACCEPTED
from argus.base.origin import Origin
from argus.plans.model import Subscription
from argus.v1.types_pb2 import ClientContext

CONTEXT_SCOPE: Final = "context.assert"
"""Scope of callers whose word about the user's device counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The service that calls. Of an RPC without authentication only `request_id` and `peer` are known."""

    tenant_id: str = ""
    client_id: str = ""
    scopes: frozenset[str] = frozenset()
    is_system: bool = False
    request_id: str = ""
    peer: str = ""
    """Address of the calling service, empty if it is not an IP address."""

    @property
    def is_anonymous(self) -> bool:
        """The RPC authenticates its caller by its own request."""
        return not self.client_id


@dataclass(slots=True, kw_only=True)
class Call:
    """One call on its way through the interceptor and its handler."""

    method: str
    request_id: str
    peer: str = ""
    authorization: str | None = None
    deadline_ms: int = 0
    is_cut: bool = False
    """The client would wait for longer than the server takes."""
    digest_key: bytes = field(default=b"", repr=False)
    caller: Caller | None = None
    call_id: str = ""
    """The same for all questions of the engine about this call; the front door has asked the first one."""
    need: bytes = field(default=b"", repr=False)
    """What the engine needed when the front door asked it: an encoded `argus.internal.v1.NeedsFlow`."""
    subscription: Subscription = field(default_factory=Subscription)
    """What the caller's tenant has bought."""
    is_hot: bool = False
    """Answered by the engine, which authenticates the caller itself."""


_call: ContextVar[Call] = ContextVar("argus_call")


def enter_call(call: Call) -> None:
    """Makes `call` the one that the rest of this task answers."""
    _call.set(call)


def current_call() -> Call:
    """The call that is being answered.

    Raises:
        LookupError: No call is being answered here.
    """
    return _call.get()


def current_caller() -> Caller:
    """The authenticated caller of the RPC that is being answered.

    Raises:
        LookupError: No call is being answered here, or nobody has authenticated it yet.
    """
    caller = _call.get().caller
    if caller is None:
        raise LookupError("the call has not been authenticated")
    return caller


def origin_of(request: Message, *, tenant_id: str | None = None) -> Origin:
    """On whose behalf `request` changes something.

    Args:
        request: The request; its `request_id`, `validate_only` and `client_context` count where it has them.
        tenant_id: Tenant that the change is made in, if that is not the caller's own.
    """
    call, caller = current_call(), current_caller()
    context = _context(request, caller)
    tenant = caller.tenant_id if tenant_id is None else tenant_id
    strong, weak = context_prints(context.SerializeToString()) if context is not None else (b"", b"")
    return Origin(
        tenant_id=tenant,
        actor=_actor(caller, tenant),
        request_id=call.request_id,
        ip_address=_user_address(context) if context is not None else None,
        user_agent=context.user_agent if context is not None else "",
        device_strong=strong,
        device_weak=weak,
        languages=context.accept_language[:MAX_ACCEPTED] if context is not None else "",
        method=call.method,
        idempotency_key=getattr(request, "request_id", ""),
        request_sha256=_digest(request, call.digest_key),
        validate_only=getattr(request, "validate_only", False),
    )


def peer_address(peer: str) -> str:
    """The IP address in a gRPC peer ("ipv4:127.0.0.1:5000", "ipv6:%5B::1%5D:5000"), or "" if there is none."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return ""
    address = read_address(rest.rpartition(":")[0].strip("[]"))
    return str(address) if address else ""


def _actor(caller: Caller, tenant_id: str) -> str:
    if caller.is_anonymous:
        return "anonymous"
    if caller.tenant_id == tenant_id:
        return f"client:{caller.client_id}"
    return f"client:{caller.tenant_id}/{caller.client_id}"


def _context(request: Message, caller: Caller) -> ClientContext | None:
    """What the caller asserts about the user's device, if it may: its own address says nothing about the user."""
    context: ClientContext | None = getattr(request, "client_context", None)
    return context if CONTEXT_SCOPE in caller.scopes else None


def _user_address(context: ClientContext) -> str | None:
    if not context.ip_address:
        return None
    address = read_address(context.ip_address)
    if address is None:
        raise InvalidFieldError("client_context.ip_address", "must be an IPv4 or IPv6 address")
    if getattr(address, "scope_id", None) is not None:
        raise InvalidFieldError("client_context.ip_address", "must have no zone")
    return str(address)


def _digest(request: Message, key: bytes) -> bytes:
    """Keyed, because requests hold passwords and the digest is stored: a plain hash could be guessed offline."""
    return hmac.new(key, request.SerializeToString(deterministic=True), hashlib.sha256).digest()
