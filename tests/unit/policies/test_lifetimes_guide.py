"""The guide to lifetimes says what is so."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Final

from argus.base.policy import Policy

GUIDE: Final = Path(__file__).parents[3] / "docs" / "guides" / "lifetimes.md"
UNITS: Final = {"h": timedelta(hours=1), "min": timedelta(minutes=1)}


def test_asvs_7_1_1_the_defaults_are_those_of_the_guide() -> None:
    text = GUIDE.read_text("utf-8")
    rows = re.findall(r"\(`(idle|absolute|access)`\) \| (\d+) (h|min) \|", text)
    assert {name: int(number) * UNITS[unit] for name, number, unit in rows} == {
        name: getattr(Policy(), name) for name in ("idle", "absolute", "access")
    }
    assert f"| {Policy().session_limit}, then the oldest ends |" in text
    assert Policy().on_limit == "end_oldest"
    assert Policy().step_up_age == timedelta(minutes=5)
