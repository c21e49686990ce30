"""Commands of the drills."""

import asyncio
import contextlib
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from fnmatch import fnmatch
from itertools import count
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from argus.base.logging import configure_logging
from drills.field.world import World, opened
from drills.kinds import ALL
from drills.results import Results, Row, add_up
from drills.run import RunResult, run_once
from drills.sabotage import DRILL, LIES
from drills.scene import Drill
from drills.series import LOGS, Series
from drills.table import PAGE, page, show

RUNS: Final = 10
_SEED: Final = 1
_SABOTAGED_CHAINS: Final = 16
_FILE_WIDTH: Final = 140

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 every run is good, 1 one is not, 2 wrong usage.",
)
OnlyOption = Annotated[
    list[str] | None, typer.Option("--only", help="Names, or patterns (redis.*), or groups (redis); again for more.")
]
SeedOption = Annotated[int, typer.Option(help="Of all that the drills leave open.")]
JsonOption = Annotated[bool, typer.Option("--json", help="A JSON object a run, then one with the sums.")]


@app.callback()
def options() -> None:
    """Break real servers on purpose, while clients go on, and see what holds."""
    configure_logging(json=False, level="error")


@app.command("list")
def list_drills(as_json: JsonOption = False) -> None:
    """List all drills, and what each claims."""
    for drill in ALL:
        if as_json:
            typer.echo(json.dumps({"name": drill.name, "claim": drill.claim}))
        else:
            typer.echo(f"{drill.name:<34}{drill.claim}")


@app.command()
def faults(
    only: OnlyOption = None,
    runs: Annotated[int, typer.Option(min=1, help="Of each drill.")] = RUNS,
    seed: SeedOption = _SEED,
    as_json: JsonOption = False,
    publish: Annotated[
        bool, typer.Option(help="Write drills/results.json and docs/drills.md; no drill in them loses runs by it.")
    ] = False,
) -> None:
    """Run every drill some times, and say what held."""
    drills = _chosen(only)
    results = Results()
    _run(_faults(drills, runs, seed, results, _Output(as_json=as_json)))
    rows = results.rows()
    _sum_up(rows, results.skipped, as_json=as_json)
    if publish:
        _publish(results)
    raise typer.Exit(1 if any(row.failed for row in rows) or not rows else 0)


