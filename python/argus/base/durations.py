"""Durations with units, as people write them in settings: "8h", "90s", "1h30m", "250ms"."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, PlainSerializer

_UNITS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_WHOLE: Final = re.compile(r"(\d+(?:d|h|ms|m|s))+")
_PART: Final = re.compile(r"(\d+)(d|h|ms|m|s)")


def parse_duration(value: object) -> timedelta:
    """Reads a duration.

    Raises:
        ValueError: It is not one, or has no unit.
    """
    if isinstance(value, timedelta):
        return value
    text = str(value).replace(" ", "")
    if not _WHOLE.fullmatch(text):
        raise ValueError('say a number with a unit (d, h, m, s, ms), such as "8h" or "1h30m"')
    return timedelta(milliseconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


def format_duration(value: timedelta) -> str:
    """Writes a duration so that `parse_duration` reads it ("8h", "1h30m", "0s")."""
    rest = value // timedelta(milliseconds=1)
    parts = []
    for unit, length in _UNITS.items():
        number, rest = divmod(rest, length)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration)]
"""A settings field that holds a duration."""
