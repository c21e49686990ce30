"""`argus smoke`: a walk through the main job on a private stack."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from argus.base.logging import configure_logging

if TYPE_CHECKING:
    from argus.server.smoke import StepResult


def smoke(
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
) -> None:
    """Starts a private stack on free ports and walks through the main job over gRPC, a line a step.

    Touches nothing that is installed. Exit codes: 0 every step went as it must, 1 one did not.
    """
    # Here, so that other commands start without grpc.
    from argus.server.smoke import run_smoke

    configure_logging(json=False, level="error")
    results: list[StepResult] = []
    console = Console(highlight=False, soft_wrap=True)

    def report(result: StepResult) -> None:
        results.append(result)
        if as_json:
            typer.echo(json.dumps(asdict(result), ensure_ascii=False))
            return
        mark = "[green]ok  [/]" if result.is_as_expected else "[red]FAIL[/]"
        console.print(f"{mark} {result.number:>2}  {result.name:<23}", end="")
        console.print(f"{result.outcome}  ({result.milliseconds} ms)", markup=False)

    is_as_expected = asyncio.run(run_smoke(report))
    if not as_json:
        took = sum(result.milliseconds for result in results) / 1000
        verdict = "every step as it must be" if is_as_expected else "a step went otherwise"
        console.print(f"{len(results)} steps in {took:.1f} s: {verdict}")
    raise typer.Exit(0 if is_as_expected else 1)
