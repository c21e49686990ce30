"""Gets other people's servers with the ordinary clients of their registries, into a folder that git does not see."""

import hashlib
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Final

from bench.peers.web import AbsentError

TOOLS: Final = Path(__file__).parents[2] / ".tools" / "peers"
_LONGEST_SECONDS: Final = 600


def program(name: str) -> str:
    """Path of a program.

    Raises:
        AbsentError: There is none in PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise AbsentError(f"there is no {name} in PATH")
    return found


def node_modules(source: Path) -> Path:
    """A copy of a folder of JavaScript with the packages of its lock file.

    Raises:
        AbsentError: There is no npm, or it can't get them.
    """
    npm = program("npm")
    files = sorted(path for path in source.iterdir() if path.suffix in {".mjs", ".json"})
    digest = hashlib.sha256(b"\0".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()[:16]
    folder = TOOLS / f"{source.name}-{digest}"
    if not (folder / "node_modules" / ".package-lock.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for path in files:
            shutil.copy(path, folder)
        _get(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    return folder


def maven_zip(group: str, artifact: str, version: str, *, sha256: str, unpacked: str) -> Path:
    """The folder that a zip of Maven's holds.

    Args:
        group: Group of the artifact.
        artifact: Its name.
        version: Its version.
        sha256: What the file's digest must be.
        unpacked: Name of the folder in it.

    Raises:
        AbsentError: There is no mvn, it can't get the file, or that is another one.
    """
    folder = TOOLS / unpacked
    if folder.exists():
        return folder
    TOOLS.mkdir(parents=True, exist_ok=True)
    coordinates = f"-Dartifact={group}:{artifact}:{version}:zip"
    _get(program("mvn"), "-q", "-B", "dependency:copy", coordinates, f"-DoutputDirectory={TOOLS}", cwd=TOOLS)
    file, fresh = TOOLS / f"{artifact}-{version}.zip", TOOLS / f"{unpacked}.new"
    try:
        if hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
            raise AbsentError(f"{file.name} is not the file that it was")
        shutil.rmtree(fresh, ignore_errors=True)
        with zipfile.ZipFile(file) as packed:
            packed.extractall(fresh)
    finally:
        file.unlink(missing_ok=True)
    # In one step, so that half of it is never taken for all.
    (fresh / unpacked).rename(folder)
    fresh.rmdir()
    return folder


def _get(*command: str, cwd: Path) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # our own words
            command, cwd=cwd, capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise AbsentError(f"{command[0]} did not end within {_LONGEST_SECONDS} s") from None
    if done.returncode:
        raise AbsentError(f"{Path(command[0]).name} could not get it: {(done.stderr or done.stdout).strip()[-200:]}")
