"""What the kinds of a policy's fields take, and which of several values is the strictest."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.policy import RULES
from argus.base.policy_fields import choice, flag, names, number, numbers, rows, rules_of, span, word
from argus.base.policy_rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A row: about a scope."""

    scope: str = word("Scope.")
    below: int = number(0, "Floor.", least=0, most=100, larger_is_stricter=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A field of each kind."""

    life: timedelta = span("1h", "Life.", least="1m", most="2h")  # noqa: RUF009
    unused: timedelta = span("0s", "Unused.", least="1m", most="2h", zero="never")  # noqa: RUF009
    kept: timedelta = span("1h", "Kept.", least="1m", most="2h", longer_is_stricter=True)  # noqa: RUF009
    limit: int = number(0, "Limit.", least=1, most=9, zero="none")
    action: str = choice("allow", "Action.", choices=("allow", "step_up", "end"))
    open: bool = flag("Open.", default=True, stricter=False)
    allowed: tuple[str, ...] = names(("*",), "Allowed.", pattern="[A-Z]{2}", is_allowing=True)
    denied: tuple[str, ...] = names((), "Denied.", pattern="[A-Z]{2}")
    limits: tuple[tuple[str, int], ...] = numbers("Limits.", names=("phone", "tablet"), least=1, most=9, zero="none")
    floors: tuple[Floor, ...] = rows("Floors.", table=Floor)


TABLE: Final = rules_of(Table)


@pytest.mark.parametrize(
    ("key", "written", "strictest"),
    [
        ("life_seconds", [900, 60, 3600], 60),
        ("unused_seconds", [0, 900, 3600], 900),
        ("unused_seconds", [0, 0], 0),
        ("kept_seconds", [900, 60, 3600], 3600),
        ("limit", [0, 5, 3], 3),
        ("action", ["step_up", "allow"], "step_up"),
        ("open", [True, False], False),
        ("allowed", [["*"], ["DE", "FR"], ["FR", "IT"]], ["FR"]),
        ("allowed", [["DE"], ["FR"]], []),
        ("allowed", [["*"], ["*"]], ["*"]),
        ("denied", [["DE"], [], ["FR", "DE"]], ["DE", "FR"]),
        ("limits", [{"phone": 3}, {"phone": 2, "tablet": 5}, {"phone": 0}], {"phone": 2, "tablet": 5}),
        (
            "floors",
            [[{"scope": "pay", "below": 20}], [{"scope": "pay", "below": 40}, {"below": 10}]],
            [{"below": 10}, {"scope": "pay", "below": 40}],
        ),
    ],
)
def test_the_strictest_of_several_values(key: str, written: list[Any], strictest: Any) -> None:
    """By the plainest reading of each kind, in any order."""
    assert TABLE[key].strictest(written) == strictest
    assert TABLE[key].strictest(written[::-1]) == strictest


@pytest.mark.parametrize(
    ("key", "written", "path", "part"),
    [
        ("life_seconds", 59, "p", "from 60 to 7200 seconds"),
        ("unused_seconds", 1, "p", "0 (never) or a whole number from 60"),
        ("limit", True, "p", "whole number"),
        ("action", "stepup", "p", 'did you mean "step_up"?'),
        ("open", "yes", "p", "must be one of true, false"),
        ("allowed", "DE", "p", "must be a list"),
        ("allowed", ["DE", "Germany"], "p[1]", "must match [A-Z]{2}"),
        ("denied", ["*"], "p[0]", "must match"),
        ("limits", {"fone": 1}, "p.fone", 'did you mean "phone"?'),
        ("limits", {"phone": 10}, "p.phone", "0 (none) or a whole number from 1 to 9"),
        ("limits", [], "p", "must be an object"),
        ("floors", [{"scop": "pay"}], "p[0].scop", 'did you mean "scope"?'),
        ("floors", [{"below": 101}], "p[0].below", "from 0 to 100"),
        ("floors", [{"scope": "a", "below": 1}, {"scope": "a"}], "p[1]", "about the same as row 0"),
    ],
)
def test_what_is_refused(key: str, written: Any, path: str, part: str) -> None:
    """Path, reason and hint of each."""
    (fault,) = TABLE[key].faults(written, "p")
    assert fault.path == path
    assert part in fault.text


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("life_seconds", "90m", timedelta(minutes=90)),
        ("limit", "3", 3),
        ("open", "FALSE", False),
        ("action", "end", "end"),
        ("allowed", "FR, DE", ("DE", "FR")),
        ("denied", "", ()),
        ("limits", '{"phone": 2}', (("phone", 2),)),
        ("floors", '[{"scope": "pay", "below": 40}]', (Floor(scope="pay", below=40),)),
    ],
)
def test_the_texts_of_settings(key: str, text: str, value: Any) -> None:
    """What the environment says is read, and written again as it was read."""
    rule = TABLE[key]
    written = rule.parse(text)
    assert not list(rule.faults(written, ""))
    assert rule.read(written) == value
    assert rule.read(rule.write(value)) == value
    hash(value)


@pytest.mark.parametrize("key", [*TABLE, *RULES])
def test_every_default_can_be_set(key: str) -> None:
    """What holds where nothing is set is good, is said in the schema, and survives its document."""
    rule: Rule = (TABLE | RULES)[key]
    written = rule.write(rule.default)
    assert not list(rule.faults(written, key))
    assert rule.read(written) == rule.default
    assert rule.schema()
    assert rule.text.endswith(".")


@given(st.lists(st.integers(0, 9), min_size=1))
def test_no_strictest_number_allows_more(written: list[int]) -> None:
    """Against the plainest model: as many sessions fit as fit under every limit; 0 is none."""

    def fits(count: int, limit: int) -> bool:
        return limit == 0 or count <= limit

    strictest = TABLE["limit"].strictest(written)
    for count in range(12):
        assert fits(count, strictest) == all(fits(count, limit) for limit in written)
