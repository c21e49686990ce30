"""`argus recover`: what must be done after a store came back from a backup."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.base.clock import Clock
from argus.base.logging import configure_logging
from argus.base.settings import Settings
from argus.cli.management import origin, say, show
from argus.cli.output import ConfigOption, JsonOption

if TYPE_CHECKING:
    from argus.flows.recover import Recover

_COLUMNS = ("tenant", "living", "newest", "not_before", "until", "state")


def recover(
    after_restore: Annotated[
        bool, typer.Option("--after-restore", help="PostgreSQL was restored to an older time.")
    ] = False,
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="Only this tenant; none: all.")] = "",
    at: Annotated[str, typer.Option("--at", help="Sessions that began up to then end (RFC 3339); default: now.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, only show what would be done.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """End every session after PostgreSQL was restored from a backup, so that nobody who was ended stays alive.

    A backup has forgotten the ends that were made after it. Shows what would be ended; with --yes, ends it. May be
    repeated: with the same --at it changes nothing more.
    """
    if not after_restore:
        raise typer.BadParameter("say what has happened: --after-restore")
    settings = Settings.load(config=config)
    configure_logging(json=settings.logs_json, level="warning")
    settings.check_servable()
    rows = asyncio.run(_run(settings, tenant, _moment(at), yes=yes))
    show(rows, _COLUMNS, as_json=as_json)
    if not yes:
        until = rows[0]["until"].isoformat() if rows else ""
        again = ["argus", "recover", "--after-restore", *(["--tenant", tenant] if tenant else []), "--at", until]
        say(f"Nothing was changed. To end these sessions: {shlex.join([*again, '--yes'])}")
    elif any(row["state"] == "pending" for row in rows):
        say("Redis is away; what is pending goes on by itself as soon as a server reaches it.")


async def _run(settings: Settings, tenant: str, at: datetime | None, *, yes: bool) -> list[dict[str, Any]]:
    # Here, so that `argus --help` does without it.
    from argus.server.recovery import open_recovery

    async with open_recovery(settings, clock=Clock()) as opened:
        until = opened.moment(at)
        found: Sequence[Any] = await opened.survey(tenant)
        rows = []
        for number, one in enumerate(found, 1):
            state = await _end(opened, one.tenant_id, until) if yes else "would end"
            if yes:
                say(f"{number}/{len(found)} {one.tenant_id}: {state}")
            rows.append(
                {
                    "tenant": one.tenant_id,
                    "living": one.living,
                    "newest": one.newest,
                    "not_before": one.not_before,
                    "until": until,
                    "state": state,
                }
            )
    return rows


async def _end(opened: Recover, tenant_id: str, until: datetime) -> str:
    who = origin(tenant_id, "recover --after-restore")
    return (await opened.tenant(tenant_id, until=until, origin=who)).value


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"--at: not a time such as {datetime.now(UTC).isoformat(timespec='seconds')}"
        ) from None
    if moment.tzinfo is None:
        raise typer.BadParameter("--at: say the time zone, too (Z for UTC)")
    return moment
