"""`argus migrate`: brings PostgreSQL's schema to this release."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from argus.base.settings import SettingsError
from argus.cli.output import ConfigOption, ExitCode, JsonOption, load_settings, show_json
from argus.storage import migrate as migrations


def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if something is to be applied.")
    ] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Apply the migrations that the database does not have yet; safe to run from many machines at once."""
    url = load_settings(config).database_url.get_secret_value()
    if not url:
        raise SettingsError(["ARGUS_DATABASE_URL (or ARGUS_DATABASE_URL_FILE) is not set"])
    if check:
        titles = [migration.title for migration in migrations.pending_migrations(url)]
    else:
        titles = [migration.title for migration in migrations.migrate(url, now=datetime.now(UTC))]
    key = "pending" if check else "applied"
    if as_json:
        show_json({key: titles})
    else:
        typer.echo(f"{key}: {', '.join(titles) or 'none'}")
    if check and titles:
        raise typer.Exit(ExitCode.FAILED)
