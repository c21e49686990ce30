"""What the fields of a policy take that hold several values: names, numbers by name, and rows."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from argus.base.policy_rules import Fault, NumberRule, Rule, TextRule, did_you_mean

MOST_ROWS: Final = 100
"""Most values that a field holds."""

EVERYTHING: Final = "*"
"""In a list of what is allowed: nothing is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesRule(Rule):
    """A set of names, written as a list; a `Policy` has a sorted tuple.

    Attributes:
        choices: The names that there are; empty: all of the pattern.
        pattern: What each matches.
        is_allowing: They are what is allowed, so that what several lists have in common is the strictest, and "*" is
            all there is; else they are demands or refusals, and all of them together are.
    """

    choices: tuple[str, ...] = ()
    pattern: str = r"\S{1,100}"
    is_allowing: bool = False

    def faults(self, written: object, path: str) -> Iterator[Fault]:
        """What is no list, or has what is no such name."""
        if not isinstance(written, list | tuple) or len(written) > MOST_ROWS:
            hint = f'write ["{written}"]' if isinstance(written, str) else ""
            yield Fault(path=path, reason=f"must be a list of at most {MOST_ROWS}", hint=hint)
            return
        for place, name in enumerate(written):
            if self.is_allowing and name == EVERYTHING:
                continue
            if self.choices and name not in self.choices:
                reason = f"must be one of {', '.join(self.choices)}"
                yield Fault(path=f"{path}[{place}]", reason=reason, hint=did_you_mean(name, self.choices))
            elif not isinstance(name, str) or not name.isprintable() or not re.fullmatch(self.pattern, name):
                yield Fault(path=f"{path}[{place}]", reason=f"must match {self.pattern}")

    @property
    def range_text(self) -> str:
        """The names that there are, or their pattern."""
        return ("* or " if self.is_allowing else "") + (", ".join(self.choices) or f"names like `{self.pattern}`")

    @property
    def order_text(self) -> str:
        """How several lists become one."""
        return "what all have" if self.is_allowing else "all together"

    def strictest(self, written: Sequence[Any]) -> Any:
        """What they have in common of what is allowed; all of what is demanded or refused."""
        if not self.is_allowing:
            return sorted(set().union(*written))
        limits = [set(names) for names in written if EVERYTHING not in names]
        return sorted(set.intersection(*limits)) if limits else [EVERYTHING]

    def schema(self) -> dict[str, Any]:
        """An array of texts without doubles."""
        names = (EVERYTHING, *self.choices) if self.is_allowing else self.choices
        item: dict[str, Any] = {"enum": list(names)} if self.choices else {"type": "string"}
        return {"type": "array", "items": item, "uniqueItems": True, "maxItems": MOST_ROWS}

    def read(self, written: Any) -> Any:
        """As a sorted tuple."""
        return tuple(sorted(set(written)))

    def write(self, value: Any) -> Any:
        """As a list."""
        return list(value)

    def parse(self, text: str) -> Any:
        """Of "a, b"."""
        return [name.strip() for name in text.split(",") if name.strip()]

    def show(self, written: Any) -> str:
        """As "a, b"."""
        return ", ".join(written) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersRule(Rule):
    """Numbers by name, written as an object; a `Policy` has a sorted tuple of pairs.

    Attributes:
        names: The names that there are.
        number: What each number is held to.
    """

    names: tuple[str, ...]
    number: NumberRule

    def faults(self, written: object, path: str) -> Iterator[Fault]:
        """What is no object, or has other names or numbers."""
        if not isinstance(written, Mapping):
            yield Fault(path=path, reason=f"must be an object of numbers by {', '.join(self.names)}")
            return
        for name, value in written.items():
            if name not in self.names:
                reason = f"must be one of {', '.join(self.names)}"
                yield Fault(path=f"{path}.{name}", reason=reason, hint=did_you_mean(name, self.names))
            else:
                yield from self.number.faults(value, f"{path}.{name}")

    @property
    def range_text(self) -> str:
        """A number of each name."""
        return f"for each of {', '.join(self.names)}: {self.number.range_text}"

    @property
    def order_text(self) -> str:
        """By name."""
        return f"{self.number.order_text}, name by name"

    def strictest(self, written: Sequence[Any]) -> Any:
        """The strictest number of each name."""
        return _by_name(dict.fromkeys(self.names, self.number), written)

    def schema(self) -> dict[str, Any]:
        """An object without other names."""
        properties = {name: self.number.schema() for name in self.names}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def read(self, written: Any) -> Any:
        """As sorted pairs."""
        return tuple(sorted(written.items()))

    def write(self, value: Any) -> Any:
        """As an object."""
        return dict(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsRule(Rule):
    """Rows of a table of its own, written as a list of objects; a `Policy` has a tuple of the table's rows.

    Rows are about the same if their texts are: then the strictest of their other values counts.

    Attributes:
        table: Class of a row.
        rules: Those of its fields, by key.
    """

    table: type
    rules: Mapping[str, Rule]

    def faults(self, written: object, path: str) -> Iterator[Fault]:
        """What is no list of such rows, or has two about the same."""
        if not isinstance(written, list | tuple) or len(written) > MOST_ROWS:
            yield Fault(path=path, reason=f"must be a list of at most {MOST_ROWS} objects")
            return
        seen: dict[tuple[str, ...], int] = {}
        for place, row in enumerate(written):
            here = f"{path}[{place}]"
            if not isinstance(row, Mapping):
                yield Fault(path=here, reason="must be an object")
                continue
            found = [fault for key, value in row.items() for fault in self._row_faults(key, value, f"{here}.{key}")]
            yield from found
            if not found and seen.setdefault(self._about(row), place) != place:
                yield Fault(path=here, reason=f"is about the same as row {seen[self._about(row)]}")

    @property
    def range_text(self) -> str:
        """The keys of a row."""
        return "; ".join(f"{key}: {rule.range_text}" for key, rule in self.rules.items())

    @property
    def order_text(self) -> str:
        """By row."""
        return "value by value of rows about the same"

    def strictest(self, written: Sequence[Any]) -> Any:
        """The strictest of the rows that are about the same."""
        alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
        for row in (row for rows in written for row in rows):
            alike[self._about(row)].append(row)
        return [_by_name(self.rules, alike[about]) for about in sorted(alike)]

    def schema(self) -> dict[str, Any]:
        """An array of objects."""
        properties = {key: {"description": rule.text, **rule.schema()} for key, rule in self.rules.items()}
        row = {"type": "object", "properties": properties, "additionalProperties": False}
        return {"type": "array", "items": row, "maxItems": MOST_ROWS}

    def read(self, written: Any) -> Any:
        """As rows of the table."""
        return tuple(
            self.table(**{key.removesuffix(self.rules[key].suffix): self.rules[key].read(row[key]) for key in row})
            for row in sorted(written, key=self._about)
        )

    def write(self, value: Any) -> Any:
        """As objects of what differs from the defaults."""
        rows = [
            {key: (rule, getattr(row, key.removesuffix(rule.suffix))) for key, rule in self.rules.items()}
            for row in value
        ]
        return [{key: rule.write(said) for key, (rule, said) in row.items() if said != rule.default} for row in rows]

    def _row_faults(self, key: str, value: object, path: str) -> Iterator[Fault]:
        if key not in self.rules:
            reason = f"is not one of {', '.join(self.rules)}"
            return iter([Fault(path=path, reason=reason, hint=did_you_mean(key, self.rules))])
        return self.rules[key].faults(value, path)

    def _about(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(row.get(key, "") for key, rule in self.rules.items() if isinstance(rule, TextRule))


def _by_name(rules: Mapping[str, Rule], written: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    said = {key: [one[key] for one in written if key in one] for key in rules}
    return {key: rules[key].strictest(values) for key, values in said.items() if values}


def as_json(written: Any) -> str:
    """The one text of a value: two that mean the same have the same."""
    return json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
