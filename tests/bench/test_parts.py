"""`make bench` runs what it says, and takes no result for another's."""

import importlib.util
import json
from pathlib import Path

import pytest
from rich.console import Console

import bench.__main__ as whole
from bench.parts import PARTS, Part
from bench.rows import Row


def test_every_part_is_a_benchmark_that_can_be_run_and_all_together_end_within_their_time() -> None:
    for part in PARTS:
        assert importlib.util.find_spec(f"bench.{part.name}.__main__"), part.name
    assert len({part.name for part in PARTS}) == len(PARTS)


def _part(folder: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Part:
    """A benchmark of one's own, in a folder of its own."""
    module = folder / "bench" / "made_up"
    module.mkdir(parents=True)
    for place in (module.parent, module):
        (place / "__init__.py").touch()
    (module / "__main__.py").write_text(program)
    (folder / "results").mkdir()
    monkeypatch.setattr(whole, "_ROOT", folder)
    monkeypatch.setattr(whole, "RESULTS", folder / "results")
    return Part(name="made_up", claim="nothing", longest=20)


_WRITES = """
import json, pathlib, sys
row = {{"name": "one", "value": 1.0, "unit": "", "goal": "≤ 2", "met": {met}, "why": ""}}
pathlib.Path("results/made_up.json").write_text(json.dumps({{"commit": "c", "rows": [row]}}))
sys.exit({code})
"""


@pytest.mark.parametrize(("met", "code", "is_good"), [("True", 0, True), ("False", 1, False)])
def test_rows_come_from_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, met: str, code: int, is_good: bool
) -> None:
    outcome = whole._run(_part(tmp_path, monkeypatch, _WRITES.format(met=met, code=code)))
    assert (outcome.fault, outcome.is_good, [row.name for row in outcome.rows]) == ("", is_good, ["one"])


@pytest.mark.parametrize("program", ["", "raise SystemExit(1)", "raise SystemExit(3)", "import time; time.sleep(60)"])
def test_a_part_that_wrote_nothing_has_a_fault_and_not_the_figures_of_an_older_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    part = _part(tmp_path, monkeypatch, program)
    (tmp_path / "results" / "made_up.json").write_text(json.dumps({"commit": "old", "rows": []}))
    outcome = whole._run(Part(name=part.name, claim=part.claim, longest=2))
    assert outcome.fault
    assert not outcome.is_good
    assert not outcome.rows


def test_the_table_counts_what_is_met_missed_and_skipped() -> None:
    rows = [
        Row.at_least("a", 13, "×", 12),
        Row.at_most("b", 2, "×", 1.25),
        Row.skipped("c", "×", "≥ 30", "no caches"),
        Row.told("d", 1, "µs"),
    ]
    content = {"commit": "c0ffee", "rows": [{name: getattr(row, name) for name in row.__slots__} for row in rows]}
    good = whole.Outcome(part=PARTS[0], seconds=1, fault="", content=content)
    bad = whole.Outcome(part=PARTS[1], seconds=1, fault="it has written no result", content={})
    console = Console(record=True, width=200)
    whole.show(console, [good, bad])
    assert "goals: 1 met, 2 missed, 1 skipped; commit c0ffee" in console.export_text()
