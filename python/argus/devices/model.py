"""What a device is, and what its user agent gives away."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ua_parser import parse

from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

MAX_USER_AGENT: Final = 512
"""Bytes of a user agent that are looked at."""

_DESKTOPS: Final = frozenset(
    ("Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Debian", "Chrome OS", "FreeBSD", "OpenBSD", "NetBSD")
)
_TELEVISIONS: Final = ("tv", "tizen", "webos", "roku", "chromecast")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTraits:
    """What a device says about itself; an empty field is unknown.

    Attributes:
        type: desktop, phone, tablet, tv, bot or other.
        os: Family of the operating system.
        browser: Family of the browser.
        user_agent: As it was sent, cut to what is looked at.
    """

    type: str = ""
    os: str = ""
    browser: str = ""
    user_agent: str = ""

    @property
    def display_name(self) -> str:
        """A name for a device that its user has not named."""
        if self.browser and self.os:
            return f"{self.browser} on {self.os}"
        return self.browser or self.os


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device of a user; whoever shows its token is on it.

    Attributes:
        token_sha256: SHA-256 of the token's secret.
    """

    tenant_id: str
    device_id: str
    user_id: str
    token_sha256: bytes
    display_name: str
    category: str
    traits: DeviceTraits
    create_time: datetime
    last_seen_time: datetime


def traits_of(user_agent: str) -> DeviceTraits:
    """What a User-Agent header gives away; nothing where it is empty or not a known one."""
    text = user_agent.encode()[:MAX_USER_AGENT].decode(errors="ignore").strip()
    if not text:
        return DeviceTraits()
    found = parse(text)
    os = found.os.family if found.os else ""
    browser = found.user_agent.family if found.user_agent else ""
    model = found.device.family if found.device else ""
    return DeviceTraits(type=_type(text, os, browser, model), os=os, browser=browser, user_agent=text)


def _type(text: str, os: str, browser: str, model: str) -> str:
    lowered = f"{os} {browser} {model}".lower()
    if model == "Spider":
        return "bot"
    if any(word in lowered for word in _TELEVISIONS):
        return "tv"
    if "ipad" in lowered or "tablet" in lowered or (os == "Android" and "Mobile" not in text):
        return "tablet"
    if os in ("Android", "iOS") or "Mobile" in text:
        return "phone"
    if os in _DESKTOPS:
        return "desktop"
    return "other" if os or browser or model else ""


class DeviceNotFoundError(ArgusError):
    """No such device of the user, or not one that it may see (the two look alike)."""

    def __init__(self, device_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            ErrorReason.ERROR_REASON_DEVICE_NOT_FOUND,
            f"device {device_id} was not found",
            deviceId=device_id,
        )
