"""`argus themes`: how the pages of a tenant look."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from argus.cli.management import TenantOption, manage, origin, show_one
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption
from argus.themes.model import Theme

if TYPE_CHECKING:
    from argus.server.app import Argus

app = typer.Typer(help="Show and change how a tenant's pages look.", epilog=EXIT_CODES, no_args_is_help=True)


@app.command("show")
def show_theme(tenant: TenantOption, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Shows a tenant's theme; an empty field: as Argus has it."""

    async def work(argus: Argus) -> Theme:
        await argus.tenants.get(tenant)
        return await argus.themes.get(tenant)

    show_one(_row(manage(config, work)), as_json=as_json)


@app.command("set")
def set_theme(
    tenant: TenantOption,
    title: Annotated[str | None, typer.Option(help="Name on the pages.")] = None,
    accent_light: Annotated[str | None, typer.Option(help='Colour on light pages, like "#2b59c3".')] = None,
    accent_dark: Annotated[str | None, typer.Option(help='Colour on dark pages, like "#9bb8ff".')] = None,
    logo: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="PNG, JPEG or WebP.")] = None,
    no_logo: Annotated[bool, typer.Option("--no-logo", help="Takes the logo away.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Changes what is given; an empty text gives the field back to Argus."""
    said = {"title": title, "accent_light": accent_light, "accent_dark": accent_dark}
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    if no_logo:
        changes |= {"logo": b""}
    elif logo is not None:
        changes |= {"logo": logo.read_bytes(), "logo_type": mimetypes.guess_type(logo.name)[0] or "unknown"}

    async def work(argus: Argus) -> Theme:
        await argus.tenants.get(tenant)
        return await argus.themes.update(tenant, Theme(**changes), paths=changes, origin=origin(tenant, "themes set"))

    show_one(_row(manage(config, work)), as_json=as_json)


def _row(theme: Theme) -> dict[str, Any]:
    return {
        "title": theme.title,
        "accent_light": theme.accent_light,
        "accent_dark": theme.accent_dark,
        "logo": f"{theme.logo_type}, {len(theme.logo)} bytes" if theme.logo else "",
    }
