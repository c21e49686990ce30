"""`argus bootstrap`: the first client of an installation, which makes all else."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from argus.cli.output import ConfigOption, JsonOption, load_settings, show_json


def bootstrap(
    secrets_dir: Annotated[
        Path | None, typer.Option(help="Folder for the secret, a file of mode 0600; else it is printed, once.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make the system tenant and its client `operator`, which may make all other tenants; twice does nothing more."""
    # Here, so that `argus --help` does without it.
    from argus.server.bootstrap import OPERATOR_CLIENT, SYSTEM_TENANT, bootstrap_system, client_secret_file
    from argus.server.secret_files import SecretFiles

    settings = load_settings(config)
    settings.check_servable()
    name = client_secret_file(OPERATOR_CLIENT)
    with tempfile.TemporaryDirectory() as folder:
        files = SecretFiles(secrets_dir or Path(folder))
        before = files.has(name)
        asyncio.run(bootstrap_system(settings, files))
        made = {"tenant": SYSTEM_TENANT, "client": OPERATOR_CLIENT}
        if files.has(name) and not before:
            made["client_secret"] = str(files.path(name)) if secrets_dir else files.path(name).read_text()
    if as_json:
        show_json(made)
        return
    typer.echo(f"tenant {SYSTEM_TENANT}, client {OPERATOR_CLIENT}")
    again = f"was made before; for a new one: argus clients rotate-secret {OPERATOR_CLIENT} --tenant {SYSTEM_TENANT}"
    typer.echo(f"client secret: {made.get('client_secret', again)}")
