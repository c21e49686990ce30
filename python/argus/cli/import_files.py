"""Reads files of users: JSON lines and CSV, a line at a time, whatever is wrong with single ones."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import typer

from argus.flows.import_users import UserImport
from argus.users.model import IDENTIFIER_KINDS, NewIdentifier, NewUser

FileFormat = Literal["jsonl", "csv"]

_LISTS: Final = (*IDENTIFIER_KINDS, "groups")
_FLAGS: Final = ("email_verified", "phone_verified", "disabled")
_TEXTS: Final = ("display_name", "locale", "password_hash")
NAMES: Final = (*_LISTS, *_FLAGS, *_TEXTS)
"""What a line can tell about a user."""

_TRUE: Final = {"true", "1", "yes"}
_FALSE: Final = {"false", "0", "no", ""}
_BETWEEN: Final = ";"
_LONGEST_LINE: Final = 64 * 1024


class LineError(ValueError):
    """A line is no user; its message repeats nothing of a hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a file.

    Attributes:
        number: Its number in the file, from 1; of several that one record of CSV takes, the last.
        text: As it stands there, without its end.
        user: What it says.
        fault: Why it says nothing.
    """

    number: int
    text: str
    user: UserImport | None = None
    fault: str = ""


def format_of(path: Path) -> FileFormat:
    """How a file is written, by its name.

    Raises:
        typer.BadParameter: The name does not say.
    """
    endings: dict[str, FileFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv"}
    if path.suffix.lower() not in endings:
        raise typer.BadParameter(f"{path} ends neither in .jsonl nor in .csv: say --format jsonl or --format csv")
    return endings[path.suffix.lower()]


def read_lines(path: Path, form: FileFormat, *, now: datetime) -> Iterator[Line]:
    """The lines of a file that hold a user, or should.

    Args:
        path: The file, in UTF-8.
        form: How it is written.
        now: When identifiers count as verified that were so in the other system, which does not say since when.

    Raises:
        typer.BadParameter: The file can't be read, or its first line names what no user has.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _of_json(file, now) if form == "jsonl" else _of_csv(file, now)
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{path} can't be read: {error}") from None


def heading_of(path: Path, form: FileFormat) -> str:
    """What a file of some of these lines begins with: the first line of CSV, nothing of JSON."""
    if form == "jsonl":
        return ""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return file.readline().rstrip("\r\n") + "\n"


def _of_json(lines: Iterator[str], now: datetime) -> Iterator[Line]:
    for number, raw in enumerate(lines, 1):
        text = raw.rstrip("\r\n")
        if text.strip():
            yield _line(number, text, lambda text=text: _object(text), now)


def _of_csv(lines: Iterator[str], now: datetime) -> Iterator[Line]:
    kept = _Kept(lines)
    reader = csv.reader(kept, strict=True)
    names = next(reader, [])
    unknown = [name for name in names if name not in NAMES]
    if unknown or not names:
        said = f"names {', '.join(unknown)}" if unknown else "names nothing"
        raise typer.BadParameter(f"the first line {said}; known are {', '.join(NAMES)}")
    while True:
        kept.text = ""
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # Where the next record begins is not known.
            yield Line(number=reader.line_num, text=kept.text, fault=f"is no CSV ({error}); nothing after it was read")
            return
        if cells:
            text = kept.text.rstrip("\r\n")
            yield _line(reader.line_num, text, lambda cells=cells: _record(names, cells), now)


class _Kept:
    """Lines, and the text of those that the present record has taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.text = ""

    def __iter__(self) -> _Kept:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.text += line
        return line


def _line(number: int, text: str, values: Any, now: datetime) -> Line:
    if len(text) > _LONGEST_LINE:
        return Line(number=number, text=text, fault=f"is longer than {_LONGEST_LINE} characters")
    try:
        return Line(number=number, text=text, user=_user(values(), now))
    except LineError as fault:
        return Line(number=number, text=text, fault=str(fault))


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise LineError("is no JSON") from None
    if not isinstance(value, dict):
        raise LineError("is no JSON object")
    return value


def _record(names: Sequence[str], cells: Sequence[str]) -> Mapping[str, Any]:
    if len(cells) != len(names):
        raise LineError(f"has {len(cells)} cells where the first line has {len(names)}")
    found: dict[str, Any] = {}
    for name, cell in zip(names, cells, strict=True):
        if name in _FLAGS:
            found[name] = _flag(name, cell)
        else:
            found[name] = cell.split(_BETWEEN) if name in _LISTS and cell else cell
    return found


def _flag(name: str, cell: str) -> bool:
    if cell.lower() not in _TRUE | _FALSE:
        raise LineError(f"{name}: must be true or false")
    return cell.lower() in _TRUE


def _user(values: Mapping[str, Any], now: datetime) -> UserImport:
    unknown = [name for name in values if name not in NAMES]
    if unknown:
        raise LineError(f"{unknown[0]}: is not known; known are {', '.join(NAMES)}")
    identifiers = [
        NewIdentifier(kind=kind, value=value, verify_time=now if _boolean(values, f"{kind}_verified") else None)
        for kind in IDENTIFIER_KINDS
        for value in _texts(values, kind)
    ]
    user = NewUser(
        display_name=_text(values, "display_name"),
        locale=_text(values, "locale"),
        identifiers=identifiers,
        disabled=_boolean(values, "disabled"),
    )
    return UserImport(user=user, password_hash=_hash(values), groups=_texts(values, "groups"))


def _hash(values: Mapping[str, Any]) -> str:
    """A text, or a credential of Keycloak as it is."""
    value = values.get("password_hash")
    return json.dumps(value) if isinstance(value, dict) else _text(values, "password_hash")


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name) or ""
    if not isinstance(value, str):
        raise LineError(f"{name}: must be text")
    return value


def _texts(values: Mapping[str, Any], name: str) -> list[str]:
    value = values.get(name) or []
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise LineError(f"{name}: must be text or a list of texts")
    return listed


def _boolean(values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name) or False
    if not isinstance(value, bool):
        raise LineError(f"{name}: must be true or false")
    return value
