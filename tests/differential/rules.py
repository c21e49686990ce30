"""What Argus wants of a token beyond what JWT libraries do: each rule by its name in the checklist.

Written apart from the verifier, a rule looks at the text of a token alone. It explains a refusal if the class of the
fault is one of its own and the token breaks it; an accepted token must break none.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

LEEWAY: Final = 5
_LIVES: Final = {"at+jwt": 3600, "rt+jwt": 90 * 86_400 + LEEWAY}
_USES: Final = {"at+jwt": "access", "rt+jwt": "refresh"}
_KID: Final = re.compile(r"[A-Za-z0-9._~@:-]{1,64}")
_SID: Final = re.compile(r"[A-Za-z0-9_-]{24}")
_NUMBER: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')
_AMR: Final = frozenset(
    ("pwd", "otp", "mfa", "hwk", "swk", "user", "pin", "face", "fpt", "geo", "rba", "sms", "kba", "mca", "sc", "tel")
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def lenient(part: str) -> Any:
    """A part as a library would read it; None if not at all."""
    try:
        return json.loads(_bytes(part), parse_int=_whole)
    except (ValueError, RecursionError):
        return None


def _whole(text: str) -> int | float:
    """No whole number is written as minus zero."""
    return -0.0 if text == "-0" else int(text)


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part.encode() + b"=" * (-len(part) % 4))


@dataclass(frozen=True)
class Token:
    """A token as a rule sees it."""

    text: str
    kind: str
    world: dict[str, Any] = field(repr=False)

    @cached_property
    def parts(self) -> list[str]:
        """Its parts."""
        return self.text.split(".")

    @cached_property
    def texts(self) -> list[bytes]:
        """Bytes of header and payload."""
        return [_bytes(part) for part in self.parts[:2]]

    @cached_property
    def header(self) -> dict[str, Any]:
        """Its header, read as libraries do."""
        header = lenient(self.parts[0])
        return header if isinstance(header, dict) else {}

    @cached_property
    def claims(self) -> dict[str, Any]:
        """Its claims, read as libraries do."""
        claims = lenient(self.parts[1])
        return claims if isinstance(claims, dict) else {}

    @cached_property
    def ring(self) -> list[dict[str, Any]]:
        """Keys that tokens of its kind are good under."""
        keys: list[dict[str, Any]] = self.world["access" if self.kind == "at+jwt" else "refresh"]
        return keys


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: As the checklist has it, and what it is about.
        faults: Classes that a token may be refused with that breaks it.
        broken: Whether a token breaks it.
    """

    name: str
    faults: tuple[str, ...]
    broken: Callable[[Token], bool]


def _is_canonical(part: str) -> bool:
    try:
        return base64.urlsafe_b64encode(_bytes(part)).rstrip(b"=").decode() == part
    except ValueError:
        return False


def _is_text(content: bytes) -> bool:
    try:
        return not content.decode().startswith("\ufeff")
    except UnicodeDecodeError:
        return False


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _values(value: Any) -> int:
    """Members and elements at all levels; an empty object or list counts once more."""
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return (len(value) or 1) + sum(map(_values, inner))


def _numbers(content: bytes) -> Iterator[str]:
    found = _NUMBER.findall(content.decode("utf-8", "replace"))
    return (text for text in found if not text.startswith('"'))


def _is_number_refused(text: str) -> bool:
    is_whole = re.fullmatch(r"-?[0-9]+", text) is not None
    too_long = sum(character.isdigit() for character in text) > 20
    out_of_range = is_whole and not -(2**63) <= int(text) < 2**64
    return too_long or out_of_range or abs(float(text)) == float("inf")


def _names_twice(content: bytes) -> bool:
    found = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found |= len({name for name, _ in pairs}) < len(pairs)

    json.loads(content, object_pairs_hook=look)
    return found


def _has(content: bytes, holds: Callable[[Any], bool]) -> bool:
    """Whether a value anywhere in a text, names of members included, is such a one."""
    waiting = [json.loads(content)]
    while waiting:
        value = waiting.pop()
        if holds(value):
            return True
        if isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
    return False


def _is_lone_surrogate(value: Any) -> bool:
    return isinstance(value, str) and _SURROGATE.search(value) is not None


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and (value != value or abs(value) == float("inf"))  # noqa: PLR0124


