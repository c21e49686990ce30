"""`argus bench`: load, and what it costs."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from argus.base.logging import configure_logging
from argus.cli.output import EXIT_CODES, ExitCode, show_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from argus.server.bench.private import RefreshAlgorithm
    from argus.server.bench.rounds import Plan, Turns
    from argus.server.bench.runs import Turn

app = typer.Typer(help="Put load on a private Argus, and see what each call costs.", epilog=EXIT_CODES)

_PROCESSES: Final = {"server": "server", "redis": "redis", "postgresql": "pgsql", "client": "client"}
_SHOWN: Final = {"p50": "p50", "p99": "p99", "max": "p100"}


@app.callback()
def options() -> None:
    """Puts load on a private Argus, and shows what each call costs."""


@app.command()
def hot(
    calls: Annotated[int, typer.Option(min=1, help="Verifications in a round.")] = 2000,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions that are begun and refreshed in a round.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the medians are shown.")] = 5,
    in_flight: Annotated[int, typer.Option(min=1, max=10_000, help="Closed loop: calls at a time.")] = 32,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Open loop, too: verifications a second.")] = None,
    refresh_alg: Annotated[Literal["EdDSA", "RS256"], typer.Option(help="What signs refresh tokens.")] = "EdDSA",
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")] = False,
) -> None:
    """Verifies and refreshes tokens on a server of its own, and checks each answer and the state that is left.

    The server runs in a process of its own over stores in a temporary folder; nothing that is installed is touched. CPU
    times are per call, of each process with all that it has started; keys are RSA-2048.
    """
    # Here, so that other commands start without grpc.
    from argus.server.bench.hot import WrongStateError
    from argus.server.bench.rounds import Plan
    from argus.server.bench.runs import CallsFailedError

    configure_logging(json=False, level="error")
    plan = Plan(sessions=sessions, verifications=calls, in_flight=in_flight, rate=rate)
    try:
        turns = asyncio.run(_play(plan, rounds, refresh_alg))
    except (CallsFailedError, WrongStateError) as error:
        typer.echo(f"argus: no figure: {error}", err=True)
        raise typer.Exit(ExitCode.FAILED) from None
    if as_json:
        show_json({name: {what: asdict(turn) for what, turn in done.items()} for name, done in turns.items()})
        return
    show_turns(Console(highlight=False), turns)


async def _play(plan: Plan, rounds: int, algorithm: RefreshAlgorithm) -> Turns:
    from argus.server.bench.hot import Hot
    from argus.server.bench.private import private_argus
    from argus.server.bench.rounds import Entrant, medians, play_round

    with calls_bar() as progress:
        task = progress.add_task("calls", total=rounds * plan.calls)
        async with private_argus(algorithm) as (tenant,):
            entrant = Entrant(hot=Hot(tenant, tick=lambda done: progress.advance(task, done)), plan=plan)
            name = f"argus, RS256 + {algorithm}"
            return medians([await play_round({name: entrant}) for _ in range(rounds)])


def calls_bar() -> Progress:
    """A bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def show_turns(console: Console, turns: Mapping[str, Mapping[str, Turn]]) -> None:
    """Prints a table for each contender.

    Args:
        console: Where to.
        turns: By the contender's name and by what was done.
    """
    for name, done in turns.items():
        console.print(f"{name}: milliseconds of a call, CPU µs a call by process")
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
        for column in ("", "calls/s", *_SHOWN, *_PROCESSES.values()):
            table.add_column(column, justify="right" if column else "left", no_wrap=True)
        for what, turn in done.items():
            times = [f"{turn.latency_us[one] / 1000:.2f}" for one in _SHOWN.values()]
            spent = [f"{turn.cpu_us[one]:.0f}" if one in turn.cpu_us else "-" for one in _PROCESSES]
            table.add_row(what, f"{turn.calls_per_second:.0f}", *times, *spent)
        console.print(table)
        console.print()
