"""`argus config`: the settings in force, and where each value came from."""

import os

import typer
from pydantic import SecretStr

from argus.base.settings import PolicySettings, Settings
from argus.base.settings_sources import unknown_variables, variable
from argus.cli.output import EXIT_CODES, ConfigOption, JsonOption, load_settings, show_table

app = typer.Typer(help="Show the settings.", epilog=EXIT_CODES, no_args_is_help=True)


@app.callback()
def config() -> None:
    """Show the settings."""


@app.command("show")
def show(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show every setting, its value and where that came from; secrets are never shown."""
    settings = load_settings(config)
    written = settings.model_dump(mode="json")
    written |= {f"policy.{name}": value for name, value in written.pop("policy").items()}
    rows = [
        {
            "setting": path,
            "value": _shown(settings, path, written[path]),
            "source": source,
            "variable": variable(path),
            "description": _description(path),
        }
        for path, source in settings.provenance().items()
    ]
    show_table(rows, ["setting", "value", "source"], as_json=as_json)
    for name in unknown_variables(Settings.paths(), os.environ):
        typer.echo(f"argus: {name} is no setting; is it misspelt?", err=True)


def _shown(settings: Settings, path: str, written: object) -> object:
    value = getattr(settings, path, None)
    if isinstance(value, SecretStr):
        return "(set)" if value.get_secret_value() else ""
    return "" if written is None else written


def _description(path: str) -> str:
    group, _, name = path.rpartition(".")
    return (PolicySettings if group else Settings).model_fields[name].description or ""