def _is_time(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**32


def _is_identifier(value: Any) -> bool:
    is_short = isinstance(value, str) and 1 <= len(value.encode("utf-8", "replace")) <= 255
    return is_short and not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in value)


def _is_ordinal(value: Any) -> bool:
    return _is_time(value) and value > 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_acr(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"urn:argus:acr:[123]", value) is not None


def _is_amr(value: Any) -> bool:
    return _are_texts(value) and all(one in _AMR for one in value)


def _is_cnf(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) == 1
        and any(isinstance(value.get(name), str) for name in ("jkt", "x5t#S256"))
    )


def _typ(token: Token) -> str:
    typ = token.header.get("typ")
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else ""


def _in_ring(token: Token) -> dict[str, Any] | None:
    return next((key for key in token.ring if key["kid"] == token.header.get("kid")), None)


def _claim(name: str, good: Callable[[Any], bool], *, needed: bool = True) -> Callable[[Token], bool]:
    def broken(token: Token) -> bool:
        return not good(token.claims[name]) if name in token.claims else needed

    return broken


def _only(kind: str, broken: Callable[[Token], bool]) -> Callable[[Token], bool]:
    return lambda token: token.kind == kind and broken(token)


def _ahead(name: str) -> Callable[[Token], bool]:
    return lambda token: _is_time(token.claims.get(name)) and token.claims[name] > token.world["now"] + LEEWAY


def _is_too_long_lived(token: Token) -> bool:
    expires, issued = (token.claims.get(name) for name in ("exp", "iat"))
    if not (isinstance(expires, int) and isinstance(issued, int)):
        return False
    return expires - issued > _LIVES[token.kind]


def _is_expired(token: Token) -> bool:
    return _is_time(token.claims.get("exp")) and token.claims["exp"] <= token.world["now"]


def _is_of_a_session(token: Token) -> bool:
    return token.kind == "rt+jwt" or "sid" in token.claims


def _of_session(name: str, good: Callable[[Any], bool]) -> Callable[[Token], bool]:
    broken = _claim(name, good)
    return lambda token: _is_of_a_session(token) and broken(token)


def _is_sid(value: Any) -> bool:
    return isinstance(value, str) and _SID.fullmatch(value) is not None


def _is_audience(token: Token) -> bool:
    aud, right = token.claims.get("aud"), token.world["audience" if token.kind == "at+jwt" else "issuer"]
    audiences = [aud] if isinstance(aud, str) else aud
    if not isinstance(audiences, list) or not _are_texts(audiences):
        return False
    return audiences == [right] if token.kind == "rt+jwt" else right in audiences


def _is_client_token(token: Token) -> bool:
    return token.claims.get("sub") == token.claims.get("client_id") and "fam" not in token.claims


def _has_header(*names: str) -> Callable[[Token], bool]:
    return lambda token: any(name in token.header for name in names)


def _any_text(holds: Callable[[bytes], bool]) -> Callable[[Token], bool]:
    return lambda token: any(map(holds, token.texts))


