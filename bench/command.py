"""How every benchmark ends: its file, its tables, and 1 where a goal was missed."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console

from bench.rows import Row, rows_table, write_results


def finish(
    name: str,
    rows: Sequence[Row],
    measured: Mapping[str, Any],
    *,
    as_json: bool,
    show: Callable[[Console], object] = lambda _: None,
) -> int:
    """Writes the result file and prints it, or tables; 1 if a goal was missed.

    Args:
        name: Name of the file.
        rows: What was claimed.
        measured: What the rows were computed from.
        as_json: The file instead of the tables.
        show: Prints what comes before the rows.
    """
    path = write_results(name, rows, measured)
    if as_json:
        sys.stdout.write(path.read_text(encoding="utf-8"))
    else:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
        show(console)
        console.print(rows_table(rows))
        console.print(f"written to {path}")
    return 1 if any(row.met is False for row in rows) else 0
