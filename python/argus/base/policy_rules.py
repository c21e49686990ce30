"""What a policy's fields take: which values, which of several is the strictest, how they are written.

Values are written as JSON in documents; a `Policy` has Python's. Fields are declared by `argus.base.policy_fields`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, ClassVar

from argus.base.durations import format_duration, parse_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a document, and where.

    Attributes:
        path: Path of the value ("policy.idle_seconds").
        reason: What is wrong with it.
        hint: What to write in its place; empty: the reason says it.
    """

    path: str
    reason: str
    hint: str = ""

    @property
    def text(self) -> str:
        """The reason with its hint."""
        return f"{self.reason}; {self.hint}" if self.hint else self.reason


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A hint for a word that may be misspelt; empty: nothing is like it."""
    near = get_close_matches(word, list(known), n=1) if isinstance(word, str) else []
    return f'did you mean "{near[0]}"?' if near else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(ABC):
    """What a field takes.

    Attributes:
        text: What the field means, in a line.
        default: What holds where nothing is set, as a `Policy` has it.
        is_for_all: The strictest value of all scopes counts, not that of the most specific one.
        is_setting: An installation may set a default of its own (`ARGUS_POLICY__*`).
    """

    suffix: ClassVar[str] = ""
    """What the field's key in a document ends with: the unit."""

    text: str
    default: Any
    is_for_all: bool = False
    is_setting: bool = True

    @abstractmethod
    def faults(self, written: object, path: str) -> Iterator[Fault]:
        """What is wrong with a value of a document."""

    @abstractmethod
    def strictest(self, written: Sequence[Any]) -> Any:
        """The value that allows nothing which one of these refuses; in any order the same."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of a value of a document."""

    @property
    @abstractmethod
    def range_text(self) -> str:
        """What may be set, for people."""

    @property
    @abstractmethod
    def order_text(self) -> str:
        """Which of two values is the stricter one, for people."""

    def read(self, written: Any) -> Any:
        """A document's value as a `Policy` has it."""
        return written

    def write(self, value: Any) -> Any:
        """A `Policy`'s value as a document has it."""
        return value

    def parse(self, text: str) -> Any:
        """A document's value, out of the text of a setting."""
        return json.loads(text)

    def show(self, written: Any) -> str:
        """A document's value, for people."""
        return written if isinstance(written, str) else json.dumps(written)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRule(Rule):
    """A whole number within a range.

    Attributes:
        least: The least that may be set.
        most: The most that may be set.
        is_stricter_when_larger: The larger of two is the stricter one.
        zero: What 0 means where it is looser than all others, and may be set whatever the range ("never"); empty: 0 is
            a number like the others.
    """

    least: int
    most: int
    is_stricter_when_larger: bool = False
    zero: str = ""

    def faults(self, written: object, path: str) -> Iterator[Fault]:
        """What is not a number of the range."""
        # A bool is an int to Python, not to an administrator.
        if type(written) is int and (self.least <= written <= self.most or (self.zero and written == 0)):
            return
        zero = f"0 ({self.zero}) or " if self.zero and self.least else ""
        reason = f"must be {zero}a whole number from {self.least} to {self.most}{self._unit}"
        yield Fault(path=path, reason=reason, hint=self._hint(written))

    @property
    def range_text(self) -> str:
        """The range as people write it."""
        zero = f", 0 = {self.zero}" if self.zero else ""
        return f"{self.show(self.least)} to {self.show(self.most)}{zero}"

    @property
    def order_text(self) -> str:
        """By size."""
        return "larger" if self.is_stricter_when_larger else "smaller"

    def strictest(self, written: Sequence[Any]) -> Any:
        """The largest or the smallest."""
        return max(written, key=self._strictness)

    def schema(self) -> dict[str, Any]:
        """A range, and 0 where it means something."""
        ranged: dict[str, Any] = {"type": "integer", "minimum": self.least, "maximum": self.most}
        return {"anyOf": [{"const": 0, "description": self.zero}, ranged]} if self.zero and self.least else ranged

    def parse(self, text: str) -> Any:
        """Of "10"."""
        return int(text)

    @property
    def _unit(self) -> str:
        return ""

    def _hint(self, written: object) -> str:
        """What a text may have been meant to say; empty: nothing is known."""
        return f"write {written}, without quotes" if isinstance(written, str) and written.isdecimal() else ""

    def _strictness(self, number: int) -> tuple[bool, int]:
        is_off = bool(self.zero) and number == 0
        return not is_off, number if self.is_stricter_when_larger else -number


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRule(NumberRule):
    """A time in whole seconds, the unit in the key."""

    suffix: ClassVar[str] = "_seconds"

    def read(self, written: Any) -> Any:
        """As a timedelta."""
        return timedelta(seconds=written)

    def write(self, value: Any) -> Any:
        """In whole seconds."""
        return int(value.total_seconds())

    def parse(self, text: str) -> Any:
        """Of "8h"."""
        return self.write(parse_duration(text))

    def show(self, written: Any) -> str:
        """As "8h"."""
        return format_duration(self.read(written))

    @property
    def _unit(self) -> str:
        return " seconds"

    def _hint(self, written: object) -> str:
        try:
            return f"write {self.parse(written)}" if isinstance(written, str) else ""
        except (ValueError, OverflowError):
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRule(Rule):
    """One of some words, or yes or no.

    Attributes:
        choices: From the loosest to the strictest.
    """

    choices: tuple[str | bool, ...]

    def faults(self, written: object, path: str) -> Iterator[Fault]:
        """What is none of them."""
        if not any(type(written) is type(choice) and written == choice for choice in self.choices):
            known = [self.show(choice) for choice in self.choices]
            yield Fault(path=path, reason=f"must be one of {', '.join(known)}", hint=did_you_mean(written, known))

    @property
    def range_text(self) -> str:
        """All of them."""
        return ", ".join(self.show(choice) for choice in self.choices)

    @property
    def order_text(self) -> str:
        """The last one."""
        return self.show(self.choices[-1]) if len(self.choices) == 2 else "the later"  # noqa: PLR2004 - of two

    def strictest(self, written: Sequence[Any]) -> Any:
        """The last of them."""
        return max(written, key=self.choices.index)

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"type": "boolean"} if True in self.choices else {"enum": list(self.choices)}

    def parse(self, text: str) -> Any:
        """Of "true" or a word."""
        said: dict[str, bool] = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return said.get(text.lower(), text) if True in self.choices else text


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRule(Rule):
    """A short text; in a row of a list, what the row is about."""

    longest: int

    def faults(self, written: object, path: str) -> Iterator[Fault]:
        """What is no text, or too long."""
        if not isinstance(written, str) or len(written) > self.longest or not written.isprintable():
            yield Fault(path=path, reason=f"must be a text of at most {self.longest} printable characters")

    @property
    def range_text(self) -> str:
        """Its length."""
        return f"at most {self.longest} characters"

    @property
    def order_text(self) -> str:
        """None."""
        return ""

    def strictest(self, written: Sequence[Any]) -> Any:
        """Any: texts are compared, not ranked."""
        return max(written)

    def schema(self) -> dict[str, Any]:
        """A text."""
        return {"type": "string", "maxLength": self.longest}

    def parse(self, text: str) -> Any:
        """As it is."""
        return text
