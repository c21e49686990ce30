"""Each login, cookie and refresh row of `endpoint-attacks.csv` has a test at every door that it concerns.

The tests are named after their rows; what is missing is said here.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

from tests.support.vectors import vector_path

TESTS: Final = Path(__file__).parents[1]
AREAS: Final = {"login", "cookie", "refresh"}
GRPC: Final = (
    "security/test_refresh_attacks.py",
    "security/test_login_attacks.py",
    "flows/test_factors.py",
    "security/test_sign_in_attacks.py",
)
HTTP: Final = (
    "web/browser/test_attacks.py",
    "web/browser/test_login_attacks.py",
    "web/browser/test_other_sites.py",
)
HTTP_ONLY: Final = {"F10", "K01", "K03"}
"""Cookies, and what other sites send along with them."""
GAPS: Final = {"L04": "that one password fails for many users is not counted: that comes with the detections"}
"""What a row expects and its test does not find."""


def test_every_row_has_its_tests() -> None:
    with vector_path("endpoint-attacks.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["id"] for row in csv.DictReader(file) if row["area"] in AREAS}
    assert rows, "the file has other areas than it had"
    assert rows == _named(HTTP)
    assert rows - HTTP_ONLY == _named(GRPC)
    assert GAPS.keys() <= rows


def _named(files: tuple[str, ...]) -> set[str]:
    """Rows that tests of these files are named after."""
    named = (
        re.findall(r"^async def test_([fkl]\d\d)_", (TESTS / file).read_text("utf-8"), re.MULTILINE) for file in files
    )
    return {row.upper() for rows in named for row in rows}
