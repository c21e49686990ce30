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
from typing import Any, Final, Self

from rich.table import Table

RESULTS: Final = Path(__file__).parent / "results"
MET: Final = {True: "yes", False: "[red]NO[/]", None: "-"}
"""How it is said whether a goal is met."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number that a goal stands against.

    Attributes:
        name: What it is called, for ever.
        value: The number; None where it was not measured.
        unit: Its unit, and the size of the keys where there are any.
        goal: What it must be; "-" where it is only told.
        met: Whether it is that; None where there is nothing to judge.
        why: Why it was not measured or is not judged.
    """

    name: str
    value: float | None
    unit: str
    goal: str
    met: bool | None
    why: str = ""

    @classmethod
    def at_least(cls, name: str, value: float, unit: str, least: float) -> Self:
        """A number that may not be smaller."""
        return cls(name=name, value=round(value, 3), unit=unit, goal=f"≥ {least:g}", met=value >= least)

    @classmethod
    def at_most(cls, name: str, value: float, unit: str, most: float) -> Self:
        """A number that may not be greater."""
        return cls(name=name, value=round(value, 3), unit=unit, goal=f"≤ {most:g}", met=value <= most)

    @classmethod
    def told(cls, name: str, value: float, unit: str) -> Self:
        """A number without a goal."""
        return cls(name=name, value=round(value, 3), unit=unit, goal="-", met=None)

    @classmethod
    def skipped(cls, name: str, unit: str, goal: str, why: str) -> Self:
        """What could not be measured."""
        return cls(name=name, value=None, unit=unit, goal=goal, met=None, why=why)

    @property
    def shown(self) -> str:
        """The number, for people."""
        return "-" if self.value is None else f"{self.value:.4g}"


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
        table.add_row(row.name, row.shown, row.why or row.unit, row.goal, MET[row.met])
    return table


MOST_OTHERS: Final = 0.1
"""Share of the machine that others may use: beyond it figures are a busy machine's."""


def quiet_row(others: float) -> Row:
    """Whether the machine was quiet.

    Args:
        others: Share of all processors that went to processes that had nothing to do with it.
    """
    unit = "% of all processors"
    return Row.at_most("machine_used_by_others", round(100 * others, 1), unit, 100 * MOST_OTHERS)


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
