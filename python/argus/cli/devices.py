"""`argus devices`: how far devices and sessions are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.cli.management import TenantOption, manage, say, show
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption

if TYPE_CHECKING:
    from argus.flows.explain_trust import Explained
    from argus.server.app import Argus

app = typer.Typer(help="Explain trust in devices and sessions.", epilog=EXIT_CODES, no_args_is_help=True)

_COLUMNS = ("code", "weight", "seen", "cap")


@app.callback()
def devices() -> None:
    """Explain trust in devices and sessions."""


@app.command()
def explain(
    tenant: TenantOption,
    user: Annotated[str, typer.Option("--user", "-u", help="User id.")],
    device: Annotated[str, typer.Argument(help="Device id (after -- if it begins with -).")] = "",
    session: Annotated[str, typer.Option("--session", "-s", help="Session id, in the place of a device.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Says how far a device or a session is trusted, and why: the terms of the score add up to it."""
    if bool(device) == bool(session):
        raise typer.BadParameter("give a device, or a session with --session", param_hint="DEVICE")

    async def work(argus: Argus) -> Explained:
        if session:
            return await argus.trusting.explain.session(tenant, user, session)
        return await argus.trusting.explain.device(tenant, user, device)

    explained = manage(config, work)
    show(_rows(explained), _COLUMNS, as_json=as_json)
    if not as_json:
        say(f"Trust {explained.rating.score:.1f} of 100: 100 / (1 + exp(-sum of the weights)).")
        for floor in explained.missed:
            about = f" of {floor.about}" if floor.about else ""
            say(f"Below the floor{about}: step-up below {floor.step_up_below}, refused below {floor.deny_below}.")


def _rows(explained: Explained) -> list[dict[str, Any]]:
    return [
        {
            "code": term.code,
            "weight": round(term.weight, 6),
            "seen": term.seen,
            "cap": term.cap,
            "score": round(explained.rating.score, 6),
        }
        for term in explained.rating.terms
    ]
