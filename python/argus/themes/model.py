"""What a theme is, and which ones people can read."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from argus.base.errors import InvalidFieldError

MAX_TITLE: Final = 80
MAX_LOGO_BYTES: Final = 64 * 1024

LEAST_CONTRAST: Final = 4.5
"""Of text against what is behind it (WCAG 2.2, 1.4.3, level AA)."""

# What an accent meets in the style sheet: surface and page behind it, and the text of a button on it.
_LIGHT: Final = ("#ffffff", "#f5f6f8")
_DARK: Final = ("#191d23", "#101317", "#10151f")

# Where sRGB goes over from a line to a curve.
_NEARLY_BLACK: Final = 0.04045

_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
_LOGOS: Final = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """How the pages of a tenant look; an empty field: as Argus has it.

    Attributes:
        title: Name that people know the tenant by.
        accent_light: Colour of links and buttons on light pages, "#rrggbb".
        accent_dark: The same on dark pages.
        logo: A small picture.
        logo_type: Its media type.
    """

    title: str = ""
    accent_light: str = ""
    accent_dark: str = ""
    logo: bytes = b""
    logo_type: str = ""

    @property
    def logo_digest(self) -> str:
        """Changes with the logo; "" where there is none."""
        return hashlib.sha256(self.logo).hexdigest()[:16] if self.logo else ""


def check_theme(theme: Theme, *, within: str = "") -> None:
    """Refuses what pages can't show, or people can't read.

    Args:
        theme: The theme.
        within: What stands before the names of its fields in the request ("theme.").

    Raises:
        InvalidFieldError: It names the field.
    """
    if len(theme.title) > MAX_TITLE or not theme.title.isprintable():
        raise InvalidFieldError(f"{within}title", f"must have at most {MAX_TITLE} characters, all of which can be seen")
    _check_colour(f"{within}accent_light", theme.accent_light, _LIGHT, wanted="darker")
    _check_colour(f"{within}accent_dark", theme.accent_dark, _DARK, wanted="lighter")
    _check_logo(f"{within}logo", theme)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _check_colour(field: str, colour: str, behind: tuple[str, ...], *, wanted: str) -> None:
    if not colour:
        return
    if not _COLOUR.fullmatch(colour):
        raise InvalidFieldError(field, 'must look like "#2b59c3"')
    least = min(contrast(colour, one) for one in behind)
    if least < LEAST_CONTRAST:
        raise InvalidFieldError(
            field, f"has a contrast of {least:.2f}, and people need {LEAST_CONTRAST}: take a {wanted} one"
        )


def _check_logo(field: str, theme: Theme) -> None:
    if bool(theme.logo) != bool(theme.logo_type):
        raise InvalidFieldError(field, "needs its bytes and its type")
    if not theme.logo:
        return
    if len(theme.logo) > MAX_LOGO_BYTES:
        raise InvalidFieldError(field, f"must have at most {MAX_LOGO_BYTES // 1024} KiB")
    # No SVG: opened by itself it is a document of this origin.
    start = _LOGOS.get(theme.logo_type)
    if start is None or not theme.logo.startswith(start):
        raise InvalidFieldError(field, "must be a PNG, JPEG or WebP picture")


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= _NEARLY_BLACK else float(((share + 0.055) / 1.055) ** 2.4)
