"""Draws numbers of presets, takes each away, and ends with 1 unless exactly the tests of that number turn red.

What is taken away is the number's row in its preset; the tests of a number are its cases in tests/presets. Some numbers
are the product's own floor, below which no policy can go: of those the code that enforces it is taken away
(`tests.mutants.controls`), so that the cases of all frameworks turn red. A test that is about no number may turn red if
it is marked with the control (`concerns`).
"""

import argparse
import json
import random
import secrets
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from argus.base.policy import RULES
from tests.mutants.controls import CONTROLS, TAKEN_AWAY
from tests.mutants.model import Mutant
from tests.mutants.workplace import Workplace, WorkplaceError
from tests.presets.numbers import NUMBERS, Number
from tests.presets.scene import LOOSEST

_TESTS = "tests/presets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What taking something away has shown.

    Attributes:
        number: What was drawn.
        taken: What was taken away.
        run: How many tests ran.
        red: Tests that turned red.
        green: Tests of the number that stayed green.
        others: Tests of other numbers that turned red, and any that broke.
    """

    number: Number
    taken: str
    run: int
    red: tuple[str, ...]
    green: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        """Whether exactly the tests of the number turned red."""
        return bool(self.red) and not self.green and not self.others


def main() -> int:
    """Draws and tries; 0 if each number has exactly its tests."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants.draw", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="what the draw begins with")
    parser.add_argument("--draw", type=int, default=20, help="how many are drawn; 0: all")
    parser.add_argument("--number", action="append", metavar="NAME", help="this one, such as 'pci-dss idle_seconds'")
    parser.add_argument("--controls", action="store_true", help="take every control away from the code, not rows")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each, as soon as it is known")
    options = parser.parse_args()
    # What was found goes to stdout, and how far it has come to stderr.
    told = Console(stderr=True, highlight=False, markup=False)
    numbers = _drawn(options, told)
    if not numbers:
        parser.error("no such number; tests/presets/numbers.py has them")
    # Who is told to end ends what it has begun, and shows what it has found.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    workplace, found = Workplace(), list[Found]()
    try:
        with workplace.opened(), _bar(told) as bar:
            tried = _code(workplace, numbers, bar) if options.controls else _rows(workplace, numbers, bar)
            for one in tried:
                found.append(one)
                _show(one, as_json=options.json)
    except WorkplaceError as error:
        told.print(str(error))
        return 1
    except KeyboardInterrupt:
        told.print("interrupted; what stands above was found")
    told.print(f"{sum(one.is_exact for one in found)} of {len(found)} numbers have exactly their tests")
    return 0 if len(found) == len(numbers) and all(one.is_exact for one in found) else 1


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def _drawn(options: argparse.Namespace, console: Console) -> list[Number]:
    if options.number:
        return [one for one in NUMBERS if one.name in options.number]
    if options.controls:
        return list({_mutant_of(one).name: one for one in NUMBERS}.values())
    count = min(options.draw or len(NUMBERS), len(NUMBERS))
    console.print(f"{count} of {len(NUMBERS)} numbers, seed {options.seed}")
    return random.Random(options.seed).sample(NUMBERS, count)  # noqa: S311 - a draw that can be repeated


def is_floor(number: Number) -> bool:
    """Whether no policy can be looser than a number: its row alone changes nothing."""
    rule = RULES.get(number.key)
    if rule is None:
        return True
    loosest = LOOSEST.get(number.key, rule.write(rule.default))
    return bool(rule.strictest([loosest, number.value]) == loosest)


def _rows(workplace: Workplace, numbers: Sequence[Number], bar: Progress) -> Iterator[Found]:
    rows = {one.name: one for one in numbers if not is_floor(one)}
    floors = [one for one in numbers if is_floor(one)]
    task = bar.add_task("all tests as they are", total=None)
    about: Mapping[str, Sequence[str]] = {}
    # With all tests first: what stays green there and turns red later does so for what is taken away.
    for line in workplace.deletions([_TESTS], list(rows)):
        if "ran" in line:
            bar.update(task, completed=line["ran"], total=line["of"])
        elif "all" in line:
            bad = {test: outcome for test, outcome in line["all"].items() if outcome != "green"}
            if bad:
                raise WorkplaceError(f"the baseline is not green: {bad}")
            about = line["about"]
            bar.update(task, description="numbers taken away", completed=0, total=len(rows))
        elif "number" in line:
            number = rows[line["number"]]
            bar.update(task, advance=1)
            yield _judge(number, "row", line["without"], about, {number.name})
    yield from _code(workplace, floors, bar, about)


def _code(
    workplace: Workplace, numbers: Sequence[Number], bar: Progress, about: Mapping[str, Sequence[str]] | None = None
) -> Iterator[Found]:
    if not numbers:
        return
    task = bar.add_task("controls taken away", total=len(numbers))
    about = about or {
        key: said for line in workplace.deletions([_TESTS], []) for key, said in line.get("about", {}).items()
    }
    outcomes = dict[str, Mapping[str, str]]()
    for number in numbers:
        mutant = _mutant_of(number)
        if mutant.name not in outcomes:
            outcomes[mutant.name] = workplace.run([_TESTS], mutant).outcomes
        controls = TAKEN_AWAY[mutant.name]
        names = {one.name for one in NUMBERS if one.control in controls}
        bar.update(task, advance=1)
        yield _judge(number, mutant.name, outcomes[mutant.name], about, names)


def _mutant_of(number: Number) -> Mutant:
    """The mutant that takes a number's control away, and the least beside it."""
    of = [one for one in CONTROLS if number.control in TAKEN_AWAY[one.name]]
    return min(of, key=lambda one: len(TAKEN_AWAY[one.name]))


def _judge(
    number: Number,
    taken: str,
    outcomes: Mapping[str, str],
    about: Mapping[str, Sequence[str]],
    names: set[str],
) -> Found:
    controls = {one.control for one in NUMBERS if one.name in names}
    of_number = {test for test, said in about.items() if not names.isdisjoint(said)}
    may = of_number | {test for test, said in about.items() if not controls.isdisjoint(said)}
    red = tuple(test for test, outcome in outcomes.items() if outcome == "red")
    broken = [test for test, outcome in outcomes.items() if outcome not in {"red", "green"}]
    return Found(
        number=number,
        taken=taken,
        run=len(outcomes),
        red=red,
        green=tuple(sorted(of_number - set(red))),
        others=tuple([test for test in red if test not in may] + broken),
    )


def _show(one: Found, *, as_json: bool) -> None:
    verdict = "exactly its tests" if one.is_exact else "NOT exactly its tests"
    said = {"number": one.number.name, "clause": one.number.clause, "taken_away": one.taken, "run": one.run}
    wrong = {"green": one.green, "others": one.others}
    if as_json:
        line = json.dumps({**said, "is_exact": one.is_exact, "red": one.red, **wrong}, ensure_ascii=False)
    else:
        line = f"{one.number.name} ({one.number.clause}), {one.taken}: {one.run} run, {len(one.red)} red, {verdict}"
        line += "" if one.is_exact else f"\n{json.dumps(wrong, indent=2)}"
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
