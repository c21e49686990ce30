"""How password hashes are written: PHC strings, and the notations of passlib, Django, Werkzeug, Ory and Keycloak."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from argus.credentials.foreign.kinds import Argon2, Argon2Type, Bcrypt, Digest, Pbkdf2, Prehash, Scrypt
from argus.credentials.foreign.model import (
    MAX_HASH,
    SHORTEST_DIGEST,
    PasswordHash,
    PasswordHashRefusedError,
    UnreadableHashError,
)

_BASE64: Final = r"[A-Za-z0-9+/.]+=*"
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,9})"
_BCRYPT: Final = r"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}"
_DIGEST: Final = r"sha(?:1|224|256|384|512)"
_ANY: Final = r"[^$]*"
_SHORTEST_SALT_OF_ARGON2: Final = 8
_LARGEST_LOG_N: Final = 63
_LONGEST_PART: Final = 1024
_VERSIONS_OF_KEYCLOAK: Final = {"1.0": 16, "1.3": 19}


def accept(text: str, *, field: str = "password_hash") -> PasswordHash:
    """The hash that a text writes down, if Argus can check passwords against it at a bearable cost.

    Args:
        text: The hash in one of the known notations.
        field: Path of the text in the request.

    Raises:
        PasswordHashRefusedError: It can't, and this says why.
    """
    try:
        found = read(text)
    except UnreadableHashError as error:
        raise PasswordHashRefusedError(error.rule, str(error), field=field) from None
    excess = found.excess()
    if excess is not None:
        raise PasswordHashRefusedError("TOO_COSTLY", f"this {found.kind} hash {excess}", field=field)
    return found


def read(text: str) -> PasswordHash:
    """The hash that a text writes down.

    Raises:
        UnreadableHashError: No notation fits.
    """
    if len(text) > MAX_HASH:
        raise UnreadableHashError("MALFORMED", f"must have at most {MAX_HASH} characters")
    if text.startswith("{"):
        return _of_keycloak(text)
    for form, make in _NOTATIONS:
        match = form.fullmatch(text)
        if match:
            return make(match.groupdict())
    for beginning, name in _BEGINNINGS.items():
        if text.startswith(beginning):
            raise UnreadableHashError("MALFORMED", f"begins like a hash of {name}, and goes on otherwise")
    raise UnreadableHashError(
        "UNKNOWN_FORMAT", "is no hash of argon2, bcrypt, scrypt or PBKDF2 in a notation that is known here"
    )


def _argon2(part: Mapping[str, str]) -> Argon2:
    salt, digest = _bytes(part["salt"]), _digest(part["digest"])
    memory, passes, lanes = int(part["m"]), int(part["t"]), int(part["p"])
    if len(salt) < _SHORTEST_SALT_OF_ARGON2 or passes < 1 or lanes < 1 or memory < 8 * lanes:
        raise UnreadableHashError("MALFORMED", "has parameters that argon2 does not have (RFC 9106, 3.1)")
    # Django puts "argon2" in front. Without a version it is 1.0.
    return Argon2(
        type=cast("Argon2Type", part["type"]),
        version=int(part["v"] or 16),
        memory_kib=memory,
        passes=passes,
        lanes=lanes,
        salt=salt,
        digest=digest,
    )


def _bcrypt(part: Mapping[str, str]) -> Bcrypt:
    return Bcrypt(prehash="", text=part["text"])


def _bcrypt_of_django(part: Mapping[str, str]) -> Bcrypt:
    return Bcrypt(prehash="django", text=part["text"])


def _bcrypt_of_passlib(prehash: Prehash) -> Callable[[Mapping[str, str]], Bcrypt]:
    def make(part: Mapping[str, str]) -> Bcrypt:
        cost = int(part["r"])
        text = f"${part['t']}${cost:02}${part['salt']}{part['digest']}"
        if not re.fullmatch(_BCRYPT, text):
            raise UnreadableHashError("MALFORMED", "has parameters that bcrypt does not have")
        return Bcrypt(prehash=prehash, text=text)

    return make


def _scrypt(n: int, part: Mapping[str, str], *, salt: bytes, digest: bytes) -> Scrypt:
    r, p = int(part["r"]), int(part["p"])
    if n < 2 or n & (n - 1) or r < 1 or p < 1 or r * p >= 1 << 30:  # noqa: PLR2004 (RFC 7914, 2)
        raise UnreadableHashError("MALFORMED", "has parameters that scrypt does not have (RFC 7914, 2)")
    return Scrypt(log_n=n.bit_length() - 1, r=r, p=p, salt=salt, digest=digest).shortened()


def _scrypt_of_phc(part: Mapping[str, str]) -> Scrypt:
    # Ory writes N itself where the logarithm belongs; no machine has 2^64.
    cost = int(part["ln"])
    n = cost if cost > _LARGEST_LOG_N else 1 << cost
    return _scrypt(n, part, salt=_bytes(part["salt"]), digest=_digest(part["digest"]))


def _scrypt_of_text(part: Mapping[str, str]) -> Scrypt:
    return _scrypt(int(part["n"]), part, salt=part["salt"].encode(), digest=_digest(part["digest"]))


def _scrypt_of_werkzeug(part: Mapping[str, str]) -> Scrypt:
    return _scrypt(int(part["n"]), part, salt=part["salt"].encode(), digest=_checked(bytes.fromhex(part["hex"])))


def _pbkdf2(name: str, iterations: int, *, salt: bytes, digest: bytes) -> Pbkdf2:
    if iterations < 1:
        raise UnreadableHashError("MALFORMED", "has no iterations")
    return Pbkdf2(hash=cast("Digest", name), iterations=iterations, salt=salt, digest=digest).shortened()


def _pbkdf2_of_phc(part: Mapping[str, str]) -> Pbkdf2:
    name = part["hash"] or "sha1"
    return _pbkdf2(name, int(part["i"]), salt=_bytes(part["salt"]), digest=_digest(part["digest"]))


def _pbkdf2_of_text(part: Mapping[str, str]) -> Pbkdf2:
    return _pbkdf2(part["hash"], int(part["i"]), salt=part["salt"].encode(), digest=_digest(part["digest"]))


def _pbkdf2_of_werkzeug(part: Mapping[str, str]) -> Pbkdf2:
    digest = _checked(bytes.fromhex(part["hex"]))
    return _pbkdf2(part["hash"], int(part["i"]), salt=part["salt"].encode(), digest=digest)


def _of_keycloak(text: str) -> PasswordHash:
    """A credential as Keycloak exports it: JSON, two members of which may be JSON in a text."""
    try:
        credential = json.loads(text)
        secret, data = _object(credential["secretData"]), _object(credential["credentialData"])
        algorithm, iterations = data["algorithm"], data["hashIterations"]
        kind = f"${algorithm}"
        if algorithm == "argon2":
            more = {name: values[0] for name, values in data["additionalParameters"].items() if values}
            version = _VERSIONS_OF_KEYCLOAK[more["version"]]
            kind = f"$argon2{more['type']}$v={version}$m={more['memory']},t={iterations},p={more['parallelism']}"
        elif algorithm.startswith("pbkdf2"):
            kind = f"${algorithm}${iterations}"
        return read(f"{kind}${secret['salt']}${secret['value']}")
    except UnreadableHashError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnreadableHashError("MALFORMED", "begins like a credential of Keycloak, and goes on otherwise") from None


def _object(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _bytes(text: str) -> bytes:
    """Base64 with or without padding; passlib has "." for "+"."""
    bare = text.replace(".", "+").rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableHashError("MALFORMED", "holds what is no base64") from None


def _digest(text: str) -> bytes:
    return _checked(_bytes(text))


def _checked(digest: bytes) -> bytes:
    if len(digest) < SHORTEST_DIGEST:
        raise UnreadableHashError("TOO_SHORT", f"must have a digest of at least {SHORTEST_DIGEST} bytes")
    if len(digest) > _LONGEST_PART:
        raise UnreadableHashError("MALFORMED", f"must have a digest of at most {_LONGEST_PART} bytes")
    return digest


_NOTATIONS: Final[list[tuple[re.Pattern[str], Callable[[Mapping[str, str]], PasswordHash]]]] = [
    (re.compile(form), make)
    for form, make in (
        (
            (
                rf"(?:argon2)?\$(?P<type>argon2(?:id|i|d))(?:\$v=(?P<v>16|19))?"
                rf"\$m=(?P<m>{_NUMBER}),t=(?P<t>{_NUMBER}),p=(?P<p>{_NUMBER})"
                rf"\$(?P<salt>{_BASE64})\$(?P<digest>{_BASE64})"
            ),
            _argon2,
        ),
        (rf"(?:bcrypt\$)?(?P<text>{_BCRYPT})", _bcrypt),
        (rf"bcrypt_sha256\$(?P<text>{_BCRYPT})", _bcrypt_of_django),
        (
            rf"\$bcrypt-sha256\$(?P<t>2[ab]),(?P<r>{_NUMBER})\$(?P<salt>{_ANY})\$(?P<digest>{_ANY})",
            _bcrypt_of_passlib("passlib-1"),
        ),
        (
            rf"\$bcrypt-sha256\$v=2,t=(?P<t>2b),r=(?P<r>{_NUMBER})\$(?P<salt>{_ANY})\$(?P<digest>{_ANY})",
            _bcrypt_of_passlib("passlib-2"),
        ),
        (
            (
                rf"\$scrypt\$ln=(?P<ln>{_NUMBER}),r=(?P<r>{_NUMBER}),p=(?P<p>{_NUMBER})"
                rf"\$(?P<salt>{_BASE64}|)\$(?P<digest>{_BASE64})"
            ),
            _scrypt_of_phc,
        ),
        (
            rf"scrypt\$(?P<n>{_NUMBER})\$(?P<salt>{_ANY})\$(?P<r>{_NUMBER})\$(?P<p>{_NUMBER})\$(?P<digest>{_BASE64})",
            _scrypt_of_text,
        ),
        (
            rf"scrypt:(?P<n>{_NUMBER}):(?P<r>{_NUMBER}):(?P<p>{_NUMBER})\$(?P<salt>{_ANY})\$(?P<hex>(?:[0-9a-f]{{2}})+)",
            _scrypt_of_werkzeug,
        ),
        (
            (
                rf"\$pbkdf2(?:-(?P<hash>{_DIGEST}))?\$(?:i=)?(?P<i>{_NUMBER})(?:,l={_NUMBER})?"
                rf"\$(?P<salt>{_BASE64}|)\$(?P<digest>{_BASE64})"
            ),
            _pbkdf2_of_phc,
        ),
        (
            rf"pbkdf2_(?P<hash>{_DIGEST})\$(?P<i>{_NUMBER})\$(?P<salt>{_ANY})\$(?P<digest>{_BASE64})",
            _pbkdf2_of_text,
        ),
        (
            rf"pbkdf2:(?P<hash>{_DIGEST}):(?P<i>{_NUMBER})\$(?P<salt>{_ANY})\$(?P<hex>(?:[0-9a-f]{{2}})+)",
            _pbkdf2_of_werkzeug,
        ),
    )
]
_BEGINNINGS: Final = {
    "$argon2": "argon2",
    "argon2": "argon2",
    "$2": "bcrypt",
    "bcrypt": "bcrypt",
    "$bcrypt": "bcrypt",
    "$scrypt": "scrypt",
    "scrypt": "scrypt",
    "$pbkdf2": "PBKDF2",
    "pbkdf2": "PBKDF2",
}