# In the order in which the verifier looks, so that the first rule that explains a refusal is the one it is for.
RULES: Final = (
    Rule("J03 exactly three parts", ("structure",), lambda token: len(token.parts) != 3),
    Rule("J04 at most 8 KiB", ("size", "key"), lambda token: len(token.text.encode()) > 8192),
    Rule("J03 canonical base64url", ("base64",), lambda token: not all(map(_is_canonical, token.parts))),
    Rule("J05 UTF-8 without byte order mark", ("json",), _any_text(lambda content: not _is_text(content))),
    Rule("J05 no member named twice", ("json",), _any_text(_names_twice)),
    Rule("J05 no NaN, no Infinity", ("json",), _any_text(lambda content: _has(content, _is_nan))),
    Rule("J05 Unicode text", ("json",), _any_text(lambda content: _has(content, _is_lone_surrogate))),
    Rule("J04 depth at most 16", ("json",), lambda token: max(_depth(token.header), _depth(token.claims)) > 16),
    Rule("J04 at most 256 values", ("json",), lambda token: max(_values(token.header), _values(token.claims)) > 256),
    Rule("J04 short numbers", ("json",), _any_text(lambda content: any(map(_is_number_refused, _numbers(content))))),
    Rule("J07 no key in the header", ("key",), _has_header("jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256")),
    Rule("J08 no extension", ("crit",), _has_header("crit", "b64")),
    Rule("J09 no nested or packed content", ("claims",), _has_header("cty", "zip", "enc")),
    Rule("J06 no header of another protocol", ("typ",), _has_header("nonce", "url")),
    Rule("J01 a known alg", ("alg",), lambda token: token.header.get("alg") not in ("RS256", "EdDSA")),
    Rule("J06 the right typ", ("typ",), lambda token: _typ(token) != token.kind),
    Rule("J07 a well-formed kid", ("key",), lambda token: not _KID.fullmatch(str(token.header.get("kid") or ""))),
    Rule("J11 our issuer", ("iss",), lambda token: token.claims.get("iss") != token.world["issuer"]),
    Rule("J07 the key that kid names", ("key", "alg", "signature"), lambda token: _in_ring(token) is None),
    Rule("J10 exp", ("exp",), _claim("exp", _is_time)),
    Rule("J10 nbf", ("nbf",), _claim("nbf", _is_time, needed=False)),
    Rule("J10 iat", ("iat", "claims"), _claim("iat", _is_time)),
    Rule("J11 aud", ("aud",), lambda token: not _is_audience(token)),
    Rule("J11 sub", ("claims",), _claim("sub", _is_identifier)),
    Rule("J11 jti", ("claims",), _claim("jti", _is_identifier)),
    Rule("J11 client_id", ("claims",), _claim("client_id", _is_identifier)),
    Rule("J11 scope", ("claims",), _claim("scope", lambda value: isinstance(value, str), needed=False)),
    Rule("J11 acr", ("claims",), _claim("acr", _is_acr, needed=False)),
    Rule("J11 amr", ("claims",), _claim("amr", _is_amr, needed=False)),
    Rule("J11 auth_time", ("claims",), _claim("auth_time", _is_time, needed=False)),
    Rule("J11 cnf", ("claims",), _claim("cnf", _is_cnf, needed=False)),
    Rule(
        "J06 token_use", ("typ",), lambda token: token.claims.get("token_use", _USES[token.kind]) != _USES[token.kind]
    ),
    Rule("J11 tid", ("tenant",), lambda token: token.claims.get("tid", token.world["tenant"]) != token.world["tenant"]),
    Rule("J10 before exp", ("exp",), _is_expired),
    Rule("J10 not before nbf", ("nbf",), _ahead("nbf")),
    Rule("J10 not before iat", ("iat",), _ahead("iat")),
    Rule("J10 lifetime", ("lifetime",), _is_too_long_lived),
    Rule("J11 auth_time past", ("claims",), _ahead("auth_time")),
    Rule("J11 sid", ("claims",), _of_session("sid", _is_sid)),
    Rule("J11 fam", ("claims",), _of_session("fam", _is_ordinal)),
    Rule("J11 a session's acr", ("claims",), _of_session("acr", _is_acr)),
    Rule("J11 a session's amr", ("claims",), _of_session("amr", _is_amr)),
    Rule("J11 a session's auth_time", ("claims",), _of_session("auth_time", _is_time)),
    Rule("J11 a session or a client", ("claims",), lambda one: not (_is_of_a_session(one) or _is_client_token(one))),
    Rule("J11 groups", ("claims",), _claim("groups", _are_texts, needed=False)),
    Rule("J11 resource", ("claims",), _only("rt+jwt", _claim("resource", _are_texts, needed=False))),
    Rule("J11 gen", ("claims",), _only("rt+jwt", _claim("gen", _is_ordinal))),
    Rule("J11 jk", ("claims",), _only("rt+jwt", _claim("jk", lambda value: _is_time(value) and value < 256))),
)


def explains(token: Token, fault: str) -> str:
    """Name of the rule that a token was refused by; "" where there is none."""
    return next((rule.name for rule in RULES if fault in rule.faults and rule.broken(token)), "")


def broken_by(token: Token) -> list[str]:
    """Names of the rules that a token breaks."""
    return [rule.name for rule in RULES if rule.broken(token)]
