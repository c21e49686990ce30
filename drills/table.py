"""Shows results: a table in the terminal, and `docs/drills.md`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from drills.criteria import RECOVERY_SECONDS, STALE_SECONDS
from drills.field.world import DEADLINE_SECONDS, GRACE_SECONDS
from drills.load.load import CHAINS
from drills.results import DrillResult, Results, Row

PAGE: Final = Path(__file__).parents[1] / "docs" / "drills.md"
_HEADINGS: Final = ("drill", "runs", "OK", "UNAVAILABLE", "lost", "step-ups", "recovery", "criteria failed")
_INTRODUCTION: Final = f"""\
# Drills

<!-- Made by `python -m drills table` from drills/results.json; not to be edited. -->

Three processes of `argus serve`, PostgreSQL, Valkey and the network between all of them are broken on purpose while
{CHAINS} sessions rotate (grace {GRACE_SECONDS:g} s, deadline {DEADLINE_SECONDS:g} s); clients repeat at another server
what was not answered. `make faults` does it again; `drills/README.md` says how.

After each run the following holds, or the run is counted as failed:

- **answers**: clients saw nothing but OK and UNAVAILABLE with a retry. An unbound session whose lost answer was asked
  for again after the grace may have seen STEP_UP_REQUIRED; that is counted in its own column.
- **recovery**: the last UNAVAILABLE came within {RECOVERY_SECONDS:g} s after everything was whole again.
- **lives**: every session that should live refreshes with the token that its client holds.
- **ends**: every session that was ended is refused by all three servers, by refresh and by verify.
- **one chain**: Redis, PostgreSQL and the clients' tokens agree on one chain for each session; no generation has two
  tokens.
- **stale tokens**: a token that was replaced more than {STALE_SECONDS:g} s before the fault is not accepted.

Columns: calls that were answered OK; by UNAVAILABLE with a retry; calls that were *lost* (the connection broke, or
nobody answered: only where the fault is at Argus itself or between it and its clients, else the run fails); step-ups as
above; the longest time from the end of the fault to the last call that had to be repeated.
"""


def show(rows: Sequence[Row], skipped: dict[str, str], console: Console) -> None:
    """Prints the table."""
    table = Table(box=None, pad_edge=False)
    for number, heading in enumerate(_HEADINGS):
        is_number = 0 < number < len(_HEADINGS) - 1
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=number < len(_HEADINGS) - 1)
    for row in rows:
        *cells, verdict = _cells(row)
        table.add_row(*cells, f"[red]{verdict}[/]" if row.failed else "[green]none[/]")
    console.print(table)
    for name, reason in skipped.items():
        console.print(f"[yellow]skipped[/] {name}: {reason}")
    runs, bad = sum(row.runs for row in rows), sum(row.bad_runs for row in rows)
    tail = f", {len(skipped)} drills skipped" if skipped else ""
    verdict = f"[red]{bad} of {runs} runs failed[/]" if bad else f"[green]all {runs} runs are good[/]"
    console.print(f"{len(rows)} drills: {verdict}{tail}")


def page(results: Results) -> str:
    """The text of `docs/drills.md`."""
    rows = results.rows()
    lines = [_INTRODUCTION, _made_with(results.drills.values()), ""]
    lines += [_line(_HEADINGS), _line("---" if n in {0, 7} else "---:" for n in range(len(_HEADINGS)))]
    lines += [_line((f"`{row.drill}`", *_cells(row)[1:])) for row in rows]
    lines += ["", "## What each drill does", ""]
    lines += [f"- `{name}`: {one.claim}" for name, one in results.drills.items()]
    if results.skipped:
        lines += ["", "## Not run", ""]
        lines += [f"- `{name}`: {reason}" for name, reason in results.skipped.items()]
    bad = [run for one in results.drills.values() for run in one.runs if not run.is_good]
    if bad:
        lines += ["", "## What failed", ""]
        for run in bad:
            found = "; ".join(f"{name}: {told[0]}" for name, told in run.failures.items())
            lines.append(f"- `{run.drill}`, run {run.number} of seed {run.seed}: {found}")
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.drill,
        str(row.runs),
        str(row.ok),
        str(row.unavailable),
        str(row.unanswered),
        str(row.step_ups),
        f"{row.recovery_seconds:.1f} s",
        row.verdict,
    )


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _made_with(results: Iterable[DrillResult]) -> str:
    """Commit and machine of all runs."""
    made: dict[tuple[str, str], list[DrillResult]] = {}
    for one in results:
        where = f"{one.machine['cpus']} × {one.machine['cpu']}, {one.machine['system']}"
        made.setdefault((one.commit, where), []).append(one)
    parts = [
        f"{sum(len(one.runs) for one in group)} runs of {len(group)} drills at commit {commit} until "
        f"{max(one.time for one in group)[:16].replace('T', ' ')} UTC, on {where}"
        for (commit, where), group in made.items()
    ]
    return "; ".join(parts) + "." if parts else "No drill has been run yet."
