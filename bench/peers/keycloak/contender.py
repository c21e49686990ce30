"""Keycloak as a peer."""

import asyncio
import secrets
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from argus.storage.embedded import EmbeddedStores, StoreUrls
from bench.peers.installing import maven_zip, program
from bench.peers.web import CLIENT_ID, AbsentError, Web
from tests.support.servers import free_ports

VERSION: Final = "26.5.0"
_SHA256: Final = "907f10721092bf57436698733d5046ad9ccf39564991d046f5afd67fadf17f08"
_REALM: Final = "bench"
_ADMIN: Final = "admin"
_USERS: Final = 50
_BUILD_SECONDS: Final = 300
_MAIN: Final = "io.quarkus.bootstrap.runner.QuarkusEntryPoint"
_THREADS: Final = "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory"
# As its own start script has them.
_JAVA: Final = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:MetaspaceSize=96M",
    "-XX:+ExitOnOutOfMemoryError",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
    f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={_THREADS}",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Dpicocli.disable.closures=true",
)


class Keycloak:
    """A server of its own. A `Peer`."""

    def __init__(self, web: Web, *, database: int, users: Sequence[tuple[str, str]]) -> None:
        self.web = web
        self.name = f"Keycloak {VERSION}"
        self.stores: Mapping[str, int] = {"database": database}
        self._users = users

    async def sign_ins(self, count: int) -> Sequence[Mapping[str, str]]:
        """Names and passwords, of users whose hashes cost nothing: what is measured is the session."""
        users = [self._users[number % len(self._users)] for number in range(count)]
        form = {"grant_type": "password", "scope": "openid"}
        return [form | {"username": name, "password": password} for name, password in users]


@asynccontextmanager
async def keycloak() -> AsyncIterator[Keycloak]:
    """To be entered from the main thread, with which it ends.

    Raises:
        AbsentError: It can't be had here.
    """
    java = program("java")
    home = maven_zip("org.keycloak", "keycloak-quarkus-dist", VERSION, sha256=_SHA256, unpacked=f"keycloak-{VERSION}")
    await asyncio.to_thread(_build, home)
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="argus-")))
        stores = stack.enter_context(EmbeddedStores(folder / "stores"))
        port, management = free_ports(2)
        secret, password = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        environment = _environment(stores.urls, port=port, management=management, password=password)
        url = f"http://127.0.0.1:{port}"
        command = ["/usr/bin/env", *environment, java, *_options(home), _MAIN, "start", "--optimized"]
        web = Web("keycloak", folder, command, secret=secret, ready=f"{url}/realms/master")
        protocol = f"{url}/realms/{_REALM}/protocol/openid-connect"
        web.token_url, web.introspection_url = f"{protocol}/token", f"{protocol}/token/introspect"
        await stack.enter_async_context(web)
        users = [(f"user{number}", secrets.token_urlsafe(12)) for number in range(_USERS)]
        await _make_realm(web, url, admin_password=password, secret=secret, users=users)
        yield Keycloak(web, database=stores.postgresql.pid, users=users)


def _build(home: Path) -> None:
    """Makes it ready for PostgreSQL, once."""
    done = home / ".built-for-postgresql"
    if done.exists():
        return
    command: list[str | Path] = [
        program("sh"),
        home / "bin" / "kc.sh",
        "build",
        "--db=postgres",
        "--health-enabled=true",
    ]
    built = subprocess.run(  # noqa: S603  # its own program
        command, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False
    )
    if built.returncode:
        raise AbsentError(f"it can't be made ready: {built.stdout.strip()[-200:]}")
    done.touch()


def _options(home: Path) -> list[str]:
    places = [f"-Dkc.home.dir={home}", f"-Djboss.server.config.dir={home / 'conf'}"]
    return [*_JAVA, *places, "-cp", str(home / "lib" / "quarkus-run.jar")]


def _environment(stores: StoreUrls, *, port: int, management: int, password: str) -> list[str]:
    database = urlsplit(stores.database)
    values = {
        "KC_DB_URL": f"jdbc:postgresql://{database.hostname}:{database.port}{database.path}",
        "KC_DB_USERNAME": database.username,
        "KC_DB_PASSWORD": database.password,
        "KC_HTTP_ENABLED": "true",
        "KC_HTTP_HOST": "127.0.0.1",
        "KC_HTTP_PORT": port,
        "KC_HTTP_MANAGEMENT_PORT": management,
        "KC_HOSTNAME_STRICT": "false",
        "KC_CACHE": "local",
        "KC_BOOTSTRAP_ADMIN_USERNAME": _ADMIN,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": password,
    }
    return [f"{name}={value}" for name, value in values.items()]


async def _make_realm(
    web: Web, url: str, *, admin_password: str, secret: str, users: Sequence[tuple[str, str]]
) -> None:
    """A realm that rotates refresh tokens, with a client and users."""
    form = {"grant_type": "password", "client_id": "admin-cli", "username": _ADMIN, "password": admin_password}
    answer = await web.http.post(f"{url}/realms/master/protocol/openid-connect/token", data=form)
    bearer = {"authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}
    realm: dict[str, Any] = {
        "realm": _REALM,
        "enabled": True,
        "sslRequired": "none",
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        # Passwords are not what is measured.
        "passwordPolicy": "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)",
        "clients": [
            {
                "clientId": CLIENT_ID,
                "secret": secret,
                "publicClient": False,
                "directAccessGrantsEnabled": True,
                "standardFlowEnabled": False,
            }
        ],
        "users": [_user(name, password) for name, password in users],
    }
    (await web.http.post(f"{url}/admin/realms", json=realm, headers=bearer)).raise_for_status()


def _user(name: str, password: str) -> dict[str, Any]:
    person = {"firstName": "A", "lastName": "User", "email": f"{name}@example.com", "emailVerified": True}
    credential = {"type": "password", "value": password, "temporary": False}
    return {"username": name, "enabled": True, "credentials": [credential], **person}
