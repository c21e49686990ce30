"""The languages of the pages: which one a reader gets, and every sentence in it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Final

from argus.base import languages

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
"""Tags, and what their speakers call them; the first is for whoever asks for none of them."""

_UNITS: Final = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


@dataclass(frozen=True, slots=True)
class Locale:
    """One language.

    Attributes:
        tag: As in the `lang` attribute.
        texts: Every sentence by its key ("sign_in.title").
    """

    tag: str
    texts: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """A sentence; `KeyError` if there is none of that key."""
        return self.texts[key].format(**values)

    def known(self, key: str) -> bool:
        """Whether there is a sentence of that key."""
        return key in self.texts

    def count(self, key: str, number: int) -> str:
        """A sentence that depends on a number: `key.one` or `key.many`."""
        return self.text(f"{key}.{'one' if number == 1 else 'many'}", n=number)

    def moment(self, time: datetime) -> str:
        """A day and a time of day, in UTC: the server does not know where the reader is."""
        month = self.text(f"month.{time.month}")
        return self.text("time.moment", day=time.day, month=month, year=time.year, clock=f"{time:%H:%M}")

    def ago(self, time: datetime, now: datetime) -> str:
        """How long ago something was; long ago as the moment itself."""
        gone = now - time
        if gone > timedelta(days=30):
            return self.moment(time)
        for name, unit in _UNITS:
            if gone >= unit:
                return self.count(f"time.{name}", gone // unit)
        return self.text("time.now")


def negotiate(chosen: str, accepted: str) -> str:
    """The tag of the language for a reader.

    Args:
        chosen: What the reader chose on a page; empty: nothing.
        accepted: The `Accept-Language` header (RFC 9110, 12.5.4).
    """
    if chosen in LANGUAGES:
        return chosen
    known = (tag for tag in languages.accepted(accepted) if tag in LANGUAGES)
    return next(known, next(iter(LANGUAGES)))


def load_locales() -> dict[str, Locale]:
    """Every language by its tag."""
    folder = files(__package__) / "locales"
    return {tag: Locale(tag, _flat(tomllib.loads((folder / f"{tag}.toml").read_text("utf-8")))) for tag in LANGUAGES}


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat
