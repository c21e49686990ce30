"""Attack cases, carried over to a tenant, a session and a moment of one's own.

The cases of `jwt-attacks` are of an issuer, a session and a time of their own, which no server has. Carried over, a
token is the same attack on tokens of a session that there is: names and times in it are replaced in its text, byte
for byte, and whatever its signature was (right, an HMAC with the public key, the attacker's, a part of another) it is
again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.support.vectors import decode, encode, private_key, vectors

_TIME: Final = re.compile(rb"(?<![\d.])1[78]\d{8}(?!\d)")
_RS256: Final = ("RS256", padding.PKCS1v15(), SHA256())
_PS256: Final = ("PS256", padding.PSS(padding.MGF1(SHA256()), 32), SHA256())
_RS512: Final = ("RS512", padding.PKCS1v15(), SHA512())
_SCHEMES: Final[tuple[tuple[str, padding.AsymmetricPadding, HashAlgorithm], ...]] = (_RS256, _PS256, _RS512)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whose tokens the attacks are on; what a good token of it says."""

    now: int
    issuer: str = "https://argus.example"
    kid: str = "argus-2026-01"
    subject: str = "u-1"
    audience: str = "https://api.example"
    client_id: str = "web"
    session_id: str = "s-1"
    tenant_id: str = "t-1"
    more: dict[str, Any] = field(default_factory=dict)


