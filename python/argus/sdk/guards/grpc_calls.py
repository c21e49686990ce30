"""What interceptors of both kinds of gRPC server have in common: reading what a call brings, and refusing it."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from argus.sdk.errors import (
    ProofRequiredError,
    ScopeMissingError,
    StepUpRequiredError,
    TokenRefusedError,
    VerificationError,
    VerifierUnavailableError,
)
from argus.sdk.guards.bearer import MalformedRequestError, challenge, read_authorization
from argus.sdk.model import Proof
from argus.sdk.tokens.failures import CHALLENGE_METADATA, DOMAIN, STATUS_METADATA

__all__ = ["Refusal", "behaviour_of", "presented", "refusal", "rewrapped"]

_PAUSE: Final = timedelta(seconds=1)
_CERTIFICATE: Final = "x509_pem_cert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a call is answered with that is not let in."""

    code: grpc.StatusCode
    text: str
    trailing: tuple[tuple[str, str | bytes], ...]


def presented(
    method: str,
    metadata: Iterable[tuple[str, str | bytes]] | None,
    shown: Mapping[str, Iterable[bytes]] | None,
    *,
    origin: str,
) -> tuple[str, Proof]:
    """The token of a call, and what proves that it may be used.

    Args:
        method: "/package.Service/Method".
        metadata: The call's.
        shown: The call's `auth_context`.
        origin: Scheme and host as clients address the service; empty: DPoP proofs are refused.

    Raises:
        VerificationError: There is no token, or not one.
    """
    texts = [(key, value) for key, value in metadata or () if isinstance(value, str)]
    authorization = [value for key, value in texts if key == "authorization"]
    found = read_authorization(authorization, [value for key, value in texts if key == "dpop"])
    if found.proof and not origin:
        raise ProofRequiredError("dpop", fault="htu")
    return found.token, Proof(
        dpop=found.proof,
        http_method="POST",
        http_uri=f"{origin}{method}" if found.proof else "",
        certificate_sha256=_certificate(shown),
    )


def refusal(error: VerificationError, *, realm: str) -> Refusal:
    """What a call is told."""
    code, reason, metadata = _answer(error)
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)]
    text = str(error)
    if isinstance(error, VerifierUnavailableError):
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(max(error.retry_after or _PAUSE, timedelta(0)))
        details.append(retry)
        # What an outage is about is for this service's own log.
        text = "whether the access token is good can't be known now"
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        status.details.add().Pack(detail, deterministic=True)
    trailing: list[tuple[str, str | bytes]] = [(STATUS_METADATA, status.SerializeToString())]
    if said := challenge(error, realm=realm):
        trailing.append((CHALLENGE_METADATA, said))
    return Refusal(code=code, text=text, trailing=tuple(trailing))


def behaviour_of(handler: Any) -> Any:
    """The function of a handler, of whatever kind."""
    return handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream


def rewrapped(handler: Any, behaviour: Any) -> Any:
    """A handler of the same kind with another function."""
    asked = "stream" if handler.request_streaming else "unary"
    answered = "stream" if handler.response_streaming else "unary"
    make: Any = getattr(grpc, f"{asked}_{answered}_rpc_method_handler")
    return make(
        behaviour,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _answer(error: VerificationError) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    """Code, reason and metadata, as Argus's own answers have them."""
    if isinstance(error, VerifierUnavailableError):
        return grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", {"component": "verifier"}
    if isinstance(error, ScopeMissingError):
        return grpc.StatusCode.PERMISSION_DENIED, "TOKEN_SCOPE_MISSING", {"requiredScopes": " ".join(error.scopes)}
    if isinstance(error, MalformedRequestError):
        return grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", {"field": "authorization"}
    return grpc.StatusCode.UNAUTHENTICATED, *_unauthenticated(error)


def _unauthenticated(error: VerificationError) -> tuple[str, dict[str, str]]:
    if isinstance(error, TokenRefusedError):
        return error.reason, {}
    if isinstance(error, ProofRequiredError):
        return "TOKEN_PROOF_REQUIRED", {"binding": error.binding}
    if isinstance(error, StepUpRequiredError):
        metadata = {"acrValues": " ".join(error.acr_values)} if error.acr_values else {}
        if error.max_age is not None:
            metadata["maxAgeSeconds"] = str(int(error.max_age.total_seconds()))
        return "STEP_UP_REQUIRED", metadata
    return "CALLER_UNAUTHENTICATED", {}


def _certificate(shown: Mapping[str, Iterable[bytes]] | None) -> bytes:
    """SHA-256 of the certificate that the client showed to grpc; b"": it showed none."""
    certificates = list((shown or {}).get(_CERTIFICATE, ()))
    if not certificates:
        return b""
    body = b"".join(line for line in certificates[0].splitlines() if not line.startswith(b"-----"))
    return hashlib.sha256(base64.b64decode(body)).digest()
