"""`docs/controls.md` names every requirement of ASVS 5.0 V3, V6 and V7, and tests that there are."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
# Levels in the order of the numbers: V3.2.1 is of level 1, V3.2.3 of level 3.
LEVELS: Final = {
    "V3.1": "3",
    "V3.2": "113",
    "V3.3": "12223",
    "V3.4": "11222233",
    "V3.5": "11122333",
    "V3.6": "3",
    "V3.7": "22333",
    "V6.1": "122",
    "V6.2": "111111112222",
    "V6.3": "11223333",
    "V6.4": "112233",
    "V6.5": "22222333",
    "V6.6": "2223",
    "V6.7": "33",
    "V6.8": "2222",
    "V7.1": "222",
    "V7.2": "1111",
    "V7.3": "22",
    "V7.4": "11222",
    "V7.5": "223",
    "V7.6": "22",
}
_ROW: Final = re.compile(r"\| (?P<id>V[\d.]+) \| (?P<level>\d) \| (?P<asked>.+?) \| (?P<how>.*?) ?\| (?P<held>.+) \|")
_TEST: Final = re.compile(r"`(tests/[\w/]+\.py::test_\w+)`")
_REASON: Final = re.compile(r"\*\*(?:Gap|Not ours)\*\*: \S+ \S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A requirement in the table."""

    id: str
    level: str
    held: str

    @property
    def tests(self) -> list[str]:
        """The tests that it names."""
        return _TEST.findall(self.held)

    def faults(self) -> Iterator[str]:
        """What is wrong with it, by itself."""
        named = self.held.count("::")
        if named != len(self.tests):
            yield "names a test in another form than `tests/path.py::test_name`"
        if not self.tests and not _REASON.search(self.held):
            yield "names no test, and neither a gap nor why it is not ours"
        if self.tests and "**Not ours**" in self.held:
            yield "is not ours and has a test"


def rows_of(text: str) -> list[Row]:
    """The rows of all tables; a line that begins like one and is none is a fault."""
    lines = [line for line in text.splitlines() if line.startswith("| V")]
    found = [(line, _ROW.fullmatch(line)) for line in lines]
    assert [line for line, match in found if match is None] == []
    return [Row(id=match["id"], level=match["level"], held=match["held"]) for _, match in found if match]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Those of the page."""
    return rows_of((ROOT / "docs/controls.md").read_text("utf-8"))


def test_every_requirement_has_its_row_and_level(rows: list[Row]) -> None:
    """In the standard's order, each once."""
    asked = [
        (f"{section}.{number}", level) for section, levels in LEVELS.items() for number, level in enumerate(levels, 1)
    ]
    assert [(row.id, row.level) for row in rows] == asked


def test_a_row_without_a_test_says_why(rows: list[Row]) -> None:
    """A gap is named, and so is what does not concern Argus."""
    assert [(row.id, fault) for row in rows for fault in row.faults()] == []


def test_every_named_test_is_collected(rows: list[Row]) -> None:
    """By pytest itself, as the whole suite is."""
    named = {test for row in rows for test in row.tests}
    files = sorted({test.partition("::")[0] for test in named})
    assert [file for file in files if not (ROOT / file).is_file()] == []
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False).stdout
    collected = {line.partition("[")[0] for line in listed.splitlines()}
    assert len(collected) > len(files)
    assert sorted(named - collected) == []


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        ("", "neither a gap"),
        ("**Gap**:", "neither a gap"),
        ("tested by hand", "neither a gap"),
        ("`tests/unit/test_x.py::TestX`", "another form"),
        ("`tests/unit/test_x.py::test_y`<br>tests/unit/test_x.py::test_z", "another form"),
        ("`tests/unit/test_x.py::test_y`<br>**Not ours**: since when", "has a test"),
    ],
)
def test_faults_are_found(held: str, fault: str) -> None:
    """The check could fail."""
    assert any(fault in found for found in Row(id="V1.1.1", level="1", held=held).faults())
