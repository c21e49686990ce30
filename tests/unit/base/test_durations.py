"""Durations as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argus.base.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"), [("8h", 28_800), ("1h30m", 5400), ("250ms", 0.25), ("2d", 172_800), ("1m 5s", 65), ("0s", 0)]
)
def test_reads_units(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "h", "8 hours", "-1s", "1.5h", "10s!"])
def test_refuses_what_has_no_unit_or_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="number with a unit"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**11))
def test_reads_what_it_writes(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration
