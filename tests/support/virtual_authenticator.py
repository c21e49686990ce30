"""An authenticator and the browser before it, written from WebAuthn Level 3 alone: neither knows the library."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40
_FIDO_AAGUID: Final = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")


def text(content: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def content_of(encoded: str) -> bytes:
    """What base64url without padding says."""
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A credential in an authenticator."""

    rp_id: str
    webauthn_id: bytes
    user_handle: bytes
    key: ec.EllipticCurvePrivateKey = field(repr=False)


@dataclass(slots=True, kw_only=True)
class Authenticator:
    """Keeps credentials (ES256) and answers for them.

    Attributes:
        origin: Where the browser is.
        verifies_user: It has a PIN, finger or face, which was right.
        is_present: The user touched it.
        is_syncable: Its credentials may be backed up.
        is_synced: They are.
        counter: Of signatures; None: it does not count.
        maker: Signs attestations; None: nobody does.
        attachment: What the browser says of where it is; None: nothing.
        transports: What the browser says that it is reached by.
        client_data: What the browser says on top, or in the place, of what it should.
        next_id: Id (base64url) of the next credential; empty: a random one.
    """

    origin: str
    verifies_user: bool = True
    is_present: bool = True
    is_syncable: bool = False
    is_synced: bool = False
    counter: int | None = 0
    aaguid: bytes = bytes(16)
    maker: Maker | None = None
    attachment: str | None = "platform"
    transports: Sequence[str] = ("internal",)
    credentials: list[Resident] = field(default_factory=list)
    client_data: dict[str, Any] = field(default_factory=dict)
    next_id: str = ""

    def copy(self) -> Authenticator:
        """A clone: the same keys, the same counter."""
        return replace(self, credentials=list(self.credentials))

    def create(self, options_json: str) -> str:
        """Makes a credential; returns RegistrationResponseJSON."""
        options = json.loads(options_json)
        assert any(one["alg"] == -7 for one in options["pubKeyCredParams"])
        made = Resident(
            rp_id=options["rp"]["id"],
            webauthn_id=content_of(self.next_id) or secrets.token_bytes(32),
            user_handle=content_of(options["user"]["id"]),
            key=ec.generate_private_key(ec.SECP256R1()),
        )
        mine = {one.webauthn_id for one in self.credentials}
        assert not any(content_of(one["id"]) in mine for one in options["excludeCredentials"])
        self.credentials.append(made)
        data = self._data(made.rp_id, AT) + self._attested(made)
        client_data = self._client_data("webauthn.create", options["challenge"])
        statement: dict[str, Any] = {}
        if self.maker is not None:
            statement = self.maker.statement(data + hashlib.sha256(client_data).digest(), self.aaguid)
        response = {
            "clientDataJSON": text(client_data),
            "attestationObject": text(
                cbor2.dumps({"fmt": "packed" if statement else "none", "attStmt": statement, "authData": data})
            ),
            "transports": list(self.transports),
        }
        is_resident = options["authenticatorSelection"]["residentKey"] != "discouraged"
        return self._credential(made.webauthn_id, response, {"credProps": {"rk": is_resident}})

    def get(self, options_json: str) -> str:
        """Signs in; returns AuthenticationResponseJSON."""
        options = json.loads(options_json)
        allowed = [content_of(one["id"]) for one in options["allowCredentials"]]
        mine = [one for one in self.credentials if one.rp_id == options["rpId"]]
        chosen = next(one for one in mine if not allowed or one.webauthn_id in allowed)
        if self.counter is not None:
            self.counter += 1
        data = self._data(chosen.rp_id, 0)
        client_data = self._client_data("webauthn.get", options["challenge"])
        signed = data + hashlib.sha256(client_data).digest()
        response = {
            "clientDataJSON": text(client_data),
            "authenticatorData": text(data),
            "signature": text(chosen.key.sign(signed, ec.ECDSA(SHA256()))),
            "userHandle": text(chosen.user_handle),
        }
        return self._credential(chosen.webauthn_id, response, {})

    def _data(self, rp_id: str, flags: int) -> bytes:
        for is_set, flag in (
            (self.is_present, UP),
            (self.verifies_user, UV),
            (self.is_syncable, BE),
            (self.is_synced, BS),
        ):
            flags |= flag if is_set else 0
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, self.counter or 0)

    def _attested(self, made: Resident) -> bytes:
        numbers = made.key.public_key().public_numbers()
        key = cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")})
        return self.aaguid + struct.pack(">H", len(made.webauthn_id)) + made.webauthn_id + key

    def _client_data(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | self.client_data, separators=(",", ":")).encode()

    def _credential(self, webauthn_id: bytes, response: dict[str, Any], extensions: dict[str, Any]) -> str:
        credential = {
            "id": text(webauthn_id),
            "rawId": text(webauthn_id),
            "type": "public-key",
            "clientExtensionResults": extensions,
            "response": response,
        }
        if self.attachment is not None:
            credential["authenticatorAttachment"] = self.attachment
        return json.dumps(credential)


class Maker:
    """A maker of authenticators, with a root of its own.

    Attributes:
        between: What stands between root and attestation: nothing, a certificate that may issue others, or one that
            may not (of an authenticator, say, whose key is known to somebody).
    """

    def __init__(self, *, between: Literal["", "authority", "leaf"] = "") -> None:
        self.between = between
        self._root_key = ec.generate_private_key(ec.SECP256R1())
        self._root = _certificate("Maker", self._root_key, issuer=None, issuer_key=self._root_key, aaguid=None)

    @property
    def root(self) -> bytes:
        """DER of the root."""
        return self._root.public_bytes(Encoding.DER)

    def statement(self, message: bytes, aaguid: bytes) -> dict[str, Any]:
        """A packed attestation."""
        key, chain = self._leaf(aaguid)
        return {"alg": -7, "sig": key.sign(message, ec.ECDSA(SHA256())), "x5c": chain}

    def signed(self, message: Callable[[Sequence[bytes]], bytes]) -> tuple[bytes, bytes]:
        """What is made of a chain of certificates, and its signature by the first of them."""
        key, chain = self._leaf(None)
        content = message(chain)
        return content, key.sign(content, ec.ECDSA(SHA256()))

    def _leaf(self, aaguid: bytes | None) -> tuple[ec.EllipticCurvePrivateKey, list[bytes]]:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, issuer_key, chain = self._root, self._root_key, []
        if self.between:
            middle_key = ec.generate_private_key(ec.SECP256R1())
            issuer = _certificate(
                "Middle",
                middle_key,
                issuer=self._root,
                issuer_key=self._root_key,
                aaguid=None,
                may_issue=self.between == "authority",
            )
            issuer_key, chain = middle_key, [issuer.public_bytes(Encoding.DER)]
        leaf = _certificate("Attestation", key, issuer=issuer, issuer_key=issuer_key, aaguid=aaguid)
        return key, [leaf.public_bytes(Encoding.DER), *chain]


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    aaguid: bytes | None,
    may_issue: bool = False,
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "AQ"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=issuer is None or may_issue, path_length=None), critical=True)
    )
    if aaguid is not None:
        octets = x509.UnrecognizedExtension(_FIDO_AAGUID, b"\x04\x10" + aaguid)
        builder = builder.add_extension(octets, critical=False)
    return builder.sign(issuer_key, SHA256())
