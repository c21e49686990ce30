"""Fuzzes for a while, prints what came of it, and ends with 1 if a law was broken."""

import argparse
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bench.rows import RESULTS, Row, commit, write_results
from tests.fuzz.targets import CRATE, LENGTHS, FuzzError, Run, build, side_by_side, write_vectors

_HALF_AN_HOUR: Final = 1800
_RESULT: Final = RESULTS / "fuzz.json"


def main() -> int:
    """Runs the targets; 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(LENGTHS), help="this target (may be given again)")
    parser.add_argument("--seconds", type=int, default=2 * 3600, help="for each target")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at once")
    parser.add_argument("--sanitizer", default="none", help="address, where the C code is to be watched too")
    parser.add_argument("--publish", action="store_true", help="write the figures to bench/results/fuzz.json")
    options = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    # Ended in any way, it leaves no program behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names = options.only or list(LENGTHS)
    built_of = commit()
    try:
        programs = build(names, options.sanitizer)
        write_vectors()
    except (FuzzError, subprocess.CalledProcessError) as error:
        console.print("[red]cannot fuzz:[/]", end=" ")
        console.print(str(error), markup=False)
        return 1
    runs = _watch(programs, options.seconds, options.jobs, console)
    rows = [row for run in runs for row in _rows(run)]
    _show(runs, console)
    if options.publish:
        how = {"commit": built_of, "sanitizer": options.sanitizer, "jobs": options.jobs}
        console.print(f"written to {_publish(runs, rows, how)}")
    return _say_what_to_do(runs, console)


def _publish(runs: list[Run], rows: list[Row], how: dict[str, Any]) -> Path:
    """Writes the figures; those of targets that did not run now stay what they were, with the commit they are of."""
    measured = {run.name: run.figures() | how for run in runs}
    if _RESULT.exists():
        before = json.loads(_RESULT.read_text(encoding="utf-8"))
        rows = [Row(**row) for row in before["rows"] if row["name"].split(":")[0] not in measured] + rows
        measured = before["measured"] | measured
    return write_results("fuzz", rows, measured)


def _watch(programs: dict[str, Path], seconds: int, jobs: int, console: Console) -> list[Run]:
    columns = (
        TextColumn("{task.description:>8}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[says]}"),
    )
    runs: list[Run] = []
    with Progress(*columns, console=console) as progress:
        tasks = {name: progress.add_task(name, total=seconds, says="waits", start=False) for name in programs}
        for runs in side_by_side(programs, seconds, jobs):
            for run in runs:
                progress.start_task(tasks[run.name])
                says = f"{run.figures()['edges']} edges, {len(run.findings())} findings"
                progress.update(tasks[run.name], completed=seconds if run.has_ended() else run.age, says=says)
    return runs


def _rows(run: Run) -> list[Row]:
    found = max(len(run.findings()), int(run.status != 0))
    return [
        Row(name=f"{run.name}: findings", value=found, unit="inputs", goal="0", met=not found),
        Row(
            name=f"{run.name}: time",
            value=round(run.seconds),
            unit="s",
            goal=f"≥ {_HALF_AN_HOUR}",
            met=run.seconds >= _HALF_AN_HOUR,
        ),
    ]


def _show(runs: list[Run], console: Console) -> None:
    names = list(runs[0].figures())
    table = Table("target", *(name.replace("_", " ") for name in names), "findings")
    for run in runs:
        table.add_row(run.name, *(f"{value:,}" for value in run.figures().values()), str(len(run.findings())))
    console.print(table)


def _say_what_to_do(runs: list[Run], console: Console) -> int:
    broken = [run for run in runs if run.status or run.findings()]
    for run in broken:
        console.print(f"[red]{run.name}[/]: ended with {run.status}; {_typed(run.log)} says why")
        for path in run.findings():
            console.print(f"  cp {_typed(path)} {_typed(CRATE)}/corpus/{run.name}/found-WHAT-IT-IS")
    if broken:
        console.print("then `cargo test -p argus-fuzz` is red until the code is mended, and holds it from then on;")
        console.print("and take the file out of .fuzz (shorter first: `cargo fuzz tmin`).")
    return 1 if broken else 0


def _typed(path: Path) -> str:
    """A path as it is typed here."""
    return os.path.relpath(path)


if __name__ == "__main__":
    sys.exit(main())
