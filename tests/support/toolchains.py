"""Programs in other languages that tests build, once, into `.tools/` of the project: CI keeps that folder."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

ROOT: Final = Path(__file__).parents[2]
CLIENTS: Final = ROOT / "tests" / "interop" / "clients"
_TOOLS: Final = ROOT / ".tools"
_BUILD_SECONDS: Final = 300

_P = ParamSpec("_P")
_T = TypeVar("_T")


class AbsentError(Exception):
    """This machine has not what a program is made of: its tests are skipped, saying so."""


def alone(make: Callable[_P, _T]) -> Callable[_P, _T]:
    """Lets one process at a time build something: whoever comes next finds it whole."""

    @functools.wraps(make)
    def one_at_a_time(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        _TOOLS.mkdir(exist_ok=True)
        with (_TOOLS / f"{make.__name__}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return make(*args, **kwargs)

    return one_at_a_time


def program(name: str) -> str:
    """Path of a program.

    Raises:
        AbsentError: It is not in PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise AbsentError(f"there is no {name} in PATH")
    return found


def workplace(name: str, *more: Path) -> Path:
    """A folder for what is made of a client's sources (and `more`); other sources have another one."""
    digest = hashlib.sha256()
    for path in sorted(_files(CLIENTS / name, *more)):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    folder = _TOOLS / "clients" / f"{name}-{digest.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def copied(name: str, folder: Path) -> None:
    """Puts a client's sources into its folder."""
    shutil.copytree(CLIENTS / name, folder, dirs_exist_ok=True)


def get(*command: str | Path, cwd: Path) -> None:
    """Gets what a client is made of.

    Raises:
        AbsentError: That can't be had here.
    """
    done = _run(command, cwd)
    if done.returncode:
        raise AbsentError(f"{' '.join(map(str, command))} failed: {(done.stderr or done.stdout).strip()[-300:]}")


def build(*command: str | Path, cwd: Path, absent: str = "") -> None:
    """Builds a client of what is there; anything but success is the test's failure.

    Args:
        command: What builds it.
        cwd: Where.
        absent: What it says where it can't get something by itself, if it tries.

    Raises:
        AbsentError: It said so.
    """
    done = _run(command, cwd)
    said = f"{' '.join(map(str, command))} failed: {(done.stderr + done.stdout).strip()}"
    if done.returncode and absent and absent in said:
        raise AbsentError(said[:600])
    assert done.returncode == 0, said


def _run(command: Sequence[str | Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)


def _files(*places: Path) -> Iterator[Path]:
    for place in places:
        yield from (path for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file())
