"""`argus users import`: takes users over from another system's file."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TimeRemainingColumn

from argus.base.errors import ArgusError
from argus.cli.import_files import FileFormat, Line, format_of, heading_of, read_lines
from argus.cli.management import TenantOption, manage, origin, say
from argus.cli.output import ConfigOption, ExitCode, JsonOption, show_json
from argus.flows.import_users import MAX_BATCH
from argus.v1.errors_pb2 import ErrorReason

if TYPE_CHECKING:
    from argus.server.app import Argus

Advance = Callable[[int], None]

_SHOWN: Final = 20


@dataclass(slots=True)
class Report:
    """What has become of the lines so far, the last of which is `done_to`."""

    done_to: int
    created: int = 0
    present: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)

    def content(self, *, validate_only: bool) -> dict[str, Any]:
        """As JSON says it."""
        return {
            "validate_only": validate_only,
            "created": self.created,
            "present": self.present,
            "refused": len(self.refused),
            "failures": self.refused,
        }


def import_file(
    file: Annotated[Path, typer.Argument(help="JSON lines or CSV, in UTF-8.", exists=True, dir_okay=False)],
    tenant: TenantOption,
    form: Annotated[str, typer.Option("--format", help="jsonl or csv; default: by the file's name.")] = "",
    validate_only: Annotated[bool, typer.Option("--validate-only", help="Check everything, change nothing.")] = False,
    from_line: Annotated[int, typer.Option("--from-line", min=1, help="Leave out the lines before.")] = 1,
    failures: Annotated[
        Path | None,
        typer.Option("--failures", help="Write the lines that were refused to this new file, to be mended."),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Takes users over from another system, with the hashes of their passwords.

    Who is there already stays as it is: after it was cut short the same command goes on where it was. What a line can
    say, and which hashes are taken, is in docs/guides/import.md.
    """
    if form not in {"", "jsonl", "csv"}:
        raise typer.BadParameter("must be jsonl or csv", param_hint="--format")
    chosen: FileFormat = form or format_of(file)  # type: ignore[assignment]  # looked at above
    report = Report(done_to=from_line - 1)
    try:
        with ExitStack() as stack:
            refused = stack.enter_context(_new_file(failures)) if failures else None
            if refused:
                refused.write(heading_of(file, chosen))
            lines = (one for one in read_lines(file, chosen, now=datetime.now(UTC)) if one.number >= from_line)
            total = _count(file)

            async def work(argus: Argus) -> None:
                await argus.tenants.get(tenant)
                with _bar(total) as advance:
                    await _run(argus, tenant, lines, report, refused, advance, validate_only=validate_only)

            manage(config, work)
    except (ArgusError, KeyboardInterrupt):
        _show(report, as_json=as_json, validate_only=validate_only)
        say(f"stopped after line {report.done_to}; go on with --from-line {report.done_to + 1}")
        raise
    _show(report, as_json=as_json, validate_only=validate_only)
    if report.refused:
        raise typer.Exit(ExitCode.REFUSED)


async def _run(
    argus: Argus,
    tenant: str,
    lines: Iterator[Line],
    report: Report,
    refused: TextIO | None,
    advance: Advance,
    *,
    validate_only: bool,
) -> None:
    for batch in _batches(lines):
        who = replace(origin(tenant, "users import"), validate_only=validate_only)
        good = [(line, line.user) for line in batch if line.user is not None]
        outcomes = await argus.import_users.run(tenant, [user for _, user in good], origin=who)
        errors = {line.number: one.error for (line, _), one in zip(good, outcomes, strict=True)}
        report.created += sum(one.is_new for one in outcomes)
        report.present += sum(not one.is_new and one.error is None for one in outcomes)
        for line in batch:
            failure = _failure(line, errors.get(line.number))
            if failure is not None:
                report.refused.append(failure)
                if refused is not None:
                    refused.write(f"{line.text}\n")
        report.done_to = batch[-1].number
        advance(report.done_to)


def _batches(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while batch := list(itertools.islice(lines, MAX_BATCH)):
        yield batch


def _failure(line: Line, error: ArgusError | None) -> dict[str, Any] | None:
    if error is not None:
        reason = ErrorReason.Name(ErrorReason.ValueType(error.reason)).removeprefix("ERROR_REASON_")
        return {"line": line.number, "reason": reason, "message": error.message}
    return {"line": line.number, "reason": "LINE_INVALID", "message": line.fault} if line.fault else None


def _new_file(path: Path) -> TextIO:
    """A file that there was not, and that nobody else can read: it will hold hashes."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be made: {error.strerror}", param_hint="--failures") from None


def _count(file: Path) -> int:
    with file.open("rb") as content:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: content.read(1 << 20), b"")) + 1


@contextmanager
def _bar(total: int) -> Iterator[Advance]:
    """A bar for people who look on; logs and pipes get none."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress("lines", *columns, console=console) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)


def _show(report: Report, *, as_json: bool, validate_only: bool) -> None:
    if as_json:
        show_json(report.content(validate_only=validate_only))
        return
    for failure in report.refused[:_SHOWN]:
        say(f"line {failure['line']}: {failure['message']}")
    if len(report.refused) > _SHOWN:
        say(f"… and {len(report.refused) - _SHOWN} more; --json lists them all, --failures keeps their lines")
    verb = "would be created" if validate_only else "created"
    typer.echo(f"{report.created} {verb}, {report.present} already there, {len(report.refused)} refused")
