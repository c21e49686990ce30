"""How every benchmark writes its results: rows of name, value, unit, goal and whether it was met."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.table import Table

RESULTS: Final = Path(__file__).parent / "results"
_MET: Final = {True: "yes", False: "[red]NO[/]", None: "-"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number that a goal stands against.

    Attributes:
        name: What it is called, for ever.
        value: The number.
        unit: Its unit, and the size of the keys where there are any.
        goal: What it must be; "-" where it is only told.
        met: Whether it is that; None where the goal can't be judged yet.
    """

    name: str
    value: float
    unit: str
    goal: str
    met: bool | None


def write_results(name: str, rows: Sequence[Row], measured: Mapping[str, Any]) -> Path:
    """Writes `bench/results/<name>.json`.

    Args:
        name: Name of the benchmark.
        rows: What was claimed.
        measured: What the rows were computed from.
    """
    content = {
        "command": " ".join(["python", "-m", _module(), *sys.argv[1:]]),
        "commit": commit(),
        "machine": machine(),
        "python": platform.python_version(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "rows": [asdict(row) for row in rows],
        "measured": measured,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def rows_table(rows: Sequence[Row]) -> Table:
    """A line for each row."""
    table = Table(box=None, pad_edge=False)
    for column in ("name", "value", "unit", "goal", "met"):
        table.add_column(column)
    for row in rows:
        table.add_row(row.name, f"{row.value:.4g}", row.unit, row.goal, _MET[row.met])
    return table


def _module() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec.parent if spec else sys.argv[0]


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    return {"cpu": _cpu(), "cpus": os.cpu_count(), "system": platform.platform(terse=True)}


def commit() -> str:
    """Commit of the working tree; "+" says that it holds more than that."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],  # noqa: S607  # whichever git is there
            cwd=RESULTS.parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
