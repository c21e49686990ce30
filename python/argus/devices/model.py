"""What a device is, by what it is known again, and how far it is trusted."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from argus.base.errors import ArgusError, Code
from argus.base.ids import device_name, etag
from argus.base.place import NOWHERE, Place
from argus.v1.errors_pb2 import ErrorReason

Identity = Literal["", "key", "token", "installation"]
"""By what a device was known: a key that it has proved, its token, the id of an installed client; "": it was new."""
Signal = Literal["HINT_MISMATCH", "DEVICE_KEY_MISSING", "FINGERPRINT_CHANGED"]
"""What is odd about a device."""

MAX_DISPLAY_NAME: Final = 100
"""Most characters of the name that a user gives a device."""
MAX_CATEGORY: Final = 40
"""Most characters of the group that a user puts a device in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTraits:
    """What a device says about itself; an empty field is unknown.

    Attributes:
        type: desktop, phone, tablet, tv, bot or other.
        os: Family of the operating system.
        os_version: Its version; unknown where a user agent tells a frozen one.
        browser: Family of the browser.
        browser_version: Its version, as far as it is told.
        app: Installed application, as "Notes/4.2.1".
        user_agent: As it was sent, cut to what is looked at.
        contradicts: Client hints and user agent can't both be true.
        fingerprint: What it says about the machine it runs on, by name; never kept as it is.
        installation_id: Of an installed client; never kept as it is.
    """

    type: str = ""
    os: str = ""
    os_version: str = ""
    browser: str = ""
    browser_version: str = ""
    app: str = ""
    user_agent: str = ""
    contradicts: bool = False
    fingerprint: Mapping[str, str] = field(default_factory=dict, repr=False)
    installation_id: str = field(default="", repr=False)

    @property
    def display_name(self) -> str:
        """A name for a device that its user has not named."""
        what = self.browser or self.app.partition("/")[0]
        if what and self.os:
            return f"{what} on {self.os}"
        return what or self.os


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of a user; whoever shows its token, or proves its key, is on it.

    Attributes:
        token_sha256: SHA-256 of the token's secret.
        key_sha256: 16 bytes of the SHA-256 of the key that it has proved; None: it has proved none.
        installation_hmac: Keyed hash of the id of an installed client; None: it has told none.
        identity: By what it was known at its last sign-in.
        signals: What is odd about it.
        trust_time: Since when it is trusted; None: it is not, or that was not kept.
        trust_expire_time: It is trusted until then, if the policy still lets it; None: it is not.
        place: Where its user last signed in from it.
    """

    tenant_id: str
    device_id: str
    user_id: str
    token_sha256: bytes = field(repr=False)
    display_name: str
    category: str
    traits: DeviceTraits
    create_time: datetime
    last_seen_time: datetime
    key_sha256: bytes | None = None
    installation_hmac: bytes | None = field(default=None, repr=False)
    identity: Identity = ""
    signals: Sequence[str] = ()
    trust_time: datetime | None = None
    trust_expire_time: datetime | None = None
    place: Place = NOWHERE
    revision: int = 1

    @property
    def name(self) -> str:
        """Resource name."""
        return device_name(self.tenant_id, self.user_id, self.device_id)

    @property
    def etag(self) -> str:
        """Changes with what an update can change."""
        return etag(self.revision)

    def trusted_until(self, longest: timedelta) -> datetime | None:
        """Until when it is trusted, where the policy lets that last so long; None: it is not.

        Args:
            longest: What the policy allows now, counted from when it was trusted; more than then changes nothing.
        """
        if self.trust_expire_time is None or not longest:
            return None
        return min(self.trust_expire_time, self.trust_time + longest) if self.trust_time else self.trust_expire_time

    def is_trusted(self, now: datetime, longest: timedelta) -> bool:
        """Its user, or an administrator, trusts it for now, and the policy lets them; see `trusted_until`."""
        until = self.trusted_until(longest)
        return until is not None and now < until


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognized:
    """A device that was known again, and by what."""

    device: Device
    identity: Identity


def installation_hash(secret: bytes, tenant_id: str, installation_id: str) -> bytes:
    """What is kept of the id of an installed client; of another tenant the same id has another hash."""
    message = f"{tenant_id}\0installation\0{installation_id}"
    return hmac.digest(secret, message.encode(), hashlib.sha256)[:16]


class DeviceNotFoundError(ArgusError):
    """No such device of the user, or not one that it may see (the two look alike)."""

    def __init__(self, device_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            ErrorReason.ERROR_REASON_DEVICE_NOT_FOUND,
            f"device {device_id} was not found",
            deviceId=device_id,
        )


class DeviceTrustRefusedError(ArgusError):
    """The policy lets nobody trust a device, or not for so long."""

    def __init__(self, longest: timedelta) -> None:
        seconds = int(longest.total_seconds())
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_DEVICE_TRUST_REFUSED,
            f"the policy lets a device be trusted for at most {seconds} seconds (device_trusted_for); ask for less"
            if seconds
            else "the policy lets no device be trusted (device_trusted_for)",
            policyField="device_trusted_for",
            longestSeconds=seconds,
        )
