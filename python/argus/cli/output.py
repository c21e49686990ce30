"""What all commands share: their common options, exit codes, and the form of what they print."""

import json
import sys
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from argus.base.logging import configure_logging
from argus.base.settings import Settings

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file; default: ARGUS_CONFIG, else argus.toml.")
]


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    REFUSED = 4
    UNAVAILABLE = 5


EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 failed or not as it should be, 2 usage or settings, 3 not found, 4 refused, "
    "5 a store or Argus is away."
)


def load_settings(config: Path | None, **flags: Any) -> Settings:
    """The settings, with logging set up by them.

    Args:
        config: The settings file that was named.
        flags: What the command line gave, by setting; None means not given.

    Raises:
        SettingsError: A value can't be used.
    """
    settings = Settings.load(config=config, flags=flags)
    configure_logging(json=settings.logs_json, level=settings.log_level)
    return settings


def show_json(value: Any) -> None:
    """Writes JSON."""
    sys.stdout.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Writes rows.

    Args:
        rows: What to write.
        columns: What a table shows of them; JSON has everything.
        as_json: As a JSON array.
    """
    if as_json:
        show_json(list(rows))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(row.get(column, "")) for column in columns))
    Console(markup=False, highlight=False).print(table)
