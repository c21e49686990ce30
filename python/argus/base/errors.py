"""Errors that a caller may see: one class for each documented outcome.

An `ArgusError` travels to the caller in full, anything else as a bare INTERNAL. Features define their own in
`model.py`; those here belong to none of them.
"""

from datetime import timedelta
from enum import IntEnum

from argus.v1.errors_pb2 import ErrorReason


class Code(IntEnum):
    """`google.rpc.Code`, so that features need no grpc."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


class ArgusError(Exception):
    """A documented outcome other than success.

    Attributes:
        code: Status code.
        reason: Number of the `argus.v1.ErrorReason`.
        message: For a developer; holds no secret.
        field: Request field at fault, as a path ("session.display_name").
        retry_after: When a repeat may succeed.
        metadata: Every variable of the message, units in the keys ("retryAfterSeconds").
        violations: What is wrong with each field, by its path, where more than one may be.
    """

    def __init__(
        self,
        code: Code,
        reason: int,
        message: str,
        *,
        field: str | None = None,
        retry_after: timedelta | None = None,
        **metadata: str | int,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field
        self.retry_after = retry_after
        self.violations: tuple[tuple[str, str], ...] = () if field is None else ((field, message),)
        self.metadata = {key: str(value) for key, value in metadata.items()}
        if field is not None:
            self.metadata["field"] = field


class InvalidFieldError(ArgusError):
    """A field is missing or malformed."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT, ErrorReason.ERROR_REASON_FIELD_INVALID, f"{field}: {message}", field=field
        )


class PageTokenInvalidError(ArgusError):
    """The page token is not one that this list gave out."""

    def __init__(self, field: str = "page_token") -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            ErrorReason.ERROR_REASON_PAGE_TOKEN_INVALID,
            f"{field}: not a page token of this list; start again without one",
            field=field,
        )


class EtagMismatchError(ArgusError):
    """The resource has changed since the caller read it."""

    def __init__(self, etag: str) -> None:
        super().__init__(
            Code.ABORTED,
            ErrorReason.ERROR_REASON_ETAG_MISMATCH,
            f"the resource has changed since; its etag is now {etag}",
            etag=etag,
        )


class RequestIdReusedError(ArgusError):
    """The request id was used before, with another request."""

    def __init__(self) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            ErrorReason.ERROR_REASON_REQUEST_ID_REUSED,
            "request_id: used before with another request; make a new one for each request",
            field="request_id",
        )


class RequestAlreadyDoneError(ArgusError):
    """The same request was carried out before; `name` is what it made or changed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            Code.ALREADY_EXISTS,
            ErrorReason.ERROR_REASON_REQUEST_ALREADY_DONE,
            f"this request was carried out before; see {name}",
            name=name,
        )
        self.name = name


class UnavailableError(ArgusError):
    """A store or a part of Argus is away. Nothing was decided: never to be read as "no"."""

    def __init__(self, component: str, retry_after: timedelta = timedelta(seconds=1), *, cause: str = "") -> None:
        super().__init__(
            Code.UNAVAILABLE,
            ErrorReason.ERROR_REASON_UNAVAILABLE,
            f"{component} is not available{f' ({cause})' if cause else ''}; try again",
            retry_after=retry_after,
            component=component,
            **({"cause": cause} if cause else {}),
        )
        self.component = component


class OverloadedError(ArgusError):
    """Argus sheds load."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            ErrorReason.ERROR_REASON_OVERLOADED,
            "too much load; try again later",
            retry_after=retry_after,
        )


class TenantMismatchError(ArgusError):
    """The resource belongs to another tenant than the caller; whether it exists is not said."""

    def __init__(self) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            ErrorReason.ERROR_REASON_CALLER_TENANT_MISMATCH,
            "the caller belongs to another tenant",
        )
