"""What a device says about itself: its user agent, the client hints beside it, and whether the two agree."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ua_parser import Result, parse

from argus.devices.model import DeviceTraits

MAX_USER_AGENT: Final = 512
"""Bytes of a user agent, or of one hint, that are looked at."""
MAX_COMPONENTS: Final = 16
"""Most components of a fingerprint that are looked at."""
MAX_COMPONENT: Final = 256
"""Most characters of one of them."""
MAX_APP: Final = 100
"""Most characters of an application's name and version."""
HINTS: Final[Mapping[str, str]] = {
    "ua": "Sec-CH-UA",
    "full_version_list": "Sec-CH-UA-Full-Version-List",
    "platform": "Sec-CH-UA-Platform",
    "platform_version": "Sec-CH-UA-Platform-Version",
    "mobile": "Sec-CH-UA-Mobile",
    "model": "Sec-CH-UA-Model",
}
"""The hints that count, by the name of their field, and the headers that they come in."""
ASKED_HINTS: Final = ("Sec-CH-UA-Full-Version-List", "Sec-CH-UA-Platform-Version", "Sec-CH-UA-Model")
"""Those that browsers send only where they are asked for (`Accept-CH`)."""

_DESKTOPS: Final = frozenset(
    ("Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Debian", "Chrome OS", "FreeBSD", "OpenBSD", "NetBSD")
)
_LINUXES: Final = frozenset(("Linux", "Ubuntu", "Fedora", "Debian", "Red Hat", "Arch Linux"))
_TELEVISIONS: Final = ("tv", "tizen", "webos", "roku", "chromecast")
_PLATFORMS: Final[Mapping[str, frozenset[str]]] = {
    "Windows": frozenset(("Windows",)),
    "macOS": frozenset(("Mac OS X",)),
    "Linux": _LINUXES,
    # A tablet that asks for desktop pages calls itself Linux.
    "Android": frozenset(("Android",)) | _LINUXES,
    "Chrome OS": frozenset(("Chrome OS",)),
    "Chromium OS": frozenset(("Chrome OS",)),
    "iOS": frozenset(("iOS",)),
}
"""What a user agent may call the platform of a hint."""
_FAMILIES: Final[Mapping[str, str]] = {
    "macOS": "Mac OS X",
    "Chromium OS": "Chrome OS",
}
# Behind another's brand there is always Chromium's.
_BRANDS: Final[Mapping[str, str]] = {
    "Google Chrome": "Chrome",
    "Microsoft Edge": "Edge",
    "Opera": "Opera",
    "Brave": "Brave",
    "YaBrowser": "Yandex Browser",
    "Samsung Internet": "Samsung Internet",
    "Vivaldi": "Vivaldi",
    "DuckDuckGo": "DuckDuckGo",
}
_CHROMIUM: Final = "Chromium"
_BRAND: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*;\s*v\s*=\s*"((?:[^"\\]|\\.)*)"')
_CHROME_VERSION: Final = re.compile(r"\bChrom(?:e|ium)/(\d+)")
_VERSION: Final = re.compile(r"\d+(?:\.\d+){0,3}")
_PRODUCT: Final = re.compile(r"([A-Za-z][\w.-]{0,40})/(\d[\w.]{0,20})\b")
# Products that say what a program was made with, not which one it is.
_LIBRARIES: Final = frozenset(
    {
        *("mozilla", "opera", "dalvik", "okhttp", "cfnetwork", "java", "curl", "wget", "python", "python-requests"),
        *("python-urllib", "go-http-client", "axios", "node", "dart", "apache-httpclient", "libwww-perl"),
    }
)
# What embeds an engine may name nothing else.
_ENGINE: Final = "WebKit"
_ENGINE_SAID: Final = "AppleWebKit/"
_WINDOWS_11: Final = 13
_FREEZING_SAFARI: Final = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Client hints, each as it was sent; an empty one was not.

    Attributes:
        ua: Brands with their major versions.
        full_version_list: Brands with their whole versions.
        platform: Operating system.
        platform_version: Its version.
        mobile: "?1" for a phone.
        model: Model of a phone.
    """

    ua: str = ""
    full_version_list: str = ""
    platform: str = ""
    platform_version: str = ""
    mobile: str = ""
    model: str = ""


def traits_of(
    user_agent: str,
    hints: Hints | None = None,
    *,
    app: str = "",
    fingerprint: Mapping[str, str] | None = None,
    installation_id: str = "",
) -> DeviceTraits:
    """What a client gives away; nothing where nothing is sent, or nothing that is known.

    Args:
        user_agent: The User-Agent header.
        hints: The client hints beside it.
        app: Name and version of an installed application, where it tells.
        fingerprint: What it says about the machine it runs on, by name.
        installation_id: Of an installed client.
    """
    text, hints = _cut(user_agent), hints or Hints()
    found = parse(text) if text else Result(None, None, None, "")
    os = found.os.family if found.os else ""
    browser = found.user_agent.family if found.user_agent else _ENGINE if _ENGINE_SAID in text else ""
    model = found.device.family if found.device else ""
    kind = _type(text, os, browser, model)
    platform = _word(hints.platform)
    brands = dict(_BRAND.findall(_cut(hints.full_version_list)) or _BRAND.findall(_cut(hints.ua)))
    brand = next((one for one in brands if one in _BRANDS), _CHROMIUM if _CHROMIUM in brands else "")
    return DeviceTraits(
        type=kind or ("phone" if hints.mobile.strip() == "?1" else ""),
        os=os or (_FAMILIES.get(platform, platform) if platform in _PLATFORMS else ""),
        os_version=_hinted_version(platform, _word(hints.platform_version)) or _os_version(found, text),
        browser=browser or _BRANDS.get(brand, brand),
        browser_version=_browser_version(found, brands.get(brand, "")),
        app=_cut(app)[:MAX_APP] or _app(text),
        user_agent=text,
        contradicts=_contradicts(text, os, hints, platform, brands),
        fingerprint=_components(fingerprint or {}),
        installation_id=installation_id,
    )


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


def _os_version(found: Result, text: str) -> str:
    """The version that a user agent tells; none where everybody tells the same one, whatever they have."""
    os = found.os
    if os is None or os.major is None or _is_frozen(found, text):
        return ""
    parts = [part for part in (os.major, os.minor, os.patch) if part]
    return _short(".".join(parts))


def _is_frozen(found: Result, text: str) -> bool:
    """Whether everybody tells this version, whatever they have."""
    os, browser = found.os, found.user_agent
    if os is None:
        return False
    # From iOS 26 on user agents say 18.6 or 18.7; what embeds WebKit does not say which Safari it goes with.
    safari = browser.major if browser is not None else None
    is_old_safari = safari is not None and _number(safari) < _FREEZING_SAFARI
    return {
        # "Windows NT 10.0" is 10, 11 and what follows.
        "Windows": os.major == "10",
        "Mac OS X": (os.major, os.minor) == ("10", "15"),
        "Android": os.major == "10" and ("Android 10; K" in text or "Gecko/" in text),
        "Chrome OS": True,
        "iOS": (os.major, os.minor) in {("18", "6"), ("18", "7")} and not is_old_safari,
    }.get(os.family, False)


def _hinted_version(platform: str, said: str) -> str:
    if not _VERSION.fullmatch(said):
        return ""
    if platform != "Windows":
        return _short(said)
    # Windows tells the version of an interface: from 13 on it is Windows 11, 0 is older than 10.
    major = _number(said.partition(".")[0])
    return "11" if major >= _WINDOWS_11 else "10" if major else ""


def _browser_version(found: Result, hinted: str) -> str:
    browser = found.user_agent
    if _VERSION.fullmatch(hinted):
        return _short(hinted)
    if browser is None or browser.major is None:
        return ""
    parts = [part for part in (browser.major, browser.minor, browser.patch, browser.patch_minor) if part]
    # Reduced user agents fill what they do not tell with zeros.
    return _short(".".join(parts))


def _app(text: str) -> str:
    match = _PRODUCT.match(text)
    return match[0] if match is not None and match[1].lower() not in _LIBRARIES else ""


def _contradicts(text: str, os: str, hints: Hints, platform: str, brands: Mapping[str, str]) -> bool:
    """Whether hints and user agent can't both be true. What only one of them tells contradicts nothing."""
    if not text:
        return False
    if platform in _PLATFORMS and os and os not in _PLATFORMS[platform]:
        return True
    mobile = hints.mobile.strip()
    if (mobile == "?1" and "Mobile" not in text) or (mobile == "?0" and "Mobile" in text):
        return True
    engine = brands.get(_CHROMIUM, "").partition(".")[0]
    if not engine:
        return False
    said = _CHROME_VERSION.search(text)
    # Only Chromium sends hints.
    return said is None or said[1] != engine


def _components(said: Mapping[str, str]) -> Mapping[str, str]:
    kept = sorted(said.items())[:MAX_COMPONENTS]
    return {name: value[:MAX_COMPONENT] for name, value in kept if value}


def _cut(text: str) -> str:
    return text.encode()[:MAX_USER_AGENT].decode(errors="ignore").strip()


def _word(text: str) -> str:
    """What stands in quotes (RFC 8941, a string)."""
    return _cut(text).strip('"')


def _short(version: str) -> str:
    """Without the zeros at its end: "15.0.0" is "15"."""
    parts = version.split(".")
    while len(parts) > 1 and parts[-1] == "0":
        parts.pop()
    return ".".join(parts)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0
