"""Declares the fields of a policy: a line each, in the table `argus.base.policy`.

Each returns what a dataclass takes as the field's default; checks, merging, settings, the reference page and the JSON
Schema are made of the rule that it carries.
"""

from collections.abc import Sequence
from dataclasses import field, fields
from datetime import timedelta
from typing import Any, Final, cast

from argus.base.durations import parse_duration
from argus.base.policy_lists import NamesRule, NumbersRule, RowsRule
from argus.base.policy_networks import NetworksRule
from argus.base.policy_rules import ChoiceRule, NumberRule, Rule, SpanRule, TextRule

_RULE: Final = "rule"


def span(
    default: str,
    text: str,
    *,
    least: timedelta | str,
    most: timedelta | str,
    longer_is_stricter: bool = False,
    zero: str = "",
    is_setting: bool = True,
) -> timedelta:
    """A time, such as "8h"; its key in documents ends with `_seconds`.

    Args:
        default: What holds where nothing is set.
        text: What it means, in a line.
        least: The least that may be set.
        most: The most that may be set.
        longer_is_stricter: The longer of two is the stricter one.
        zero: What 0 means where it is looser than all ("never").
        is_setting: An installation may set a default of its own.
    """
    rule = SpanRule(
        text=text,
        default=parse_duration(default),
        least=_seconds(least),
        most=_seconds(most),
        is_stricter_when_larger=longer_is_stricter,
        zero=zero,
        is_setting=is_setting,
    )
    return cast("timedelta", _declared(rule))


def number(
    default: int,
    text: str,
    *,
    least: int,
    most: int,
    larger_is_stricter: bool = False,
    zero: str = "",
    is_for_all: bool = False,
) -> int:
    """A whole number.

    Args:
        default: What holds where nothing is set.
        text: What it means, in a line.
        least: The least that may be set.
        most: The most that may be set.
        larger_is_stricter: The larger of two is the stricter one.
        zero: What 0 means where it is looser than all ("no limit").
        is_for_all: The strictest value of all scopes counts, not that of the most specific one.
    """
    rule = NumberRule(
        text=text,
        default=default,
        least=least,
        most=most,
        is_stricter_when_larger=larger_is_stricter,
        zero=zero,
        is_for_all=is_for_all,
    )
    return cast("int", _declared(rule))


def choice(default: str, text: str, *, choices: Sequence[str], is_for_all: bool = False) -> Any:
    """One of some words, given from the loosest to the strictest.

    Args:
        default: What holds where nothing is set.
        text: What it means, in a line.
        choices: The words.
        is_for_all: The strictest value of all scopes counts, not that of the most specific one.
    """
    return _declared(ChoiceRule(text=text, default=default, choices=tuple(choices), is_for_all=is_for_all))


def flag(text: str, *, default: bool, stricter: bool, is_for_all: bool = False) -> bool:
    """A yes or no.

    Args:
        text: What a yes means, in a line.
        default: What holds where nothing is set.
        stricter: Which of the two is the stricter one.
        is_for_all: The strictest value of all scopes counts, not that of the most specific one.
    """
    rule = ChoiceRule(text=text, default=default, choices=(not stricter, stricter), is_for_all=is_for_all)
    return cast("bool", _declared(rule))


def names(
    default: Sequence[str],
    text: str,
    *,
    choices: Sequence[str] = (),
    pattern: str = r"\S{1,100}",
    is_allowing: bool = False,
    is_for_all: bool = False,
) -> tuple[str, ...]:
    """A set of names.

    Args:
        default: What holds where nothing is set; of what is allowed, "*" is everything.
        text: What they mean, in a line.
        choices: The names that there are; empty: all of the pattern.
        pattern: What each matches.
        is_allowing: They are what is allowed: the strictest of several lists is what they have in common. Else all of
            them together are.
        is_for_all: Those of all scopes count, not those of the most specific one.
    """
    rule = NamesRule(
        text=text,
        default=tuple(sorted(default)),
        choices=tuple(choices),
        pattern=pattern,
        is_allowing=is_allowing,
        is_for_all=is_for_all,
    )
    return cast("tuple[str, ...]", _declared(rule))


def networks(text: str) -> tuple[str, ...]:
    """A set of networks; none by default."""
    return cast("tuple[str, ...]", _declared(NetworksRule(text=text, default=())))


def numbers(
    text: str, *, names: Sequence[str], least: int, most: int, larger_is_stricter: bool = False, zero: str = ""
) -> tuple[tuple[str, int], ...]:
    """Numbers by name; none by default.

    Args:
        text: What they mean, in a line.
        names: The names that there are.
        least: The least that may be set.
        most: The most that may be set.
        larger_is_stricter: The larger of two is the stricter one.
        zero: What 0 means where it is looser than all ("no limit").
    """
    each = NumberRule(
        text=text, default=0, least=least, most=most, is_stricter_when_larger=larger_is_stricter, zero=zero
    )
    return cast(
        "tuple[tuple[str, int], ...]", _declared(NumbersRule(text=text, default=(), names=tuple(names), number=each))
    )


def rows(text: str, *, table: type) -> Any:
    """Rows of a table of its own, none by default: a frozen dataclass whose fields are declared by these functions.

    Rows are about the same if their texts (`word`) are: of those the strictest other values count.
    """
    return _declared(RowsRule(text=text, default=(), table=table, rules=rules_of(table)))


def word(text: str, *, longest: int = 100) -> str:
    """A text, empty by default: what a row is about."""
    return cast("str", _declared(TextRule(text=text, default="", longest=longest)))


def rules_of(table: type) -> dict[str, Rule]:
    """The rules of a table's fields, by the fields' keys in documents."""
    rules: list[tuple[str, Rule]] = [(one.name, one.metadata[_RULE]) for one in fields(table)]
    return {name + rule.suffix: rule for name, rule in rules}


def _declared(rule: Rule) -> Any:
    return field(default=rule.default, metadata={_RULE: rule})


def _seconds(bound: timedelta | str) -> int:
    return int(parse_duration(bound).total_seconds())
