"""Failures over HTTP: problem details (RFC 9457) with the reasons of `errors.proto`."""

from typing import Any, Final

from starlette.responses import JSONResponse, Response

from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

MEDIA_TYPE: Final = "application/problem+json"
NONCE: Final = "dpopNonce"
"""Metadata of a refusal that tells the nonce which a proof must have."""

_PREFIX: Final = "ERROR_REASON_"
STATUS: Final = {
    Code.INVALID_ARGUMENT: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.FAILED_PRECONDITION: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.INTERNAL: 500,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}
"""The status of each kind of failure."""


class DefectError(ArgusError):
    """Anything that was not foreseen: the browser learns the request id and nothing else."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            Code.INTERNAL,
            ErrorReason.ERROR_REASON_INTERNAL,
            f"internal error; request id {request_id}",
            requestId=request_id,
        )


def reason_of(error: ArgusError) -> str:
    """Name of the reason as it is sent."""
    return ErrorReason.Name(ErrorReason.ValueType(error.reason)).removeprefix(_PREFIX)


def wait_of(error: ArgusError) -> int:
    """How many seconds to wait before another try: whole ones, and never fewer than it says."""
    return max(1, -int(-error.retry_after.total_seconds() // 1)) if error.retry_after else 1


def problem(error: ArgusError, *, request_id: str) -> Response:
    """All that a browser is told about `error`: what a gRPC caller is told, too."""
    status, reason = STATUS[error.code], reason_of(error)
    body: dict[str, Any] = {
        "type": f"urn:argus:reason:{reason}",
        "title": reason.replace("_", " ").capitalize(),
        "status": status,
        "detail": error.message,
        "reason": reason,
        "metadata": error.metadata,
        "request_id": request_id,
    }
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(wait_of(error))
    if status == 401:  # noqa: PLR2004 - RFC 9110 wants the challenge with it
        headers["www-authenticate"] = _challenge(error)
        if nonce := error.metadata.get(NONCE):
            headers["dpop-nonce"] = nonce
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def _challenge(error: ArgusError) -> str:
    """What would be good instead: a stronger authentication as RFC 9470 has it, a proof as RFC 9449 does."""
    if error.reason == ErrorReason.ERROR_REASON_TOKEN_PROOF_REQUIRED:
        return f'DPoP error="{"use_dpop_nonce" if NONCE in error.metadata else "invalid_dpop_proof"}"'
    if error.reason != ErrorReason.ERROR_REASON_STEP_UP_REQUIRED:
        return 'Bearer realm="argus"'
    told = {"error": "insufficient_user_authentication", "acr_values": error.metadata.get("acrValues", "")}
    told["max_age"] = error.metadata.get("maxAgeSeconds", "")
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in told.items() if value)
