"""What a ceremony goes by, what it finds, and why it refuses."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from argus.base.errors import ArgusError, Code
from argus.v1 import errors_pb2

UserVerification = Literal["required", "preferred", "discouraged"]
"""Whether the authenticator is to verify its user (PIN, finger, face)."""

Attestation = Literal["none", "direct"]
"""Whether new authenticators have to prove their make."""

Rule = Literal[
    "MALFORMED",
    "TYPE",
    "CHALLENGE",
    "ORIGIN",
    "CROSS_ORIGIN",
    "RP_ID",
    "USER_PRESENCE",
    "USER_VERIFICATION",
    "BACKUP_FLAGS",
    "BACKUP_ELIGIBILITY_CHANGED",
    "CREDENTIAL_ID",
    "CREDENTIAL_NOT_ALLOWED",
    "CREDENTIAL_KNOWN",
    "USER_HANDLE",
    "ALGORITHM",
    "PUBLIC_KEY",
    "ATTESTATION",
    "AAGUID",
    "SIGNATURE",
    "COUNTER",
]
"""What an answer broke."""

ALGORITHMS: Final = (-7, -8, -257, -35, -36, -48, -49, -50)
"""COSE algorithms that are offered, the best understood first: ES256, EdDSA, RS256, ES384, ES512, ML-DSA."""

MAX_RESPONSE: Final = 65_536
"""Longest answer of a browser: one with an attestation of ML-DSA-87 takes a third of it."""

MAX_CREDENTIAL_ID: Final = 1023
"""Longest credential id in bytes (WebAuthn Level 3, 7.1)."""

_MESSAGES: Final[dict[Rule, str]] = {
    "MALFORMED": "is not the JSON of a browser's answer; send what PublicKeyCredential.toJSON() gives, unchanged",
    "TYPE": "belongs to another kind of ceremony",
    "CHALLENGE": "answers another challenge; begin anew",
    "ORIGIN": "comes from an origin that is not among the tenant's",
    "CROSS_ORIGIN": "comes out of a frame of another site, which the tenant's rules do not allow",
    "RP_ID": "is for another relying party id",
    "USER_PRESENCE": "was made without the user's presence",
    "USER_VERIFICATION": "was made without verifying the user, which is required here",
    "BACKUP_FLAGS": "says that a credential which can't be backed up is backed up",
    "BACKUP_ELIGIBILITY_CHANGED": "says otherwise than the registration whether the credential can be backed up",
    "CREDENTIAL_ID": f"needs one credential id, of 1 to {MAX_CREDENTIAL_ID} bytes",
    "CREDENTIAL_NOT_ALLOWED": "is by a credential that was not asked for",
    "CREDENTIAL_KNOWN": "is by a credential that is registered already",
    "USER_HANDLE": "is for another user",
    "ALGORITHM": "has a key of an algorithm that was not offered",
    "PUBLIC_KEY": "has a key that is not a good one",
    "ATTESTATION": "lacks an attestation that leads to a root which the tenant trusts",
    "AAGUID": "is by a make of authenticator that the tenant does not allow",
    "SIGNATURE": "has a signature that is not the credential's",
    "COUNTER": "has a counter that did not grow: there may be a copy of the authenticator",
}


class PasskeyRefusedError(ArgusError):
    """An answer breaks a rule of its ceremony, and this says which.

    Enrolment sends it as it is; sign-in says no more than FACTOR_REFUSED and keeps the rule for the audit.
    """

    def __init__(self, rule: Rule, *, field: str = "response_json") -> None:
        super().__init__(
            Code.INVALID_ARGUMENT,
            errors_pb2.ERROR_REASON_PASSKEY_REFUSED,
            f"{field}: {_MESSAGES[rule]}",
            field=field,
            rule=rule,
        )
        self.rule: Rule = rule


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """Whom browsers make credentials for, and from where.

    Attributes:
        rp_id: Domain that credentials are bound to.
        origins: Where answers may come from, compared byte by byte.
        allows_cross_origin: Answers may come out of a frame of another site.
        top_origins: Those sites; where a browser names its site, it must be one of them.
        attestation: Whether new authenticators have to prove their make.
        roots: DER of the certificates that attestations must lead to.
        aaguids: Makes that are allowed, as lower-case UUIDs; none: all.
    """

    rp_id: str
    origins: Sequence[str]
    allows_cross_origin: bool = False
    top_origins: Sequence[str] = ()
    attestation: Attestation = "none"
    roots: Sequence[bytes] = ()
    aaguids: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the options asked for.

    Attributes:
        challenge: Text of the challenge (base64url), as it was sent.
        user_verification: How much of it.
        algorithms: Those offered (registration).
        is_conditional: Registration in passing, beside a password: the user need not have been asked to be present.
    """

    challenge: str
    user_verification: UserVerification
    algorithms: Sequence[int] = ()
    is_conditional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A credential that a registration brings.

    Attributes:
        webauthn_id: The authenticator's id of it.
        public_key: COSE key in CBOR.
        backup_eligible: It may be synced: its key can leave the authenticator.
        backed_up: It is.
        attested: Its make was proved.
        attestation_format: Format of the statement that came along.
        discoverable: The authenticator finds it without being given its id; None: it did not say.
    """

    webauthn_id: bytes
    public_key: bytes
    algorithm: int
    sign_count: int
    user_verified: bool
    backup_eligible: bool
    backed_up: bool
    attested: bool
    attestation_format: str
    aaguid: str
    transports: Sequence[str]
    discoverable: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is kept of the credential that an answer names."""

    public_key: bytes
    user_handle: bytes
    backup_eligible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asserted:
    """What a good answer says.

    Attributes:
        is_platform: The authenticator is part of what the browser runs on. The browser says so, and nothing proves it.
    """

    user_verified: bool
    backed_up: bool
    sign_count: int
    is_platform: bool
