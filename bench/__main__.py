"""Runs every benchmark of the goal table, one after the other, and prints all rows; ends with 1 if a goal was missed.

Each is ended when it takes too long, and a result that is not this run's is never shown as if it were.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.parts import PARTS, Part
from bench.rows import MET, RESULTS, Row

_ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a part.

    Attributes:
        part: The part.
        seconds: How long it took.
        fault: Why it has no figures; empty: it has.
        content: Its result file.
    """

    part: Part
    seconds: float
    fault: str
    content: dict[str, Any]

    @property
    def rows(self) -> list[Row]:
        """Its rows."""
        return [Row(**row) for row in self.content.get("rows", ())]

    @property
    def is_good(self) -> bool:
        """It has figures, and they miss no goal."""
        return not self.fault and all(row.met is not False for row in self.rows)


def main() -> int:
    """Runs the parts; 0 if no goal was missed."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these parts alone")
    parser.add_argument("--table", action="store_true", help="run nothing: show what the result files say")
    parser.add_argument("--json", action="store_true", help="print all rows as JSON")
    options = parser.parse_args()
    said = Console(stderr=True, highlight=False)
    asked = [part for part in PARTS if part.name in options.only]
    outcomes = []
    for number, part in enumerate(asked, 1):
        if not options.table:
            said.print(f"[bold]{number}/{len(asked)} {part.name}[/]: {part.claim}")
        outcomes.append(_kept(part) if options.table else _run(part))
    if options.json:
        sys.stdout.write(json.dumps([_plain(one) for one in outcomes], indent=2, ensure_ascii=False) + "\n")
    else:
        show(Console(highlight=False, width=None if sys.stdout.isatty() else 160), outcomes)
    return 0 if all(one.is_good for one in outcomes) else 1


def _run(part: Part) -> Outcome:
    """Runs a part in a process of its own, whose bar is shown and whose tables are not."""
    path, begun = RESULTS / f"{part.name}.json", time.monotonic()
    before = path.stat().st_mtime_ns if path.exists() else None
    command = [sys.executable, "-m", f"bench.{part.name}"]
    fault = ""
    try:
        ended = subprocess.run(  # noqa: S603  # our own words
            command, cwd=_ROOT, stdout=subprocess.DEVNULL, check=False, timeout=part.longest
        )
        # 1 is a goal that was missed, or no figure at all.
        fault = "" if ended.returncode in (0, 1) else f"it ended with {ended.returncode}"
    except subprocess.TimeoutExpired:
        fault = f"it took more than {part.longest} s"
    seconds = time.monotonic() - begun
    if not fault and (not path.exists() or path.stat().st_mtime_ns == before):
        fault = "it has written no result"
    return Outcome(part=part, seconds=seconds, fault=fault, content={} if fault else _read(path))


def _kept(part: Part) -> Outcome:
    path = RESULTS / f"{part.name}.json"
    fault = "" if path.exists() else "there is no result"
    return Outcome(part=part, seconds=0, fault=fault, content={} if fault else _read(path))


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _plain(outcome: Outcome) -> dict[str, Any]:
    told = {"part": outcome.part.name, "seconds": round(outcome.seconds, 1), "fault": outcome.fault}
    return told | {key: outcome.content.get(key) for key in ("commit", "time", "machine", "rows")}


def show(console: Console, outcomes: Sequence[Outcome]) -> None:
    """Prints a line for each row.

    Args:
        console: Where to.
        outcomes: What came of the parts.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, style in (
        ("part", "dim"),
        ("row", ""),
        ("value", ""),
        ("goal", ""),
        ("met", ""),
        ("what it is", "dim"),
    ):
        table.add_column(column, style=style or None, justify="right" if column == "value" else "left")
    for one in outcomes:
        if one.fault:
            table.add_row(one.part.name, f"[red]{one.fault}[/]", "-", "-", MET[False], "")
        for row in one.rows:
            table.add_row(one.part.name, row.name, row.shown, row.goal, MET[row.met], row.why or row.unit)
    console.print(table)
    rows = [row for one in outcomes for row in one.rows]
    missed = sum(row.met is False for row in rows) + sum(bool(one.fault) for one in outcomes)
    met, skipped = sum(row.met is True for row in rows), sum(row.value is None for row in rows)
    commits = {str(one.content["commit"]) for one in outcomes if "commit" in one.content}
    console.print(f"goals: {met} met, {missed} missed, {skipped} skipped; commit {', '.join(sorted(commits)) or '-'}")


if __name__ == "__main__":
    sys.exit(main())