@app.command()
def soak(
    only: OnlyOption = None,
    seed: Annotated[int | None, typer.Option(help="Of all that is left open; else another one each time.")] = None,
    runs: Annotated[int, typer.Option(min=0, help="How many; 0: until it is stopped (Ctrl-C).")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run random drills until stopped, and sum up from time to time."""
    drills = _chosen(only)
    chosen = random.SystemRandom().randrange(10**6) if seed is None else seed
    done: list[RunResult] = []
    _run(_soak(drills, chosen, runs, done, _Output(as_json=as_json)))
    rows = _rows(done)
    _sum_up(rows, {}, as_json=as_json)
    raise typer.Exit(1 if any(row.failed for row in rows) or not rows else 0)


@app.command()
def sabotage(seed: SeedOption = _SEED, as_json: JsonOption = False) -> None:
    """Tell every lie once; each must make its criterion red. Exit 1 if one is not found out."""
    found: list[bool] = []
    _run(_sabotage(seed, found, as_json=as_json))
    raise typer.Exit(0 if len(found) == len(LIES) and all(found) else 1)


@app.command()
def table(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 if the page is another.")] = False,
) -> None:
    """Make docs/drills.md from drills/results.json."""
    text = page(Results.read())
    if check:
        is_same = PAGE.exists() and PAGE.read_text("utf-8") == text
        typer.echo(f"{PAGE.name} {'is made of' if is_same else 'IS NOT made of'} drills/results.json")
        raise typer.Exit(0 if is_same else 1)
    PAGE.write_text(text, encoding="utf-8")


class _Output:
    """A line a run: for people, or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.progress = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )

    @contextmanager
    def shown(self, total: int | None) -> Iterator[Callable[[str, int], None]]:
        """A progress bar; the function shows what is going on."""
        with self.progress:
            task = self.progress.add_task("starting", total=total)
            yield lambda text, done: self.progress.update(task, description=text, completed=done)

    def say(self, run: RunResult) -> None:
        """Says how a run went."""
        if self._as_json:
            typer.echo(json.dumps(run.as_json(), ensure_ascii=False))
            return
        mark = "[green]ok  [/]" if run.is_good else "[red]FAIL[/]"
        counts = " ".join(f"{name} {number}" for name, number in run.answers.items() if number)
        told = f"{run.seconds:5.1f} s  recovery {run.recovery_seconds:4.1f} s  rotated {run.rotations}  {counts}"
        step_ups = f"  step-ups {run.step_ups}" if run.step_ups else ""
        console = self.progress.console
        console.print(f"{mark} {run.drill:<34}{run.number:>3}  {told}{step_ups}", soft_wrap=True)
        for name, found in run.failures.items():
            console.print(f"       [red]{name}[/]: {len(found)}", soft_wrap=True)
            for one in found[:3]:
                console.print(f"         {one}", markup=False, soft_wrap=True)


async def _faults(drills: Sequence[Drill], runs: int, seed: int, results: Results, output: _Output) -> None:
    async with _series() as series:
        able = _able(series, drills, results)
        plan = [(drill, number, seed) for drill in able for number in range(1, runs + 1)]
        done: dict[str, list[RunResult]] = {}
        claims = {drill.name: drill.claim for drill in able}
        with output.shown(len(plan)) as tell:
            tell(plan[0][0].name if plan else "", 0)
            async for result in series.run(plan):
                output.say(result)
                done.setdefault(result.drill, []).append(result)
                results.add(result.drill, claims[result.drill], done[result.drill])
                finished = sum(len(some) for some in done.values())
                tell(plan[min(finished, len(plan) - 1)][0].name, finished)


async def _soak(drills: Sequence[Drill], seed: int, runs: int, done: list[RunResult], output: _Output) -> None:
    rng = random.Random(seed)  # noqa: S311 - decides what to break, guards nothing
    async with _series() as series:
        able = _able(series, drills, Results())
        plan = ((rng.choice(able), number, seed) for number in (range(1, runs + 1) if runs else count(1)))
        with output.shown(runs or None) as tell:
            async for result in series.run(plan):
                output.say(result)
                done.append(result)
                bad = sum(not run.is_good for run in done)
                tell(f"seed {seed}, {len(done)} runs, {bad} failed", len(done))


async def _sabotage(seed: int, found: list[bool], *, as_json: bool) -> None:
    drill = next(drill for drill in ALL if drill.name == DRILL)
    for lie in LIES:
        async with opened(World, None) as one:
            result = await run_once(one, drill, number=1, seed=seed, chains=_SABOTAGED_CHAINS, sabotages=lie.sabotages)
        is_red = lie.criterion in result.failures
        found.append(is_red)
        told = {
            "lie": lie.name,
            "criterion": lie.criterion,
            "is_red": is_red,
            "why": result.failures.get(lie.criterion),
        }
        why = (result.failures.get(lie.criterion) or ["NOT FOUND OUT"])[0]
        typer.echo(json.dumps(told) if as_json else f"{lie.criterion:<14}{lie.name:<20}{why}")


@contextlib.asynccontextmanager
async def _series() -> AsyncIterator[Series]:
    """A series that SIGTERM ends as Ctrl-C does, also where a shell has its jobs ignore Ctrl-C."""
    task = asyncio.current_task()
    if task is not None:
        for one in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(one, task.cancel)
    async with Series() as series:
        yield series


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Runs it to its end, or until it is stopped; what was done by then counts."""
    try:
        asyncio.run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        typer.echo("stopped", err=True)


def _chosen(only: list[str] | None) -> list[Drill]:
    if not only:
        return list(ALL)
    chosen = [drill for drill in ALL if any(_is_meant(drill.name, name) for name in only)]
    for name in only:
        if not any(_is_meant(drill.name, name) for drill in ALL):
            typer.echo(f"there is no drill {name}; `python -m drills list` lists them", err=True)
            raise typer.Exit(2)
    return chosen


def _is_meant(name: str, asked: str) -> bool:
    return name == asked or name.startswith(f"{asked}.") or fnmatch(name, asked)


def _able(series: Series, drills: Sequence[Drill], results: Results) -> list[Drill]:
    able = []
    for drill in drills:
        if reason := series.why_not(drill):
            results.skip(drill.name, reason)
        else:
            able.append(drill)
    return able


def _rows(done: Sequence[RunResult]) -> list[Row]:
    names = dict.fromkeys(run.drill for run in done)
    return [add_up(name, [run for run in done if run.drill == name]) for name in names]


def _sum_up(rows: Sequence[Row], skipped: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"drills": [asdict(row) for row in rows], "skipped": skipped}, ensure_ascii=False))
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)
    show(rows, skipped, console)
    if any(row.failed for row in rows):
        console.print(f"The servers' logs of failed runs are in {LOGS}/")


def _publish(new: Results) -> None:
    """Puts new results beside those there are; a drill keeps what it has where that is more."""
    published = Results.read()
    order = [drill.name for drill in ALL]
    for name, one in new.drills.items():
        if name in published.drills and len(published.drills[name].runs) > len(one.runs):
            typer.echo(f"{name}: not published, {len(published.drills[name].runs)} runs are there already", err=True)
        else:
            published.drills[name] = one
            published.skipped.pop(name, None)
    for name, reason in new.skipped.items():
        published.skip(name, reason)
    published.drills = {name: published.drills[name] for name in order if name in published.drills}
    published.write()
    PAGE.write_text(page(published), encoding="utf-8")
