"""The JSON forms of answers (WebAuthn Level 3, 5.1), read strictly: what is odd is refused, not guessed at."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from argus.base import strict_json
from argus.credentials.webauthn.model import MAX_RESPONSE, Expected, PasskeyRefusedError, RelyingParty

_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*")
_TRANSPORT: Final = re.compile(r"[a-z0-9-]{1,32}")
_MAX_TRANSPORTS: Final = 10
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationResponse:
    """RegistrationResponseJSON, decoded."""

    webauthn_id: bytes
    client_data: bytes
    attestation_object: bytes
    transports: Sequence[str]
    discoverable: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationResponse:
    """AuthenticationResponseJSON, decoded.

    Attributes:
        is_platform: The browser says that the authenticator is part of what it runs on.
    """

    webauthn_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None
    is_platform: bool


def encode(content: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode(text: object) -> bytes:
    """What a text of base64url says, which has one form alone: no padding, no further bits.

    Raises:
        PasskeyRefusedError: It is not such a text.
    """
    if not isinstance(text, str) or not _BASE64URL.fullmatch(text) or len(text) % 4 == 1:
        raise PasskeyRefusedError("MALFORMED")
    content = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(content) != text:
        raise PasskeyRefusedError("MALFORMED")
    return content


def parse_registration(text: str) -> RegistrationResponse:
    """Reads the answer to creation options.

    Raises:
        PasskeyRefusedError: It is not one.
    """
    credential, response = _credential(text)
    properties = _member(_member(credential, "clientExtensionResults"), "credProps")
    discoverable = properties.get("rk")
    if discoverable is not None and not isinstance(discoverable, bool):
        raise PasskeyRefusedError("MALFORMED")
    return RegistrationResponse(
        webauthn_id=decode(credential["id"]),
        client_data=decode(response.get("clientDataJSON")),
        attestation_object=decode(response.get("attestationObject")),
        transports=_transports(response.get("transports", [])),
        discoverable=discoverable,
    )


def parse_authentication(text: str) -> AuthenticationResponse:
    """Reads the answer to request options.

    Raises:
        PasskeyRefusedError: It is not one.
    """
    credential, response = _credential(text)
    user_handle = response.get("userHandle")
    return AuthenticationResponse(
        webauthn_id=decode(credential["id"]),
        client_data=decode(response.get("clientDataJSON")),
        authenticator_data=decode(response.get("authenticatorData")),
        signature=decode(response.get("signature")),
        user_handle=None if user_handle is None else decode(user_handle),
        # What is not told, or not known yet (WebAuthn Level 3, 5.4.5), is not claimed.
        is_platform=credential.get("authenticatorAttachment") == "platform",
    )


def check_client_data(content: bytes, kind: str, *, rp: RelyingParty, expected: Expected) -> bytes:
    """Holds what the browser says of the ceremony against what was asked for; returns the digest that is signed.

    Raises:
        PasskeyRefusedError: It says something else.
    """
    # "UTF-8 decode" of the standard takes a byte order mark away; the digest is of all bytes all the same.
    said = _object(content.removeprefix(_BOM))
    if said.get("type") != kind:
        raise PasskeyRefusedError("TYPE")
    challenge = said.get("challenge")
    # As text: decoded, a padded form would do as well.
    if not isinstance(challenge, str) or not hmac.compare_digest(challenge.encode(), expected.challenge.encode()):
        raise PasskeyRefusedError("CHALLENGE")
    if said.get("origin") not in rp.origins:
        raise PasskeyRefusedError("ORIGIN")
    _check_frame(said, rp)
    return hashlib.sha256(content).digest()


def _check_frame(said: Mapping[str, Any], rp: RelyingParty) -> None:
    is_cross_origin, top_origin = said.get("crossOrigin", False), said.get("topOrigin")
    if not isinstance(is_cross_origin, bool) or not isinstance(top_origin, str | None):
        raise PasskeyRefusedError("MALFORMED")
    if (is_cross_origin or top_origin is not None) and not rp.allows_cross_origin:
        raise PasskeyRefusedError("CROSS_ORIGIN")
    if top_origin is not None and top_origin not in rp.top_origins:
        raise PasskeyRefusedError("CROSS_ORIGIN")


def _credential(text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if len(text) > MAX_RESPONSE:
        raise PasskeyRefusedError("MALFORMED")
    try:
        credential = _object(text.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        raise PasskeyRefusedError("MALFORMED") from None
    response = credential.get("response")
    is_named = isinstance(credential.get("id"), str) and credential.get("rawId") == credential["id"]
    if not isinstance(response, dict) or not is_named or credential.get("type") != "public-key":
        raise PasskeyRefusedError("MALFORMED")
    return credential, response


def _member(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object in an object; {} where there is none."""
    found = of.get(name, {})
    if not isinstance(found, dict):
        raise PasskeyRefusedError("MALFORMED")
    return found


def _transports(values: object) -> Sequence[str]:
    if not isinstance(values, list) or len(values) > _MAX_TRANSPORTS:
        raise PasskeyRefusedError("MALFORMED")
    if not all(isinstance(one, str) and _TRANSPORT.fullmatch(one) for one in values):
        raise PasskeyRefusedError("MALFORMED")
    return sorted(set(values))


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = strict_json.parse(content)
    except ValueError:
        raise PasskeyRefusedError("MALFORMED") from None
    if not isinstance(found, dict):
        raise PasskeyRefusedError("MALFORMED")
    return found
