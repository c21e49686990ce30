"""A PostgreSQL that can be killed, paused, and moved onto a disk that is soon full."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from psycopg.rows import dict_row

from argus.storage.binaries import find_binaries
from argus.storage.home import Home
from drills.field.parts import LOOPBACK, Part, free_port

_USER: Final = "argus"
_SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "log_min_messages": "warning",
    "timezone": "UTC",
    # Little, so that a small disk has room for it.
    "min_wal_size": "32MB",
    "max_wal_size": "64MB",
}
_DISK_MEGABYTES: Final = 256
_BLOCK: Final = bytes(1 << 20)


class Postgresql(Part):
    """The server, with the account and folders that `argus dev` would give it."""

    def __init__(self, folder: Path) -> None:
        """Makes its data folder.

        Args:
            folder: The world's.
        """
        folder = folder / "postgresql"
        folder.mkdir()
        home = Home.open(folder)
        super().__init__("postgresql", home.path, account=home.account, stop_signal=signal.SIGINT)
        self._home = home
        self._binaries = home.reachable(find_binaries(_path("ARGUS_PG_BIN"), None))
        self._data = home.path / "data"
        self._is_on_small_disk = False
        self.port = free_port()
        self._password = secrets.token_urlsafe(24)

    def url(self, port: int | None = None, database: str = _USER) -> str:
        """Where it answers; by another port, if a proxy is in front."""
        return f"postgresql://{_USER}:{self._password}@{LOOPBACK}:{port or self.port}/{database}"

    async def create(self) -> None:
        """Makes the database, and starts it."""
        password_file = self._home.write("password", self._password)
        self._home.run(
            [
                *(self._binaries.initdb, "-D", self._data, "-U", _USER, "--pwfile", password_file),
                *("-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-instructions", "--no-sync"),
            ]
        )
        password_file.unlink()
        self.launch()
        await self.answering()
        async with await psycopg.AsyncConnection.connect(self.url(database="postgres"), autocommit=True) as connection:
            await connection.execute(f"CREATE DATABASE {_USER}")

    def launch(self) -> None:
        """Starts it with what is in its folder."""
        # Of a server that was killed; it is gone, and its number may be another's.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        options = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(self.port)}.items()]
        self.run([self._binaries.postgres, "-D", self._data, *options])

    async def answers(self) -> bool:
        """Whether it takes connections."""
        with contextlib.suppress(psycopg.OperationalError):
            url = self.url(database="postgres")
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=2):
                return True
        return False

    def pause(self) -> None:
        """Stops all its processes: a backend of a paused postmaster would go on answering."""
        for pid in self._family():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets all of them go on."""
        for pid in self._family():
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """Ends all its processes at once."""
        family = self._family()
        super().kill()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def fetch_all(self, sql: LiteralString, params: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Rows of a read."""
        async with await psycopg.AsyncConnection.connect(self.url(), connect_timeout=5) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            return await (await cursor.execute(sql, params)).fetchall()

    async def execute(self, sql: LiteralString, params: tuple[Any, ...] = ()) -> None:
        """Runs a statement; it is committed."""
        url = self.url()
        async with await psycopg.AsyncConnection.connect(url, autocommit=True, connect_timeout=5) as connection:
            await connection.execute(sql, params)

    async def move_to_small_disk(self) -> None:
        """Moves its data onto a disk of its own, once; for root in a namespace of its own (`drills.namespace`)."""
        if self._is_on_small_disk:
            return
        self.stop()
        account = self._home.account
        owner = f",uid={account.uid},gid={account.gid}" if account else ""
        moved = self._data.with_suffix(".before")
        self._data.rename(moved)
        self._data.mkdir(mode=0o700)
        subprocess.run(  # noqa: ASYNC221, S603 - nothing goes on yet; constants and a path of our own
            ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m,mode=700{owner}", "tmpfs", self._data],  # noqa: S607
            check=True,
        )
        self._home.run(["/bin/cp", "-a", f"{moved}/.", self._data])
        shutil.rmtree(moved)
        self._is_on_small_disk = True
        self.launch()
        await self.answering()

    def fill_disk(self) -> None:
        """Writes until nothing more fits."""
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as file:
            while file.write(_BLOCK):
                pass

    def free_disk(self) -> None:
        """Gives the room back."""
        self._ballast.unlink(missing_ok=True)

    def delete(self) -> None:
        """Stops it and deletes all that it has stored."""
        self.stop()
        if self._is_on_small_disk:
            subprocess.run(["umount", "-l", self._data], check=False)  # noqa: S603, S607 - a path of our own
        self._home.delete()

    @property
    def _ballast(self) -> Path:
        return self._data / "ballast"

    def _family(self) -> list[int]:
        if not self.process.running:
            return []
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(int(child) for child in children)]


def _path(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
