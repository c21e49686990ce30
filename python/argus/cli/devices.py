"""`argus devices`: the devices of users, and how far devices and sessions are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.cli.management import PAGE_SIZE, TenantOption, every, manage, say, show
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from argus.flows.explain_trust import Explained
    from argus.flows.known_devices import KnownDevice
    from argus.server.app import Argus

app = typer.Typer(
    help="List devices, and explain trust in devices and sessions.", epilog=EXIT_CODES, no_args_is_help=True
)

_COLUMNS = ("code", "weight", "seen", "cap")
_LISTED = ("device", "name", "category", "place", "last_seen_time", "trusted_until", "days_behind", "signals")


UserOption = Annotated[str, typer.Option("--user", "-u", help="User id.")]


@app.command("list")
def list_devices(
    tenant: TenantOption, user: UserOption, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Lists a user's devices, newest first."""

    async def work(argus: Argus) -> list[KnownDevice]:
        async def page(token: str) -> tuple[Sequence[KnownDevice], str]:
            found = await argus.known_devices.page(tenant, user, size=PAGE_SIZE, page_token=token)
            return found.devices, found.next_page_token

        return await every(page)

    show([_row(one) for one in manage(config, work)], _LISTED, as_json=as_json)


@app.command()
def explain(
    tenant: TenantOption,
    user: UserOption,
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


def _row(known: KnownDevice) -> dict[str, Any]:
    device = known.device
    return {
        "device": device.device_id,
        "name": device.display_name or device.traits.display_name,
        "category": device.category,
        "type": device.traits.type,
        "place": device.place.text,
        "create_time": device.create_time,
        "last_seen_time": device.last_seen_time,
        "identity": device.identity,
        "trusted_until": known.trust_expire_time,
        "days_behind": known.patch_level.days_behind,
        "end_of_life": known.patch_level.end_of_life,
        "signals": list(device.signals),
    }


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
