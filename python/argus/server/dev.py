"""`argus dev`: everything from one command, in one folder."""

import asyncio
import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from argus.base.clock import Clock, now
from argus.base.listen import is_loopback, split_address
from argus.base.settings import Settings, SettingsError
from argus.server.bootstrap import (
    ADMINISTRATOR,
    ADMINISTRATOR_PASSWORD,
    DEV_CLIENT,
    DEV_TENANT,
    KEY_ENCRYPTION_KEY,
    OPERATOR_CLIENT,
    Bootstrap,
    client_secret_file,
)
from argus.server.secret_files import SecretFiles
from argus.server.serve import Running, serve
from argus.storage.embedded import EmbeddedStores
from argus.storage.migrate import migrate

_KEY_BYTES: Final = 32
_CONFIG: Final = "argus.toml"
_MAILS: Final = "mails"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServer:
    """What `argus dev` has started.

    Attributes:
        grpc: Host and port of the gRPC server.
        http: Address of the HTTP edge.
        admin: Address of health checks and metrics.
        data_dir: Folder of everything.
        tenant: Its tenant.
        client: The tenant's service client.
        client_secret: File of the client's secret.
        administrator: What the tenant's first user signs in with.
        password: File of the first user's password.
        operator_secret: File of the secret of the system tenant's client `operator`.
        config: Settings file for the command line: it finds the same stores and key by it.
        mails: Where mails go: a folder, or the mail server's name.
        pages: Address of the tenant's pages.
    """

    grpc: str
    http: str
    admin: str
    data_dir: Path
    tenant: str
    client: str
    client_secret: Path
    administrator: str
    password: Path
    operator_secret: Path
    config: Path
    mails: str
    pages: str


def run_dev(settings: Settings, *, announce: Callable[[DevServer], None]) -> None:
    """Starts stores, brings the schema up, makes what a first start needs, and serves until SIGINT or SIGTERM.

    Args:
        settings: All settings; where they name no stores, embedded ones are used.
        announce: Called once everything answers.

    Raises:
        SettingsError: One store is named and the other is not.
        StoreStartError: A store did not start.
    """
    if settings.production:
        raise SettingsError(["ARGUS_PRODUCTION is for argus serve: argus dev makes keys and passwords of its own"])
    settings = with_base_url(settings)
    if not settings.has_mail:
        settings = settings.model_copy(update={"mail_folder": settings.data_dir.absolute() / _MAILS})
    files = SecretFiles(settings.data_dir / "secrets")
    named = [bool(url.get_secret_value()) for url in (settings.redis_url, settings.database_url)]
    if any(named) and not all(named):
        raise SettingsError(["set both ARGUS_REDIS_URL and ARGUS_DATABASE_URL, or neither for embedded stores"])
    if all(named):
        _run(_with_key(settings, files), files, announce)
        return
    with EmbeddedStores(settings.data_dir, pg_bin=settings.pg_bin, valkey_bin=settings.valkey_bin) as stores:
        urls = {"redis_url": SecretStr(stores.urls.redis), "database_url": SecretStr(stores.urls.database)}
        _run(_with_key(settings.model_copy(update=urls), files), files, announce)


def with_base_url(settings: Settings) -> Settings:
    """Where nothing else was said, the address that it is reached at is the one that it listens on.

    By its name: browsers keep passkeys for names, and none for addresses.
    """
    host, port = split_address(settings.http_listen)
    if settings.provenance()["base_url"] != "default" or not port or not is_loopback(host):
        return settings
    scheme = "https" if settings.http_tls_certificate else "http"
    return settings.model_copy(update={"base_url": f"{scheme}://localhost:{port}"})


def _with_key(settings: Settings, files: SecretFiles) -> Settings:
    if settings.key_encryption_key.get_secret_value() or settings.key_encryption_command:
        return settings
    key = files.keep(KEY_ENCRYPTION_KEY, lambda: base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode())
    return settings.model_copy(update={"key_encryption_key": SecretStr(key)})


def _run(settings: Settings, files: SecretFiles, announce: Callable[[DevServer], None]) -> None:
    clock = Clock()
    migrate(settings.database_url.get_secret_value(), now=now(clock))

    files.write(_CONFIG, _settings_file(settings))

    async def on_ready(server: Running) -> None:
        bootstrap = Bootstrap(argus=server.argus, files=files, replaces_lost=True)
        await bootstrap.system()
        await bootstrap.development()
        announce(
            DevServer(
                grpc=server.grpc_address,
                http=server.http_url,
                admin=server.admin_url,
                data_dir=settings.data_dir.absolute(),
                tenant=DEV_TENANT,
                client=DEV_CLIENT,
                client_secret=files.path(client_secret_file(DEV_CLIENT)),
                administrator=ADMINISTRATOR,
                password=files.path(ADMINISTRATOR_PASSWORD),
                operator_secret=files.path(client_secret_file(OPERATOR_CLIENT)),
                config=files.path(_CONFIG),
                mails=settings.mail_server.host if settings.mail_server else str(settings.mail_folder),
                pages=f"{settings.base_url}/t/{DEV_TENANT}",
            )
        )

    asyncio.run(serve(settings, clock=clock, on_ready=on_ready))


def _settings_file(settings: Settings) -> str:
    """What the other commands need in order to work on the same stores."""
    secret = {
        "redis_url": settings.redis_url,
        "database_url": settings.database_url,
        "key_encryption_key": settings.key_encryption_key,
        "key_encryption_key_previous": settings.key_encryption_key_previous,
        # What the command line does to users is told to them, too.
        "mail_url": settings.mail_url,
    }
    paths = {
        "geo_folder": settings.geo_folder,
        "mail_folder": settings.mail_folder,
        "patch_file": settings.patch_file,
        "webhook_ca_file": settings.webhook_ca_file,
    }
    values = {
        "base_url": settings.base_url,
        "key_encryption_command": settings.key_encryption_command,
        "key_encryption_command_previous": settings.key_encryption_command_previous,
        "mail_from": settings.mail_from,
        # Where it looks for what `argus geo` and `argus patch` install, and sends what `argus notifications` tries.
        "data_dir": str(settings.data_dir.absolute()),
        "webhook_allowed_networks": settings.webhook_allowed_networks,
        **{name: str(path.absolute()) for name, path in paths.items() if path is not None},
    } | {name: value.get_secret_value() for name, value in secret.items()}
    # A JSON string is a TOML string, too.
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
