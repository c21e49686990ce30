"""What a tenant is, and what can go wrong with one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.base.ids import TENANT_ID
from argus.base.limits import LONGEST_KEY_ROTATION, RSA_SIZES, SHORTEST_KEY_ROTATION
from argus.v1 import errors_pb2

MAX_DISPLAY_NAME: Final = 200


class TenantNotFoundError(ArgusError):
    """There is no such tenant."""

    def __init__(self, tenant_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            errors_pb2.ERROR_REASON_TENANT_NOT_FOUND,
            f"tenant {tenant_id} was not found",
            tenantId=tenant_id,
        )


class TenantExistsError(ArgusError):
    """There is a tenant of that id already."""

    def __init__(self, tenant_id: str) -> None:
        super().__init__(
            Code.ALREADY_EXISTS,
            errors_pb2.ERROR_REASON_TENANT_EXISTS,
            f"tenant {tenant_id} exists already",
            tenantId=tenant_id,
        )


class TenantDisabledError(ArgusError):
    """The tenant takes no sign-ins and issues no tokens."""

    def __init__(self, tenant_id: str) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            errors_pb2.ERROR_REASON_TENANT_DISABLED,
            f"tenant {tenant_id} is disabled",
            tenantId=tenant_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One issuer with everything that belongs to it.

    Attributes:
        rsa_bits: Size of its new RSA keys.
        key_rotation_period: How long a key signs until the next one takes over; 0: until told to; None: as the
            settings say.
    """

    tenant_id: str
    display_name: str
    is_system: bool
    disabled: bool
    not_before: datetime | None
    rsa_bits: int
    key_rotation_period: timedelta | None
    create_time: datetime
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantFields:
    """What an administrator says about a tenant; see `Tenant`."""

    display_name: str = ""
    rsa_bits: int = RSA_SIZES[0]
    key_rotation_period: timedelta | None = None


def check_tenant_id(tenant_id: str, *, field: str = "tenant_id") -> None:
    """Raises `InvalidFieldError` for what can't be a tenant's id."""
    if not TENANT_ID.fullmatch(tenant_id):
        raise InvalidFieldError(field, "must be a lower-case letter and up to 30 of a-z, 0-9 and -")


def check_fields(fields: TenantFields) -> None:
    """Raises `InvalidFieldError`, naming the field, for what can't be said about a tenant."""
    if len(fields.display_name) > MAX_DISPLAY_NAME:
        raise InvalidFieldError("tenant.display_name", f"must have at most {MAX_DISPLAY_NAME} characters")
    if fields.rsa_bits not in RSA_SIZES:
        raise InvalidFieldError("tenant.rsa_bits", f"must be one of {', '.join(map(str, RSA_SIZES))}")
    period = fields.key_rotation_period
    if period and not SHORTEST_KEY_ROTATION <= period <= LONGEST_KEY_ROTATION:
        least, most = SHORTEST_KEY_ROTATION.days, LONGEST_KEY_ROTATION.days
        raise InvalidFieldError("tenant.key_rotation_period", f"must be from {least} to {most} days, or 0")
