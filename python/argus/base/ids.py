"""Ids, digests and resource names."""

import hashlib
import re
import secrets
from typing import Final, Literal

NameKind = Literal[
    "tenant",
    "user",
    "session",
    "client",
    "key",
    "group",
    "identifier",
    "credential",
    "login",
    "device",
    "channel",
    "delivery",
    "simulation",
]

_SEGMENT: Final = r"([A-Za-z0-9_-]{1,128})"
_PATTERNS: Final[dict[NameKind, str]] = {
    "tenant": "tenants/*",
    "user": "tenants/*/users/*",
    "session": "tenants/*/users/*/sessions/*",
    "client": "tenants/*/clients/*",
    "key": "tenants/*/keys/*",
    "group": "tenants/*/groups/*",
    "identifier": "tenants/*/users/*/identifiers/*",
    "credential": "tenants/*/users/*/credentials/*",
    "login": "tenants/*/logins/*",
    "device": "tenants/*/users/*/devices/*",
    "channel": "tenants/*/channels/*",
    "delivery": "tenants/*/deliveries/*",
    "simulation": "tenants/*/policySimulations/*",
}
TENANT_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
"""What ids of tenants look like."""

_EXPRESSIONS: Final = {kind: re.compile(text.replace("*", _SEGMENT)) for kind, text in _PATTERNS.items()}


def new_id() -> str:
    """An id of 16 random bytes: 22 characters of base64url."""
    return secrets.token_urlsafe(16)


def new_secret() -> str:
    """A secret of 32 random bytes: 43 characters of base64url."""
    return secrets.token_urlsafe(32)


def sha256(data: bytes | str) -> bytes:
    """SHA-256 of bytes, or of a text's UTF-8."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).digest()


def etag(revision: int) -> str:
    """The etag of a row's revision."""
    return f"r{revision}"


def parse_name(kind: NameKind, name: str) -> tuple[str, ...] | None:
    """The ids in a resource name ("tenants/a/users/b" → ("a", "b")), or None if it is not one of that kind."""
    match = _EXPRESSIONS[kind].fullmatch(name)
    return match.groups() if match else None


def name_pattern(kind: NameKind) -> str:
    """How a resource name of the kind looks ("tenants/*/users/*"), for messages."""
    return _PATTERNS[kind]


def tenant_name(tenant_id: str) -> str:
    """Resource name of a tenant."""
    return f"tenants/{tenant_id}"


def user_name(tenant_id: str, user_id: str) -> str:
    """Resource name of a user."""
    return f"tenants/{tenant_id}/users/{user_id}"


def session_name(tenant_id: str, user_id: str, session_id: str) -> str:
    """Resource name of a session."""
    return f"tenants/{tenant_id}/users/{user_id}/sessions/{session_id}"


def client_name(tenant_id: str, client_id: str) -> str:
    """Resource name of a service client."""
    return f"tenants/{tenant_id}/clients/{client_id}"


def key_name(tenant_id: str, key_id: str) -> str:
    """Resource name of a key."""
    return f"tenants/{tenant_id}/keys/{key_id}"


def group_name(tenant_id: str, group_id: str) -> str:
    """Resource name of a group."""
    return f"tenants/{tenant_id}/groups/{group_id}"


def identifier_name(tenant_id: str, user_id: str, identifier_id: str) -> str:
    """Resource name of an identifier."""
    return f"tenants/{tenant_id}/users/{user_id}/identifiers/{identifier_id}"


def credential_name(tenant_id: str, user_id: str, credential_id: str) -> str:
    """Resource name of a credential."""
    return f"tenants/{tenant_id}/users/{user_id}/credentials/{credential_id}"


def login_name(tenant_id: str, login_id: str) -> str:
    """Resource name of a login."""
    return f"tenants/{tenant_id}/logins/{login_id}"


def device_name(tenant_id: str, user_id: str, device_id: str) -> str:
    """Resource name of a device."""
    return f"tenants/{tenant_id}/users/{user_id}/devices/{device_id}"


def simulation_name(tenant_id: str, simulation_id: str) -> str:
    """Resource name of a policy's simulation."""
    return f"tenants/{tenant_id}/policySimulations/{simulation_id}"
