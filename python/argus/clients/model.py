"""What a client is, which ones are good, and what can go wrong with one."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.v1 import errors_pb2

MAX_DISPLAY_NAME: Final = 200
MAX_SCOPES: Final = 100
MAX_RESOURCE: Final = 512
ACR_LEVELS: Final = (1, 2, 3)
ACCOUNT_CLIENT: Final = "account"
"""The client of Argus's own pages and of applications in browsers; each tenant has it from the beginning, for ever."""
ACCOUNT_SCOPES: Final = ("context.assert", "login.run", "tokens.refresh", "tokens.verify")
"""What the HTTP edge calls the engine with, as that client."""
ACCOUNT_RESOURCE: Final = "urn:argus:account"
"""What its users' access tokens are for."""
_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_SCOPE: Final = re.compile(r"[a-z0-9:._/-]{1,128}")
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")


class ClientNotFoundError(ArgusError):
    """There is no such client, or it was deleted."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            errors_pb2.ERROR_REASON_CLIENT_NOT_FOUND,
            f"client {client_id} was not found",
            clientId=client_id,
        )


class ClientExistsError(ArgusError):
    """The tenant has, or had, a client of that id; ids are not given twice."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Code.ALREADY_EXISTS,
            errors_pb2.ERROR_REASON_CLIENT_EXISTS,
            f"client {client_id} exists already",
            clientId=client_id,
        )


class ClientDisabledError(ArgusError):
    """The client has proved who it is, and is disabled."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            errors_pb2.ERROR_REASON_CALLER_DISABLED,
            f"client {client_id} is disabled",
            clientId=client_id,
        )


class CallerCredentialsInvalidError(ArgusError):
    """Client id and secret do not fit; the same whether the client exists."""

    def __init__(self) -> None:
        super().__init__(
            Code.UNAUTHENTICATED,
            errors_pb2.ERROR_REASON_CALLER_CREDENTIALS_INVALID,
            "client id and secret do not fit",
        )


class AcrNotHeldError(ArgusError):
    """The caller would let a client vouch for a higher level than it may itself."""

    def __init__(self, ceiling: int) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            errors_pb2.ERROR_REASON_ASSERTED_ACR_TOO_HIGH,
            f"the caller may vouch for urn:argus:acr:{ceiling} at most and can't give more",
            maxAssertedAcr=f"urn:argus:acr:{ceiling}",
        )


class BuiltInClientError(ArgusError):
    """The client is a part of Argus: it can be disabled, and neither deleted nor given a secret."""

    def __init__(self, client_id: str) -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            errors_pb2.ERROR_REASON_FIELD_INVALID,
            f"name: client {client_id} is built in; it can be disabled, not deleted, and has no secret",
            field="name",
            clientId=client_id,
        )


class ScopeNotHeldError(ArgusError):
    """The caller would give a power over Argus that it does not have itself."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            Code.PERMISSION_DENIED,
            errors_pb2.ERROR_REASON_CALLER_SCOPE_MISSING,
            f"the caller lacks the scope {scope} and can't give it",
            requiredScope=scope,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A service or an application, without its secret."""

    tenant_id: str
    client_id: str
    display_name: str
    scopes: Sequence[str]
    resource: str
    max_asserted_acr: int
    disabled: bool
    not_before: datetime | None
    create_time: datetime
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFields:
    """What an administrator says about a client."""

    display_name: str = ""
    scopes: Sequence[str] = ()
    resource: str = ""
    max_asserted_acr: int = 1
    disabled: bool = False


def check_client_id(client_id: str) -> None:
    """Raises `InvalidFieldError` for what can't be a client's id."""
    if not _ID.fullmatch(client_id):
        raise InvalidFieldError("client_id", "must be a lower-case letter and up to 62 of a-z, 0-9 and -")


def check_fields(fields: ClientFields, *, issuer_base: str = "") -> None:
    """Raises `InvalidFieldError`, naming the field, for what can't be said about a client.

    Args:
        fields: What is said.
        issuer_base: What all issuers begin with; they are no resources of clients.
    """
    if len(fields.display_name) > MAX_DISPLAY_NAME:
        raise InvalidFieldError("client.display_name", f"must have at most {MAX_DISPLAY_NAME} characters")
    if len(fields.scopes) > MAX_SCOPES:
        raise InvalidFieldError("client.scopes", f"must have at most {MAX_SCOPES} items")
    for index, scope in enumerate(fields.scopes):
        if not _SCOPE.fullmatch(scope):
            raise InvalidFieldError(f"client.scopes[{index}]", "must be 1 to 128 of a-z, 0-9 and : . _ / -")
        if scope in fields.scopes[:index]:
            raise InvalidFieldError(f"client.scopes[{index}]", "is there twice")
    _check_resource(fields.resource, issuer_base)
    if fields.max_asserted_acr not in ACR_LEVELS:
        raise InvalidFieldError("client.max_asserted_acr", "must be urn:argus:acr:1, :2 or :3")


def check_grant(scopes: Collection[str], *, argus_scopes: Collection[str], grantable: Collection[str] | None) -> None:
    """Raises `ScopeNotHeldError` where somebody would give a power over Argus that it doesn't have.

    Args:
        scopes: What is to be given.
        argus_scopes: The scopes that give power over Argus.
        grantable: What the giver holds; None: everything (an administrator at the command line).
    """
    if grantable is None:
        return
    for scope in sorted(scopes):
        if scope in argus_scopes and scope not in grantable:
            raise ScopeNotHeldError(scope)


def check_acr_grant(max_asserted_acr: int, *, ceiling: int | None) -> None:
    """Raises `AcrNotHeldError` where somebody would let a client vouch for more than it may itself.

    Args:
        max_asserted_acr: What is to be given.
        ceiling: What the giver may vouch for; None: everything (an administrator at the command line).
    """
    if ceiling is not None and max_asserted_acr > ceiling:
        raise AcrNotHeldError(ceiling)


def _check_resource(resource: str, issuer_base: str) -> None:
    field = "client.resource"
    if not resource:
        raise InvalidFieldError(field, "is required")
    if len(resource) > MAX_RESOURCE:
        raise InvalidFieldError(field, f"must have at most {MAX_RESOURCE} characters")
    try:
        parts = urlsplit(resource)
    except ValueError:
        parts = None
    is_absolute = parts is not None and bool(parts.netloc or not resource.partition(":")[2].startswith("//"))
    if not is_absolute or not _URI.fullmatch(resource) or "#" in resource:
        raise InvalidFieldError(field, "must be an absolute URI without fragment")
    # A token for an issuer is a token for Argus itself.
    if issuer_base and resource.startswith(f"{issuer_base}/t/"):
        raise InvalidFieldError(field, "must not be an issuer of this installation")
