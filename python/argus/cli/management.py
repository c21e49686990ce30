"""What the management commands share: opening Argus, who asks, passwords, tables of what was found."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from argus.base.clock import Clock
from argus.base.ids import new_id
from argus.base.logging import configure_logging
from argus.base.origin import Origin
from argus.base.settings import Settings
from argus.cli.output import show_json, show_table

if TYPE_CHECKING:
    from argus.server.app import Argus

T = TypeVar("T")
Row = Mapping[str, Any]

TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="Tenant id.", envvar="ARGUS_TENANT")]
UserArgument = Annotated[str, typer.Argument(help="User id; after -- if it begins with -.")]
CommentOption = Annotated[str, typer.Option("--comment", help="Note for the audit, at most 200 characters.")]

PAGE_SIZE = 100
"""Rows read at a time."""


def manage(config: Path | None, work: Callable[[Argus], Awaitable[T]]) -> T:
    """Opens Argus as the server does, and does the work.

    Args:
        config: Settings file, if one was named.
        work: What to do.

    Raises:
        ArgusError: It was refused.
        SettingsError: The settings can't be used.
    """
    settings = Settings.load(config=config)
    configure_logging(json=settings.logs_json, level="warning")
    settings.check_servable()

    async def run() -> T:
        # Here, so that `argus --help` does without it.
        from argus.server.app import open_argus

        async with open_argus(settings, clock=Clock()) as argus:
            return await work(argus)

    return asyncio.run(run())


def origin(tenant_id: str, command: str) -> Origin:
    """On whose behalf a command changes something: the account that runs it.

    Args:
        tenant_id: Tenant that the change happens in.
        command: The command, for the audit.
    """
    return Origin(tenant_id=tenant_id, actor=f"cli:{getpass.getuser()}", request_id=new_id(), method=f"argus {command}")


async def every(page: Callable[[str], Awaitable[tuple[Sequence[T], str]]]) -> list[T]:
    """All items of a list that comes in pages.

    Args:
        page: Reads the page of a page token.
    """
    items, token = await page("")
    found = list(items)
    while token:
        items, token = await page(token)
        found += items
    return found


def show(rows: Sequence[Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Writes rows: all of them as JSON, or some columns as a table."""
    show_table([row if as_json else _texts(row) for row in rows], columns, as_json=as_json)


def show_one(row: Row, *, as_json: bool) -> None:
    """Writes one thing, a line a field."""
    if as_json:
        show_json(dict(row))
        return
    width = max(len(name) for name in row)
    for name, text in _texts(row).items():
        # Not a table: a secret that is wrapped at the terminal's edge could not be copied.
        typer.echo(f"{name:<{width}}  {text}".rstrip())


def say(text: str) -> None:
    """Tells a person something that is not the command's output."""
    typer.echo(text, err=True)


def password_of(file: Path | None) -> str:
    """A password from a file, else asked for twice without showing it; never from the command line.

    Args:
        file: Its first line is the password.
    """
    if file is None:
        asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
        return asked
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{file} can't be read: {error}") from None
    if not lines:
        raise typer.BadParameter(f"{file} is empty")
    return lines[0]


def _texts(row: Row) -> dict[str, str]:
    return {name: _text(value) for name, value in row.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
