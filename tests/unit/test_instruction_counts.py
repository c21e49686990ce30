"""A work that takes more instructions than its baseline allows is told, and nothing else is."""

import pytest

from bench.instructions.counting import compare


@pytest.mark.parametrize(
    ("before", "now", "verdict", "is_red"),
    [
        (10_000, 10_000, "", False),
        (10_000, 10_200, "", False),
        (10_000, 10_201, "SLOWER", True),
        (10_000, 9_800, "", False),
        (10_000, 9_799, "faster", False),
        (10_000, None, "GONE", True),
        (None, 10_000, "NEW", True),
        # Few either way.
        (120, 169, "", False),
        (120, 170, "SLOWER", True),
        (120, 71, "", False),
        (120, 70, "faster", False),
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
