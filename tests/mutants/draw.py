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
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

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
    options = parser.parse_args()
    console = Console(highlight=False, markup=False)
    numbers = _drawn(options, console)
    workplace = Workplace()
    try:
        with workplace.opened():
            found = _code(workplace, numbers) if options.controls else _rows(workplace, numbers)
    except WorkplaceError as error:
        console.print(str(error))
        return 1
    _show(found, console)
    return 0 if all(one.is_exact for one in found) else 1


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


def _rows(workplace: Workplace, numbers: Sequence[Number]) -> list[Found]:
    rows = [one for one in numbers if not is_floor(one)]
    floors = [one for one in numbers if is_floor(one)]
    # With all tests first: what stays green there and turns red later does so for what is taken away.
    answer = workplace.deletions([_TESTS], [one.name for one in rows])
    bad = {test: outcome for test, outcome in answer["all"].items() if outcome != "green"}
    if bad:
        raise WorkplaceError(f"the baseline is not green: {bad}")
    found = [_judge(one, "row", answer["without"][one.name], answer["about"], {one.name}) for one in rows]
    return found + _code(workplace, floors, answer["about"])


def _code(
    workplace: Workplace, numbers: Sequence[Number], about: Mapping[str, Sequence[str]] | None = None
) -> list[Found]:
    if not numbers:
        return []
    about = about or workplace.deletions([_TESTS], [])["about"]
    outcomes, found = dict[str, Mapping[str, str]](), []
    for number in numbers:
        mutant = _mutant_of(number)
        if mutant.name not in outcomes:
            outcomes[mutant.name] = workplace.run([_TESTS], mutant).outcomes
        controls = TAKEN_AWAY[mutant.name]
        names = {one.name for one in NUMBERS if one.control in controls}
        found.append(_judge(number, mutant.name, outcomes[mutant.name], about, names))
    return found


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


def _show(found: Sequence[Found], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("number", "clause", "taken away", "tests run", "red", "exactly its tests"):
        table.add_column(column, overflow="fold")
    for one in found:
        verdict = "yes" if one.is_exact else "NO"
        row = (one.number.name, one.number.clause, one.taken, str(one.run), str(len(one.red)), verdict)
        table.add_row(*row)
    console.print(table)
    for one in found:
        if not one.is_exact:
            console.print(json.dumps({"number": one.number.name, "green": one.green, "others": one.others}, indent=2))
    console.print(f"{sum(one.is_exact for one in found)} of {len(found)} numbers have exactly their tests")


if __name__ == "__main__":
    sys.exit(main())
