"""The languages of the pages: everybody gets one, and none of them lacks a sentence."""

import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from argus.flows.self.security_events import SecurityEventKind
from argus.web import pages
from argus.web.pages.locale import LANGUAGES, load_locales, negotiate

_FOLDER = Path(pages.__file__).parent
_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("chosen", "accepted", "tag"),
    [
        ("", "", "en"),
        ("", "de", "de"),
        ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "fr,en;q=0.4,de;q=0.5", "de"),
        ("", "en-GB,de;q=0.9", "en"),
        ("", "de;q=0,en", "en"),
        ("", "fr", "en"),
        ("", "de;q=x, *;;;", "en"),
        ("", "," * 100_000, "en"),
        ("de", "en", "de"),
        ("../../etc", "de", "de"),
    ],
)
def test_everybody_gets_a_language(chosen: str, accepted: str, tag: str) -> None:
    assert negotiate(chosen, accepted) == tag


def test_every_language_has_every_sentence_with_the_same_holes() -> None:
    """A hole that only one of them has would break its page."""
    locales = load_locales()
    holes = {tag: {key: _holes(text) for key, text in one.texts.items()} for tag, one in locales.items()}
    first = next(iter(LANGUAGES))
    for tag in LANGUAGES:
        assert holes[tag] == holes[first], tag


def _holes(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_sentence_that_a_template_names_is_there() -> None:
    texts = load_locales()["en"].texts
    for template in (_FOLDER / "templates").glob("*.html"):
        text = template.read_text()
        named = re.findall(r"""\bt\(["']([a-z_.]+)["'][,)]""", text)
        missing = [key for key in named if key not in texts]
        counted = [key for key in re.findall(r"""\bcounted\(["']([a-z_.]+)["']""", text) if f"{key}.one" not in texts]
        assert not missing + counted, template.name


def test_every_kind_of_security_event_has_words() -> None:
    """The page of activity would fail for whoever has met one without."""
    texts = load_locales()["en"].texts
    assert not {f"event.{kind}" for kind in SecurityEventKind} - texts.keys()


def test_moments_are_told_as_people_do() -> None:
    locales = load_locales()
    english, german = locales["en"], locales["de"]
    assert english.ago(_NOW - timedelta(seconds=59), _NOW) == "just now"
    assert english.ago(_NOW - timedelta(minutes=1), _NOW) == "a minute ago"
    assert german.ago(_NOW - timedelta(hours=5), _NOW) == "vor 5 Stunden"
    assert german.ago(_NOW - timedelta(days=1), _NOW) == "vor einem Tag"
    assert german.ago(_NOW - timedelta(days=40), _NOW) == "20. Januar 2026, 12:00 UTC"
    assert english.moment(_NOW) == "1 March 2026, 12:00 UTC"
