"""Which codes are good, how a secret gets into an app, and what can go wrong."""

import hmac
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import pyotp
import segno

STEP_SECONDS: Final = 30
DIGITS: Final = 6
DRIFT_STEPS: Final = 1
"""So many steps before and after the present one count, for clocks that are wrong (RFC 6238, 5.2)."""
MAX_CREDENTIALS: Final = 5
"""Apps of one user: more would only make guessing easier."""
ENROLMENT_LIFE: Final = timedelta(minutes=10)
"""How long an enrolment may take."""

# 160 bits, as RFC 4226 recommends; in base32.
_SECRET_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An enrolment that was begun.

    Attributes:
        secret: In base32.
        uri: otpauth URI.
    """

    tenant_id: str
    enrolment_id: str
    user_id: str
    display_name: str
    secret: str = field(repr=False)
    uri: str = field(default="", repr=False)
    expire_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpCheck:
    """What a look at a code found.

    Attributes:
        credential_id: Credential that it is of; None: of none of the user's.
        step: Time step that it is of.
    """

    credential_id: str | None = None
    step: int = 0
    closed_to_unknown_devices: bool = False


def new_secret() -> str:
    """A secret of 160 random bits, in base32."""
    return pyotp.random_base32(_SECRET_CHARACTERS)


def step_of(now: datetime) -> int:
    """The time step that `now` lies in."""
    return int(now.astimezone(UTC).timestamp()) // STEP_SECONDS


def matching_step(secret: str, code: str, *, now: datetime, after: int = -1) -> int | None:
    """The newest time step that counts now and that this is the code of; None: of none.

    Args:
        secret: In base32.
        code: As typed; spaces don't matter.
        now: The time.
        after: The step and those before it count no more.
    """
    presented = "".join(code.split()).encode()
    generator = pyotp.HOTP(secret, digits=DIGITS)
    present = step_of(now)
    steps = range(present + DRIFT_STEPS, present - DRIFT_STEPS - 1, -1)
    # Every step is compared: the time does not tell which one it was.
    fitting = [step for step in steps if step >= 0 and hmac.compare_digest(generator.at(step).encode(), presented)]
    return next((step for step in fitting if step > after), None)


def otpauth_uri(secret: str, *, account: str, issuer: str) -> str:
    """What authenticator apps read: the secret, for whom and of whom it is."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(name=account, issuer_name=issuer)


def qr_svg(text: str) -> str:
    """A QR code as an SVG document, black on white: it must be read in dark pages, too."""
    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False, omitsize=True
    )
    return drawn.getvalue().decode()
