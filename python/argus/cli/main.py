"""The command `argus`."""

import resource
import sys
from typing import Final

import typer

from argus.base.errors import ArgusError, Code
from argus.base.settings import SettingsError
from argus.cli import (
    bench,
    bootstrap,
    clients,
    config,
    dev,
    devices,
    doctor,
    geo,
    keys,
    migrate,
    notifications,
    passkeys,
    patch,
    policy,
    recover,
    revocations,
    serve,
    sessions,
    smoke,
    tenants,
    themes,
    users,
)
from argus.cli.extension import StaleExtensionError, check_extension
from argus.cli.output import EXIT_CODES, ExitCode
from argus.storage.migrate import MigrationError
from argus.storage.processes import StoreStartError
from argus.storage.requirements import StoreRequirementError
from argus.tokens.kek.command import KeyEncryptionUnavailableError
from argus.tokens.model import UnreadableSecretError

_REFUSALS: Final = {Code.NOT_FOUND: ExitCode.NOT_FOUND, Code.UNAVAILABLE: ExitCode.UNAVAILABLE}

app = typer.Typer(
    name="argus",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)


@app.callback()
def options() -> None:
    """Argus, the session authority: the one place that says whether a session is good.

    New here? `argus dev` starts everything on this machine and prints lines to try it with.
    """


app.command()(dev.dev)
app.command()(serve.serve)
app.command()(migrate.migrate)
app.command()(bootstrap.bootstrap)
app.command()(doctor.doctor)
app.command()(recover.recover)
app.command()(smoke.smoke)
app.add_typer(users.app, name="users")
app.add_typer(sessions.app, name="sessions")
app.add_typer(devices.app, name="devices")
app.add_typer(revocations.app, name="revocations")
app.add_typer(keys.app, name="keys")
app.add_typer(clients.app, name="clients")
app.add_typer(passkeys.app, name="passkeys")
app.add_typer(tenants.app, name="tenants")
app.add_typer(policy.app, name="policy")
app.add_typer(themes.app, name="themes")
app.add_typer(geo.app, name="geo")
app.add_typer(patch.app, name="patch")
app.add_typer(notifications.app, name="notifications")
app.add_typer(config.app, name="config")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Runs the command, and says in one line what kept it from running."""
    _forbid_core_dumps()
    try:
        check_extension()
        app()
    except (SettingsError, StaleExtensionError, UnreadableSecretError) as error:
        _fail(error, ExitCode.USAGE)
    except (StoreStartError, StoreRequirementError, MigrationError) as error:
        _fail(error, ExitCode.UNAVAILABLE)
    except KeyEncryptionUnavailableError as error:
        _fail(error.detail, ExitCode.UNAVAILABLE)
    except ArgusError as error:
        _fail(error, _REFUSALS.get(error.code, ExitCode.REFUSED))
    except KeyboardInterrupt:
        sys.exit(130)


def _forbid_core_dumps() -> None:
    """Private keys are in memory, and a core dump would write them to a disk.

    1 and not 0: with 0 the kernel still hands the dump to a program that core_pattern names.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))


def _fail(error: Exception | str, code: ExitCode) -> None:
    for line in str(error).splitlines():
        sys.stderr.write(f"argus: {line}\n")
    sys.exit(code)
