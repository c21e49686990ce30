"""`argus doctor`: looks at everything that Argus needs, and says what to do."""

import os

import typer

from argus.base.settings import Settings, SettingsError
from argus.base.settings_sources import unknown_variables
from argus.cli.output import ConfigOption, ExitCode, JsonOption, load_settings, show_table
from argus.storage.requirements import Finding, inspect_stores


def doctor(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check settings, stores, schema and clock; exit 1 if something is not as it should be."""
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
        findings += inspect_stores(
            settings.redis_url.get_secret_value(),
            settings.database_url.get_secret_value(),
            redis_ca_file=settings.redis_ca_file,
        )
    rows = [{"check": finding.what, "found": finding.found, "verdict": finding.problem or "ok"} for finding in findings]
    show_table(rows, ["check", "found", "verdict"], as_json=as_json)
    if any(finding.problem for finding in findings):
        raise typer.Exit(ExitCode.FAILED)
