"""`argus revocations`: what services that verify by themselves are told."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

import typer

from argus.base.stopping import LONGEST_END, end_tasks
from argus.cli.management import TenantOption, every, manage, say, show
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption, show_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from argus.revocations.model import Revocation
    from argus.server.app import Argus

app = typer.Typer(help="Show what is over before it expires.", epilog=EXIT_CODES, no_args_is_help=True)

_COLUMNS = ("kind", "subject", "time", "expire_time", "reason")
_PAGE = 1000


@app.command("list")
def list_revocations(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Lists what is over in a tenant."""

    async def work(argus: Argus) -> list[Revocation]:
        async def page(token: str) -> tuple[Sequence[Revocation], str]:
            found = await argus.revocations.page(tenant, size=_PAGE, page_token=token)
            return found.revocations, found.next_page_token

        await argus.tenants.get(tenant)
        return await every(page)

    show([_row(one) for one in manage(config, work)], _COLUMNS, as_json=as_json)


@app.command()
def watch(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Shows what is over in a tenant, then what ends from then on, until it is stopped (Ctrl-C)."""

    async def work(argus: Argus) -> None:
        await argus.tenants.get(tenant)
        reading = asyncio.create_task(argus.revocations.run())
        try:
            async with aclosing(argus.revocations.watch(tenant, "")) as parts:
                async for part in parts:
                    if reading.done():
                        reading.result()
                    for one in part.revocations:
                        _tell(one, as_json=as_json)
        finally:
            await end_tasks(LONGEST_END, "reading", [reading])

    say("Showing what is over; Ctrl-C ends it.")
    with suppress(KeyboardInterrupt):
        manage(config, work)


def _tell(one: Revocation, *, as_json: bool) -> None:
    if as_json:
        show_json(_row(one))
        return
    typer.echo(f"{one.time.astimezone():%H:%M:%S}  {one.kind:<8}  {one.subject}  {one.reason}".rstrip())


def _row(one: Revocation) -> dict[str, Any]:
    return {column: getattr(one, column) for column in _COLUMNS}
