"""Checks of request fields; each raises `InvalidFieldError` with the field's path, or returns what to work with."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from urllib.parse import urlsplit

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from argus._core import Keyspace
from argus.base import ids, pages
from argus.base.errors import InvalidFieldError, TenantMismatchError
from argus.rpc.context import current_caller

_SLUG: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
# RFC 6749, section 3.3.
_SCOPE_TOKEN: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
# 16 random bytes (`base.ids.new_id`).
_OWN_ID: Final = re.compile(r"[A-Za-z0-9_-]{22}")
_MAX_SCOPES: Final = 100
_MAX_RESOURCE: Final = 512


def tenant(text: str, field: str, *, allow_system: bool = False) -> str:
    """Id of the tenant that `text` ("tenants/*") names.

    Args:
        text: Resource name.
        field: Path of the field in the request.
        allow_system: Callers of the system tenant may name any tenant.

    Raises:
        InvalidFieldError: It is not such a name.
        TenantMismatchError: It is another tenant than the caller's.
    """
    return _parse("tenant", text, field, allow_system=allow_system)[0]


class _OfTenant(Protocol):
    """Tenant and id of a name; raises as `tenant` does."""

    def __call__(self, text: str, field: str, *, allow_system: bool = False) -> tuple[str, str]: ...


def _of_tenant(kind: ids.NameKind) -> _OfTenant:
    """For names of two parts, a tenant's and the thing's."""

    def parse(text: str, field: str, *, allow_system: bool = False) -> tuple[str, str]:
        found = _parse(kind, text, field, allow_system=allow_system)
        return found[0], found[1]

    return parse


user: Final = _of_tenant("user")
"""Tenant and user of "tenants/*/users/*"."""
client: Final = _of_tenant("client")
"""Tenant and client of "tenants/*/clients/*"."""
group: Final = _of_tenant("group")
"""Tenant and group of "tenants/*/groups/*"."""
key: Final = _of_tenant("key")
"""Tenant and key of "tenants/*/keys/*"."""
login: Final = _of_tenant("login")
"""Tenant and login of "tenants/*/logins/*"."""
channel: Final = _of_tenant("channel")
"""Tenant and channel of "tenants/*/channels/*"."""
delivery: Final = _of_tenant("delivery")
"""Tenant and delivery of "tenants/*/deliveries/*"."""
simulation: Final = _of_tenant("simulation")
"""Tenant and simulation of "tenants/*/policySimulations/*"."""


def session(text: str, field: str, *, allow_system: bool = False) -> tuple[str, str, str]:
    """Tenant, user and session of "tenants/*/users/*/sessions/*"; raises as `tenant` does."""
    found = _parse("session", text, field, allow_system=allow_system)
    if not Keyspace.is_session_id(found[2]):
        raise InvalidFieldError(field, "does not end in a session id")
    return found[0], found[1], found[2]


def own_id(value: str, field: str) -> str:
    """An id that Argus made. Whatever else was pasted there is not repeated in an answer."""
    if not value:
        raise InvalidFieldError(field, "is required")
    if not _OWN_ID.fullmatch(value):
        raise InvalidFieldError(field, "is not an id that Argus made")
    return value


def own_session(text: str, field: str) -> str:
    """`text`, if it is "tenants/*/users/*/sessions/*"; whose session it is is asked where the user is known."""
    found = ids.parse_name("session", text)
    if found is None:
        raise InvalidFieldError(field, f"must be a resource name of the form {ids.name_pattern('session')}")
    if not Keyspace.is_session_id(found[2]):
        raise InvalidFieldError(field, "does not end in a session id")
    return text


def own_credential(text: str, field: str) -> str:
    """`text`, if it is "tenants/*/users/*/credentials/*"; whose it is is asked where the user is known."""
    found = ids.parse_name("credential", text)
    if found is None:
        raise InvalidFieldError(field, f"must be a resource name of the form {ids.name_pattern('credential')}")
    own_id(found[2], field)
    return text


def identifier(text: str, field: str, *, allow_system: bool = False) -> tuple[str, str, str]:
    """Tenant, user and identifier of "tenants/*/users/*/identifiers/*"; raises as `tenant` does."""
    found = _parse("identifier", text, field, allow_system=allow_system)
    return found[0], found[1], found[2]


def credential(text: str, field: str, *, allow_system: bool = False) -> tuple[str, str, str]:
    """Tenant, user and credential of "tenants/*/users/*/credentials/*"; raises as `tenant` does."""
    found = _parse("credential", text, field, allow_system=allow_system)
    return found[0], found[1], found[2]


def device(text: str, field: str, *, allow_system: bool = False) -> tuple[str, str, str]:
    """Tenant, user and device of "tenants/*/users/*/devices/*"; raises as `tenant` does."""
    found = _parse("device", text, field, allow_system=allow_system)
    return found[0], found[1], own_id(found[2], field)


def own_device(text: str, field: str) -> str:
    """`text`, if it is "tenants/*/users/*/devices/*" or an id; whose it is is asked where the user is known."""
    found = ids.parse_name("device", text)
    own_id(found[2] if found else text, field)
    return text


def text(value: str, field: str, max_len: int, *, required: bool = False, min_len: int = 0) -> str:
    """`value`, if it is neither too long nor too short (in characters).

    Args:
        value: Value of the field.
        field: Its path in the request.
        max_len: Longest allowed.
        required: It may not be empty.
        min_len: Shortest allowed unless it is empty.
    """
    if not value:
        if required:
            raise InvalidFieldError(field, "is required")
        return value
    if len(value) < min_len:
        raise InvalidFieldError(field, f"must have at least {min_len} characters")
    if len(value) > max_len:
        raise InvalidFieldError(field, f"must have at most {max_len} characters")
    return value


def presented_token(value: str, field: str) -> str:
    """A token as it was presented; one that is not good is no fault of the request's, but one that is missing is."""
    if not value:
        raise InvalidFieldError(field, "is missing; send the token")
    return value


