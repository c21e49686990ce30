"""What a refused call was told: `google.rpc.Status` out of an error of a gRPC channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

STATUS_METADATA: Final = "grpc-status-details-bin"
CHALLENGE_METADATA: Final = "www-authenticate"
DOMAIN: Final = "argus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an answer that is an error says.

    Attributes:
        code: gRPC's code.
        reason: `google.rpc.ErrorInfo.reason` of Argus; empty: it is not Argus that answered.
        metadata: The reason's variables.
        retry_after: When to ask again at the earliest.
        challenge: What a service that verifies the calls' own tokens says of them (RFC 6750, in metadata); empty: it is
            not they that the error is about.
    """

    code: grpc.StatusCode
    reason: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: timedelta | None = None
    challenge: str = ""

    @classmethod
    def by(cls, error: grpc.RpcError) -> Told:
        """What an error of a call says; whatever can't be read of it says nothing."""
        if isinstance(error, grpc.Call | grpc.aio.AioRpcError):
            return cls.of(error.code(), error.trailing_metadata())
        return cls(code=grpc.StatusCode.UNKNOWN)

    @classmethod
    def of(cls, code: grpc.StatusCode, trailing: Iterable[tuple[str, Any]] | None) -> Told:
        """What the code and the trailing metadata of a call say."""
        metadata = dict(trailing or ())
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        has_retry = False
        try:
            for detail in status_pb2.Status.FromString(metadata.get(STATUS_METADATA, b"")).details:
                has_retry = detail.Unpack(retry) or has_retry
                detail.Unpack(info)
        except (DecodeError, TypeError):
            return cls(code=code)
        is_argus = info.domain == DOMAIN
        return cls(
            code=code,
            reason=info.reason if is_argus else "",
            metadata=dict(info.metadata) if is_argus else {},
            retry_after=retry.retry_delay.ToTimedelta() if has_retry else None,
            challenge=str(metadata.get(CHALLENGE_METADATA, "")),
        )
