"""`argus doctor`: looks at everything that Argus needs, and says what to do."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import typer

from argus.base.settings import Settings, SettingsError
from argus.base.settings_sources import unknown_variables, variable
from argus.cli.output import ConfigOption, ExitCode, JsonOption, load_settings, show_table
from argus.storage.requirements import Finding, inspect_stores


def doctor(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check settings, stores, schema, clock and keys; exit 1 if something is not as it should be.

    What could be better is said, too, and is no failure.
    """
    settings = load_settings(config)
    findings = [
        Finding(what="settings", found=name, problem=f"{name} is no setting; is it misspelt?")
        for name in unknown_variables(Settings.paths(), os.environ)
    ]
    try:
        settings.check_servable()
    except SettingsError as error:
        findings += [Finding(what="settings", found="not servable", problem=problem) for problem in error.problems]
    else:
        findings.append(Finding(what="settings", found="servable"))
        stores = inspect_stores(
            settings.redis_url.get_secret_value(),
            settings.database_url.get_secret_value(),
            redis_ca_file=settings.redis_ca_file,
        )
        findings += [*stores, *_inspect_secret_files()]
        if not any(finding.problem for finding in stores if finding.what.startswith("postgresql")):
            # Here, so that `argus --help` does without it.
            from argus.server.key_encryption import inspect

            findings += asyncio.run(inspect(settings))
    rows = [
        {"check": finding.what, "found": finding.found, "verdict": finding.problem or finding.advice or "ok"}
        for finding in findings
    ]
    show_table(rows, ["check", "found", "verdict"], as_json=as_json)
    if any(finding.problem for finding in findings):
        raise typer.Exit(ExitCode.FAILED)


def _inspect_secret_files() -> Iterator[Finding]:
    """Files with secrets that other accounts of this machine could read."""
    for name in ("redis_url", "database_url", "key_encryption_key", "key_encryption_key_previous"):
        file = os.environ.get(f"{variable(name)}_FILE")
        if file and Path(file).stat().st_mode & 0o077:
            yield Finding(
                what=f"settings.{name}",
                found=file,
                advice=f"other accounts of this machine may read it: chmod 600 {file}",
            )