def slug(value: str, field: str) -> str:
    """An id that a caller chooses for a client or a group: [a-z][a-z0-9-]{0,62}."""
    if not _SLUG.fullmatch(value):
        raise InvalidFieldError(field, "must be a lower-case letter and up to 62 of a-z, 0-9 and -")
    return value


def client_id(value: str, field: str) -> str:
    """A client id; empty stays empty."""
    return slug(value, field) if value else value


def tenant_id(value: str, field: str) -> str:
    """An id that a caller chooses for a tenant: [a-z][a-z0-9-]{0,30}."""
    if not ids.TENANT_ID.fullmatch(value):
        raise InvalidFieldError(field, "must be a lower-case letter and up to 30 of a-z, 0-9 and -")
    return value


def page_size(value: int, field: str = "page_size") -> int:
    """Rows of a page: 0 is the default, more than the most is the most."""
    if value < 0:
        raise InvalidFieldError(field, "must not be negative")
    return pages.page_size(value)


def mask(value: FieldMask, allowed: Collection[str], field: str = "update_mask") -> frozenset[str]:
    """Paths that an update changes; "*" is all of them.

    An empty mask is refused: to guess which empty fields were meant to be emptied would lose data.
    """
    paths = frozenset(value.paths)
    if not paths:
        raise InvalidFieldError(field, f"must name what to change: {', '.join(sorted(allowed))}")
    if paths == {"*"}:
        return frozenset(allowed)
    for path in sorted(paths):
        if path not in allowed:
            raise InvalidFieldError(field, f"can only name {', '.join(sorted(allowed))}")
    return paths


def scope(text: str, field: str) -> list[str]:
    """Scopes of a space-separated text in their order, each once (RFC 6749, section 3.3)."""
    found = list(dict.fromkeys(text.split(" "))) if text else []
    return scopes(found, field)


def scopes(values: Collection[str], field: str) -> list[str]:
    """Well-formed scopes in their order, each once."""
    found = list(dict.fromkeys(values))
    if len(found) > _MAX_SCOPES:
        raise InvalidFieldError(field, f"must have at most {_MAX_SCOPES} scopes")
    if not all(_SCOPE_TOKEN.fullmatch(one) for one in found):
        raise InvalidFieldError(field, "must be scopes as in RFC 6749, section 3.3, separated by single spaces")
    return found


def resource(value: str, field: str) -> str:
    """A resource indicator (RFC 8707): an absolute URI without fragment; empty stays empty."""
    if not value:
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        raise InvalidFieldError(field, "must be an absolute URI without fragment") from None
    is_absolute = bool(parts.scheme) and bool(parts.netloc or parts.path)
    if not is_absolute or "#" in value or " " in value or len(value) > _MAX_RESOURCE:
        raise InvalidFieldError(
            field, f"must be an absolute URI without fragment, of at most {_MAX_RESOURCE} characters"
        )
    return value


def timestamp(value: Timestamp, field: str) -> datetime:
    """The instant that `value` says, in UTC."""
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidFieldError(field, "must be a time from 0001 to 9999") from None


def duration(value: Duration, field: str) -> timedelta:
    """The span that `value` says; not negative."""
    try:
        span = value.ToTimedelta()
    except (ValueError, OverflowError):
        raise InvalidFieldError(field, "must be a duration") from None
    if span < timedelta(0):
        raise InvalidFieldError(field, "must not be negative")
    return span


def to_timestamp(value: datetime | None) -> Timestamp | None:
    """A message's time; None leaves the field unset."""
    if value is None:
        return None
    made = Timestamp()
    made.FromDatetime(value)
    return made


def to_duration(value: timedelta) -> Duration:
    """A message's duration."""
    made = Duration()
    made.FromTimedelta(value)
    return made


def _parse(kind: ids.NameKind, text: str, field: str, *, allow_system: bool) -> tuple[str, ...]:
    found = ids.parse_name(kind, text)
    if found is None:
        raise InvalidFieldError(field, f"must be a resource name of the form {ids.name_pattern(kind)}")
    caller = current_caller()
    is_own = found[0] == caller.tenant_id
    # Without a caller the request itself proves whose tenant it may speak of (IssueClientToken).
    if not (is_own or caller.is_anonymous or (allow_system and caller.is_system)):
        raise TenantMismatchError
    return found
