"""Lets every mutant live once, and ends with 1 if a test that must see it stayed green.

First all those tests are run on the code as it is: they must be green, or their red would mean nothing. A mutant counts
as killed when each test that is named with it fails in its own body; a mutant that only crashes is broken, not killed.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table

from tests.mutants.catalogue import MUTANTS
from tests.mutants.model import Mutant, MutantRottenError
from tests.mutants.workplace import Run, Workplace, WorkplaceError

Fate = Literal["killed", "SURVIVED", "BROKEN"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a mutant.

    Attributes:
        green: Tests that ought to have seen it and did not.
    """

    mutant: Mutant
    fate: Fate
    seconds: float
    green: tuple[str, ...] = ()
    output: str = ""


def main() -> int:
    """Runs the mutants; 0 if all were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="this mutant (may be given again)")
    parser.add_argument("--language", choices=("lua", "py", "rs"), help="those of one language")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.add_argument("--list", action="store_true", help="name the mutants, and run nothing")
    options = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    chosen = _chosen(options.only or (), options.language)
    if not chosen:
        parser.error("no such mutant; --list names them")
    if options.list:
        _table([(one.name, one.file, one.breaks) for one in chosen], ("mutant", "file", "what it breaks"))
        return 0
    try:
        results = _run(chosen, console)
    except (WorkplaceError, MutantRottenError) as error:
        console.print(f"[red]{type(error).__name__}[/]", end=" ")
        console.print(str(error), markup=False)
        return 1
    _show(results, console, as_json=options.json)
    return 0 if all(one.fate == "killed" for one in results) else 1


def _chosen(names: Sequence[str], language: str | None) -> list[Mutant]:
    return [
        one for one in MUTANTS if (not names or one.name in names) and (language is None or one.language == language)
    ]


def _run(mutants: Sequence[Mutant], console: Console) -> list[Result]:
    workplace, begun = Workplace(), time.monotonic()
    tests = list(dict.fromkeys(test for one in mutants for test in one.tests))
    with workplace.opened():
        console.print(f"baseline: {len(tests)} tests on the code as it is … ", end="")
        baseline = workplace.run(tests)
        bad = {test: baseline.of(test) for test in tests if baseline.of(test) != "green"}
        if bad:
            raise WorkplaceError(f"the baseline is not green: {bad}\n{baseline.output[-3000:]}")
        console.print(f"green, {baseline.seconds:.0f} s")
        results = []
        for number, mutant in enumerate(mutants, 1):
            console.print(f"[{number}/{len(mutants)}] {mutant.name} … ", end="", markup=False)
            result = _judge(mutant, workplace.run(mutant.tests, mutant))
            results.append(result)
            console.print(f"{result.fate}, {result.seconds:.1f} s", style="" if result.fate == "killed" else "red")
    console.print(f"{time.monotonic() - begun:.0f} s in all")
    return results


def _judge(mutant: Mutant, run: Run) -> Result:
    outcomes = {test: run.of(test) for test in mutant.tests}
    green = tuple(test for test, outcome in outcomes.items() if outcome == "green")
    fate: Fate = "killed"
    if set(outcomes.values()) & {"broken", "missing"}:
        fate = "BROKEN"
    elif green:
        fate = "SURVIVED"
    output = "" if fate == "killed" else run.output[-3000:]
    return Result(mutant=mutant, fate=fate, seconds=run.seconds, green=green, output=output)


def _show(results: Sequence[Result], console: Console, *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "name": one.mutant.name,
                "breaks": one.mutant.breaks,
                "file": one.mutant.file,
                "fate": one.fate.lower(),
                "tests": list(one.mutant.tests),
                "seconds": round(one.seconds, 1),
            }
            for one in results
        ]
        sys.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    else:
        lines = [
            (
                one.mutant.name,
                one.fate,
                "\n".join(t.rpartition("::")[2] for t in one.mutant.tests),
                f"{one.seconds:.1f}",
            )
            for one in results
        ]
        _table(lines, ("mutant", "fate", "by", "s"))
    for one in results:
        if one.fate != "killed":
            console.print(f"\n{one.mutant.name}: {one.fate}; not seen by {one.green}\n{one.output}", markup=False)
    killed = sum(one.fate == "killed" for one in results)
    console.print(f"{killed} of {len(results)} mutants killed")


def _table(rows: Sequence[tuple[str, ...]], columns: Sequence[str]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
