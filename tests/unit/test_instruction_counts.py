"""A work that takes more instructions than its baseline allows is told, and nothing else is."""

import pytest

from bench.instructions.counting import compare


@pytest.mark.parametrize(
    ("before", "now", "verdict", "is_red"),
    [
        (1000, 1000, "", False),
        (1000, 1020, "", False),
        (1000, 1021, "SLOWER", True),
        (1000, 980, "", False),
        (1000, 979, "faster", False),
        (1000, None, "GONE", True),
        (None, 1000, "NEW", True),
    ],
)
def test_what_is_told(before: int | None, now: int | None, verdict: str, is_red: bool) -> None:
    counted = {"other": 5} | ({} if now is None else {"work": now})
    baseline = {"other": 5} | ({} if before is None else {"work": before})
    changes = {change.name: change for change in compare(baseline, counted, 2.0)}
    assert (changes["work"].verdict, changes["work"].is_red) == (verdict, is_red)
    assert not changes["other"].is_red


def test_a_wider_tolerance_lets_more_pass() -> None:
    (change,) = compare({"work": 1000}, {"work": 1100}, 15.0)
    assert not change.is_red
    assert change.percent == pytest.approx(10)
