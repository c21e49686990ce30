"""`argus patch`: the release data that patch levels go by."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption, load_settings, show_json
from argus.cli.packages import fail, unpacked
from argus.patches.service import Patches
from argus.patches.sources import ReleaseDataError, read, write

app = typer.Typer(
    help="Renew release data, and ask how far a version is behind.", epilog=EXIT_CODES, no_args_is_help=True
)

_PACKAGE: Final = "@mdn/browser-compat-data"
_FILE: Final = "data.json"


@app.command("update")
def update(
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", exists=True, dir_okay=False, help="Argus's own form, endoflife.date's tables, or MDN's data."
        ),
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day that the file is of, where it does not say; default: today."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Renews the release data; servers use them within ten seconds, without a start.

    Without --from the browsers' releases come out of the npm package @mdn/browser-compat-data (CC0); those of systems
    stay as they are.
    """
    target = load_settings(config).patch_path
    before = Patches(target).releases
    of = (day or datetime.now(UTC)).date()
    try:
        if source is not None:
            found = read(source.read_text(), before=before, day=of)
        else:
            with unpacked(_PACKAGE, (_FILE,)) as (_, files):
                if _FILE not in files:
                    fail(f"{_PACKAGE} has no {_FILE} any more; say --from FILE")
                found = read(files[_FILE].read_text(), before=before, day=of)
    except (ReleaseDataError, UnicodeDecodeError) as error:
        fail(f"{source or _PACKAGE}: {error}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.write_text(write(found))
    part.replace(target)
    typer.echo(f"{target}: systems of {found.systems_date}, browsers of {found.browsers_date}")


@app.command("show")
def show(
    os: Annotated[str, typer.Option(help='System, as devices call it ("iOS", "Windows").')] = "",
    os_version: Annotated[str, typer.Option(help="Its version.")] = "",
    browser: Annotated[str, typer.Option(help='Browser ("Chrome", "Mobile Safari").')] = "",
    browser_version: Annotated[str, typer.Option(help="Its version.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Shows how far versions are behind, and of which day the data are."""
    patches = Patches(load_settings(config).patch_path)
    level = patches.releases.level(os, os_version, browser, browser_version, at=datetime.now(UTC))
    facts = {
        "days_behind": level.days_behind,
        "end_of_life": level.end_of_life,
        "systems_date": patches.releases.systems_date.isoformat(),
        "browsers_date": patches.releases.browsers_date.isoformat(),
    }
    if as_json:
        show_json(facts)
        return
    typer.echo("\n".join(f"{name:<15}{'unknown' if value is None else value}" for name, value in facts.items()))
