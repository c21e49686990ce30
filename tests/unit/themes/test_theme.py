"""Themes: whatever a tenant chooses, people can read it."""

import re
from pathlib import Path

import pytest

from argus.base.errors import InvalidFieldError
from argus.themes.model import LEAST_CONTRAST, MAX_LOGO_BYTES, Theme, check_theme, contrast
from argus.web import pages

_PNG = b"\x89PNG\r\n\x1a\n" + bytes(16)


def test_contrast_is_that_of_wcag() -> None:
    """The ends of the scale, and a grey that is known to miss the bound by a hair."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#2b59c3", "#2b59c3") == 1
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(
    "theme",
    [
        Theme(),
        Theme(title="Müller & Söhne", accent_light="#005f4b", accent_dark="#7fe0c4"),
        Theme(logo=_PNG, logo_type="image/png"),
    ],
)
def test_what_can_be_read_is_taken(theme: Theme) -> None:
    check_theme(theme)


@pytest.mark.parametrize(
    ("theme", "field"),
    [
        (Theme(accent_light="#ffcc00"), "accent_light"),  # yellow on white
        (Theme(accent_light="#767676"), "accent_light"),  # good on white, not on the page behind it
        (Theme(accent_dark="#2b59c3"), "accent_dark"),  # good on light pages alone
        (Theme(accent_light="red"), "accent_light"),
        (Theme(accent_light="#2b59c3;}body{display:none"), "accent_light"),
        (Theme(accent_light="#2B59C3"), "accent_light"),
        (Theme(title="a" * 81), "title"),
        (Theme(title="a\nb"), "title"),
        (Theme(logo=_PNG), "logo"),
        (Theme(logo=_PNG, logo_type="image/jpeg"), "logo"),
        (Theme(logo=b"<svg onload=alert(1)>", logo_type="image/svg+xml"), "logo"),
        (Theme(logo=_PNG + bytes(MAX_LOGO_BYTES), logo_type="image/png"), "logo"),
    ],
)
def test_what_nobody_can_read_or_show_is_refused(theme: Theme, field: str) -> None:
    with pytest.raises(InvalidFieldError) as refused:
        check_theme(theme)
    assert refused.value.field == field


def test_the_colours_that_themes_are_held_against_are_those_of_the_style_sheet() -> None:
    """Both have their own copy: whoever changes one of them sees the other."""
    css = (Path(pages.__file__).parent / "assets" / "pages.css").read_text()
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in css.split("@media", 2)[:2])
    for colours, accent in ((light, "#2b59c3"), (dark, "#9bb8ff")):
        for behind in ("surface", "page", "on-accent"):
            assert contrast(accent, colours[behind]) >= LEAST_CONTRAST
    check_theme(Theme(accent_light="#2b59c3", accent_dark="#9bb8ff"))
    for text in ("text", "muted", "danger", "good"):
        for colours in (light, dark):
            for behind in ("surface", "page", "sunken"):
                assert contrast(colours[text], colours[behind]) >= LEAST_CONTRAST, (text, behind)
