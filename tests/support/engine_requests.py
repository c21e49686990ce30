"""What an engine is asked, and its refusals taken apart."""

from dataclasses import dataclass

from google.rpc import error_details_pb2, status_pb2

from argus.v1.token_service_pb2 import RefreshTokenRequest, VerifyAccessTokenRequest


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the engine, taken apart."""

    code: int
    reason: str
    metadata: dict[str, str]
    message: str
    retries: bool


def verify_request(token: str, **more: object) -> VerifyAccessTokenRequest:
    """A request to verify."""
    return VerifyAccessTokenRequest(access_token=token, **more)  # type: ignore[arg-type]


def refresh_request(token: str, **more: object) -> RefreshTokenRequest:
    """A request to refresh."""
    return RefreshTokenRequest(refresh_token=token, **more)  # type: ignore[arg-type]


def refusal(content: bytes) -> Refusal:
    """Takes a status apart; its domain is always Argus's."""
    status = status_pb2.Status.FromString(content)
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(info)
    assert info.domain == "argus"
    retries = any(detail.Unpack(retry) and retry.retry_delay.seconds > 0 for detail in status.details)
    return Refusal(status.code, info.reason, dict(info.metadata), status.message, retries)