class Attacks:
    """The cases, and the key that signs the good ones."""

    def __init__(self) -> None:
        self.file = vectors("jwt-attacks/cases.json")
        self.key = _rsa(vectors("jwt-attacks/signing_key.json"))
        self._attacker = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def own(self) -> Target:
        """The target that the file has in mind: carried over to it a case stays what it is."""
        return Target(now=self.file["clock"])

    @property
    def cases(self) -> list[dict[str, Any]]:
        """All cases."""
        return list(self.file["cases"])

    def carry(self, case: dict[str, Any], target: Target) -> str:
        """The token of a case, as an attack on another target."""
        if case.get("generated"):
            assert case["id"] == "token-oversize-1MiB"
            header, payload, _ = self._basic.split(".")
            claims = json.loads(decode(payload)) | {"x": "A" * 1_000_000}
            signed = f"{header}.{encode(json.dumps(claims, separators=(',', ':')).encode())}"
            return self._carry(f"{signed}.{encode(self._sign(signed.encode(), _RS256))}", target)
        return self._carry(case["token"], target)

    def sign(self, target: Target, more: str) -> str:
        """The good token with one claim more, of any text."""
        header, payload, _ = self._carry(self._basic, target).split(".")
        claims = decode(payload).decode().removesuffix("}")
        text = claims + ',"more":' + more + "}"
        signed = f"{header}.{encode(text.encode())}"
        return f"{signed}.{encode(self._sign(signed.encode(), _RS256))}"

    @cached_property
    def _basic(self) -> str:
        return str(self.cases[0]["token"])

    def _carry(self, token: str, target: Target) -> str:
        if token.startswith("{"):
            members = json.loads(token)
            compact = self._carry(f"{members['protected']}.{members['payload']}.{members['signature']}", target)
            protected, payload, signature = compact.split(".")
            return json.dumps({"payload": payload, "protected": protected, "signature": signature})
        parts = token.split(".")
        if len(parts) not in (2, 3, 4) or not parts[0]:
            return token
        header, payload = (_reform(part, self._retarget(decode(part), target)) for part in parts[:2])
        more = [self._signature(parts, one, f"{header}.{payload}".encode(), target) for one in parts[2:3]]
        return ".".join([header, payload, *more, *parts[3:]])

    def _retarget(self, content: bytes, target: Target) -> bytes:
        if content == self._basic.encode():
            return self._carry(self._basic, target).encode()
        own = self.own
        session = json.dumps(target.session_id)
        for name, value in target.more.items():
            session += f',"{name}":{json.dumps(value)}'
        for before, after in (
            (f'"{own.kid}', f'"{target.kid}'),
            (f'"{own.issuer}', f'"{target.issuer}'),
            (f'"{own.audience}', f'"{target.audience}'),
            (f'"{own.subject}"', f'"{target.subject}"'),
            (f'"{own.client_id}"', f'"{target.client_id}"'),
            (f'"{own.session_id}"', session),
            (f'"{own.tenant_id}"', f'"{target.tenant_id}"'),
        ):
            content = content.replace(before.encode(), after.encode())
        moved = target.now - own.now
        return _TIME.sub(lambda found: str(int(found[0]) + moved).encode(), content)

    def _signature(self, parts: list[str], text: str, message: bytes, target: Target) -> str:
        """The signature over the new text, that is to the new token what the old one was to the old."""
        before = decode(text)
        basic, new_basic = (decode(one.split(".")[2]) for one in (self._basic, self._new_basic(parts, target)))
        if basic in (before, before[1:]):
            return _reform(text, before[: len(before) - len(basic)] + self._resigned(parts, message, new_basic))
        if not before or basic.startswith(before):
            return _reform(text, new_basic[: len(before)])
        signed = f"{parts[0]}.{parts[1]}".encode()
        for secret, digest in self._hmacs():
            if hmac.compare_digest(hmac.digest(secret, signed, digest), before):
                return encode(hmac.digest(secret, message, digest))
        for scheme in _SCHEMES:
            if self._is_signed(before, signed, scheme):
                return _reform(text, self._sign(message, scheme))
        return encode(self._attacker.sign(message, _RS256[1], _RS256[2]))

    def _resigned(self, parts: list[str], message: bytes, new_basic: bytes) -> bytes:
        """The basic token's signature where the case has it under something else; else that of the new text."""
        is_basic = self._basic.startswith(f"{parts[0]}.{parts[1]}.")
        return self._sign(message, _RS256) if is_basic else new_basic

    def _new_basic(self, parts: list[str], target: Target) -> str:
        if ".".join(parts[:3]) == self._basic:
            header, payload = (encode(self._retarget(decode(part), target)) for part in parts[:2])
            return f"{header}.{payload}.{encode(self._sign(f'{header}.{payload}'.encode(), _RS256))}"
        return self._carry(self._basic, target)

    def _hmacs(self) -> Iterator[tuple[bytes, str]]:
        public = self.key.public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for digest in (hashlib.sha256, hashlib.sha512):
            for secret in (pem, pem.strip(), der, b""):
                yield secret, digest().name

    def _sign(self, message: bytes, scheme: tuple[str, padding.AsymmetricPadding, HashAlgorithm]) -> bytes:
        return self.key.sign(message, scheme[1], scheme[2])

    def _is_signed(
        self, signature: bytes, message: bytes, scheme: tuple[str, padding.AsymmetricPadding, HashAlgorithm]
    ) -> bool:
        try:
            self.key.public_key().verify(signature, message, scheme[1], scheme[2])
        except InvalidSignature:
            return False
        return True


def _rsa(jwk: dict[str, Any]) -> rsa.RSAPrivateKey:
    key = private_key(jwk)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def _reform(part: str, content: bytes) -> str:
    """The encoding of other bytes with what is wrong with the form of a part."""
    if part == encode(decode(part)):
        return encode(content)
    text = encode(content)
    if re.search(r"[+/]", part):
        return text.translate(str.maketrans("-_", "+/"))
    if " " in part:
        at = part.index(" ")
        return f"{text[:at]} {text[at:]}"
    if part.endswith(("=", "\0")):
        return text + part[len(part.rstrip("=\0")) :]
    # Trailing bits that are not zero: the next character of the alphabet decodes to the same bytes.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) + alphabet.index(part[-1]) - alphabet.index(_canonical(part))]


def _canonical(part: str) -> str:
    return encode(decode(part))[-1]
