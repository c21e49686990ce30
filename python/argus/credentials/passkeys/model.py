"""What a passkey is, what a ceremony under way keeps, and what can go wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from argus.credentials.passkey_rules.model import CounterPolicy
from argus.credentials.webauthn.model import Asserted, Expected, Rule, UserVerification

CEREMONY_LIFE: Final = timedelta(minutes=5)
"""How long a challenge is good for."""
MAX_PASSKEYS: Final = 32
"""Most that a user may have."""
MAX_PASSKEY_NAME: Final = 100
"""Longest display name."""

Use = Literal["sign_in", "second_factor"]
"""What a credential is made for: to sign in with it alone (discoverable, verifies its user), or beside a password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A passkey or security key of a user.

    Attributes:
        webauthn_id: The authenticator's id of it.
        sign_count: Highest counter that was seen; 0: it does not count.
        uv_initialized: Its authenticator is known to verify its user. One that begins to do so later proves nothing
            more by it until another factor was proved beside it: whoever finds a key could set a PIN on it.
        doubted: There may be a copy of its authenticator; over once it was seen beside another factor.
        backup_eligible: It may be synced: its key can leave the authenticator.
        backed_up: It is.
        attested: The make of its authenticator was proved.
        discoverable: The authenticator finds it without being given its id; None: it did not say.
    """

    tenant_id: str
    credential_id: str
    user_id: str
    display_name: str
    rp_id: str
    webauthn_id: bytes
    public_key: bytes
    sign_count: int
    uv_initialized: bool
    doubted: bool
    backup_eligible: bool
    backed_up: bool
    attested: bool
    attestation_format: str
    aaguid: str
    transports: Sequence[str]
    discoverable: bool | None
    create_time: datetime
    last_use_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyUser:
    """For whom a passkey is to be made.

    Attributes:
        name: What tells accounts of the same person apart: an e-mail address, say. Authenticators show it.
        display_name: Name for people.
    """

    user_id: str
    name: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An enrolment that was begun.

    Attributes:
        options_json: PublicKeyCredentialCreationOptionsJSON.
    """

    enrolment_id: str
    options_json: str
    expire_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyCheck:
    """What a look at an answer found.

    Attributes:
        rule: What the answer broke; None: it is good.
        passkey: The passkey that answered, where it is known.
        asserted: What a good answer says.
        has_copy: Its counter did not grow: there may be a copy of the authenticator.
        policy: What that leads to.
    """

    rule: Rule | None = None
    passkey: Passkey | None = None
    asserted: Asserted | None = None
    has_copy: bool = False
    policy: CounterPolicy = "refuse"

    @property
    def user_verified(self) -> bool:
        """It stands for two factors: the authenticator has verified its user, and there is nothing odd about it."""
        if self.asserted is None or self.passkey is None or (self.has_copy and self.policy == "step_up"):
            return False
        return self.asserted.user_verified and self.passkey.uv_initialized

    @property
    def is_built_in(self) -> bool:
        """Its authenticator is part of what the user signs in on, as it was at its registration; there is no copy."""
        if self.asserted is None or self.passkey is None or self.has_copy or self.passkey.doubted:
            return False
        return self.asserted.is_platform and "internal" in self.passkey.transports


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """What the server remembers of options that it sent.

    Attributes:
        user_id: Whom it is for; "": whoever answers (sign-in).
        allowed: Credential ids (base64url) that may answer; none: any that the authenticator finds.
        options_json: The options, as they were sent.
        expire_time: Seconds since 1970.
    """

    kind: Literal["create", "get"]
    challenge: str
    rp_id: str
    user_id: str
    user_verification: UserVerification
    algorithms: Sequence[int] = ()
    is_conditional: bool = False
    allowed: Sequence[str] = ()
    options_json: str = ""
    expire_time: float

    @property
    def expected(self) -> Expected:
        """What an answer to it must be like."""
        return Expected(
            challenge=self.challenge,
            user_verification=self.user_verification,
            algorithms=self.algorithms,
            is_conditional=self.is_conditional,
        )


def has_copy(*, stored: int, presented: int) -> bool:
    """Whether a counter says that there may be a copy of the authenticator; 0 on both sides: it does not count."""
    return (stored, presented) != (0, 0) and presented <= stored
