"""What a tenant is, and what can go wrong with one."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.v1 import errors_pb2

RSA_SIZES: Final = (2048, 3072, 4096)
MAX_DISPLAY_NAME: Final = 200
_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")


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
    """One issuer with everything that belongs to it."""

    tenant_id: str
    display_name: str
    is_system: bool
    disabled: bool
    not_before: datetime | None
    rsa_bits: int
    create_time: datetime
    revision: int


def check_tenant_id(tenant_id: str, *, field: str = "tenant_id") -> None:
    """Raises `InvalidFieldError` for what can't be a tenant's id."""
    if not _ID.fullmatch(tenant_id):
        raise InvalidFieldError(field, "must be a lower-case letter and up to 30 of a-z, 0-9 and -")


def check_display_name(display_name: str, *, field: str) -> None:
    """Raises `InvalidFieldError` for a name that is too long."""
    if len(display_name) > MAX_DISPLAY_NAME:
        raise InvalidFieldError(field, f"must have at most {MAX_DISPLAY_NAME} characters")
