"""Counts the instructions of every work, and ends with 1 if one takes more than its baseline allows."""

import argparse
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.instructions.counting import (
    OTHER_TOOLS_PERCENT,
    SAME_TOOLS_PERCENT,
    Change,
    CountError,
    compare,
    count,
    is_there,
    tools,
)
from bench.rows import RESULTS, Row, write_results

_BASELINE = RESULTS / "instructions.json"


def main() -> int:
    """Counts and compares, or renews the baseline; 0 if nothing got slower."""
    parser = argparse.ArgumentParser(prog="python -m bench.instructions", description=__doc__)
    parser.add_argument("--renew", action="store_true", help=f"write what is counted now to {_BASELINE.name}")
    options = parser.parse_args()
    console = Console(highlight=False)
    if not is_there():
        console.print("skipped: valgrind is missing (Debian: apt install valgrind)")
        return 0
    try:
        now = count()
    except CountError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    if options.renew:
        console.print(f"written to {_write(now)}")
        return 0
    baseline = json.loads(_BASELINE.read_text(encoding="utf-8"))
    return _judge(baseline, now, console)


def _write(now: dict[str, int]) -> str:
    goal = f"at most {SAME_TOOLS_PERCENT:g} % more, later"
    rows = [Row(name=name, value=value, unit="instructions", goal=goal, met=True) for name, value in now.items()]
    return str(write_results("instructions", rows, {"tools": tools()}))


def _judge(baseline: dict[str, Any], now: dict[str, int], console: Console) -> int:
    here, there = tools(), baseline["measured"]["tools"]
    others = [f"{name} {there[name]} → {here[name]}" for name in here if here[name] != there.get(name)]
    tolerance = OTHER_TOOLS_PERCENT if others else SAME_TOOLS_PERCENT
    changes = compare({row["name"]: row["value"] for row in baseline["rows"]}, now, tolerance)
    _show(changes, console)
    if others:
        console.print(f"The baseline is of other tools, so {tolerance:g} % are let pass: {'; '.join(others)}")
    red = [change for change in changes if change.is_red]
    if red:
        console.print(
            f"[red]{len(red)} of {len(changes)} works differ from the baseline by more than {tolerance:g} %.[/]"
        )
        console.print("If that is meant: `make instructions ARGS=--renew`, and say in the commit what it buys.")
    elif any(change.verdict for change in changes):
        console.print("Faster than the baseline: `make instructions ARGS=--renew` keeps it so.")
    return 1 if red else 0


def _show(changes: list[Change], console: Console) -> None:
    table = Table("work", "before", "now", "change", "")
    for change in changes:
        before, after = (f"{value:,}" if value is not None else "–" for value in (change.before, change.now))
        table.add_row(change.name, before, after, f"{change.percent:+.1f} %", change.verdict)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
