"""Turns failures into `google.rpc.Status`: one ErrorInfo, and RetryInfo, BadRequest or PreconditionFailure that fit."""

from collections.abc import Sequence
from typing import Final, Self

from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from argus.base.errors import ArgusError, Code
from argus.v1 import errors_pb2

DOMAIN: Final = "argus"
_PREFIX: Final = "ERROR_REASON_"
# In bytes: clients of gRPC refuse trailers of more than 8 KiB, and would see no reason at all.
_MOST_DETAIL: Final = 2500
_LONGEST_MESSAGE: Final = 600
_LONGEST_NAME: Final = 200


class StatusError(Exception):
    """A finished `google.rpc.Status`, as the engine makes them."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status

    @classmethod
    def from_bytes(cls, encoded: bytes) -> Self:
        """Of an encoded status."""
        return cls(status_pb2.Status.FromString(encoded))


class MethodUnknownError(ArgusError):
    """The server does not serve the RPC."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNIMPLEMENTED, errors_pb2.ERROR_REASON_UNIMPLEMENTED, "the server does not serve this RPC"
        )


class DeadlineError(ArgusError):
    """The time that the call has, by its client or by the server, has passed."""

    def __init__(self) -> None:
        super().__init__(
            Code.DEADLINE_EXCEEDED, errors_pb2.ERROR_REASON_DEADLINE_EXCEEDED, "the request's deadline passed"
        )


class DefectError(ArgusError):
    """Anything that was not foreseen: the caller learns the request id and nothing else."""

    def __init__(self, request_id: str) -> None:
        super().__init__(
            Code.INTERNAL,
            errors_pb2.ERROR_REASON_INTERNAL,
            f"internal error; request id {request_id}",
            requestId=request_id,
        )


def reason_name(reason: int) -> str:
    """Name of an `ErrorReason` as it is sent."""
    return errors_pb2.ErrorReason.Name(errors_pb2.ErrorReason.ValueType(reason)).removeprefix(_PREFIX)


def to_status(error: ArgusError) -> status_pb2.Status:
    """All that a caller is told about `error`."""
    status = status_pb2.Status(code=int(error.code), message=_cut(error.message, _LONGEST_MESSAGE))
    for detail in _details(error):
        # Else the variables of the same refusal come in another order each time.
        status.details.add().Pack(detail, deterministic=True)
    return status


def reason_of(status: status_pb2.Status) -> str:
    """The ErrorInfo's reason, or "" if the status has none."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return str(info.reason)
    return ""


def _cut(text: str, most: int) -> str:
    """As much of a text as fits into so many bytes."""
    return text.encode()[:most].decode(errors="ignore")


def _bad_request(violations: Sequence[tuple[str, str]]) -> error_details_pb2.BadRequest:
    """As many as fit; of the others the last one says how many there are."""
    bad = error_details_pb2.BadRequest()
    for place, (field, text) in enumerate(violations):
        if bad.ByteSize() + len(field.encode()) + len(text.encode()) > _MOST_DETAIL:
            more = f"… and {len(violations) - place} more: mend those before, and ask again"
            bad.field_violations.add(field=_cut(field, _LONGEST_NAME), description=more)
            break
        bad.field_violations.add(field=field, description=text)
    return bad


def _details(error: ArgusError) -> list[Message]:
    reason = reason_name(error.reason)
    metadata = {key: _cut(value, _LONGEST_NAME) for key, value in error.metadata.items()}
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata)]
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        details.append(retry)
    if error.code == Code.INVALID_ARGUMENT and error.violations:
        details.append(_bad_request(error.violations))
    if error.code == Code.FAILED_PRECONDITION:
        broken = error_details_pb2.PreconditionFailure.Violation(
            type=reason, description=_cut(error.message, _LONGEST_MESSAGE)
        )
        details.append(error_details_pb2.PreconditionFailure(violations=[broken]))
    return details
