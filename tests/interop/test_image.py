"""The image's steps, replayed in a plain folder: what docker/Dockerfile says builds an Argus that runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "docker" / "Dockerfile"
# Of the base image, which the machine that runs the tests stands for.
PROVISIONING = "apt-get "
# The folders that the steps write to; all others are the machine's own.
FOLDERS = ("/dist", "/src", "/opt/argus", "/opt/uv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a Dockerfile."""

    name: str
    steps: list[tuple[str, str]]


def stages() -> list[Stage]:
    """The stages of the Dockerfile, and their steps as instruction and argument."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    found: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            found.append(Stage(name=argument.partition(" AS ")[2], steps=[]))
        else:
            found[-1].steps.append((instruction, argument.strip()))
    return found


class Replay:
    """Carries out stages in a folder, with the machine's own Python and Rust in the place of the base images'."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._work = folder

    def path(self, path: str) -> Path:
        """Where a path of the image is here."""
        return self._folder / path.lstrip("/") if path.startswith("/") else self._work / path

    def run(self, stage: Stage) -> None:
        """Carries out the steps of a stage."""
        for instruction, argument in stage.steps:
            if instruction == "WORKDIR":
                self._work = self.path(argument)
                self._work.mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY":
                self._copy(argument)
            elif instruction == "RUN" and PROVISIONING not in argument:
                self._run(argument)

    def _copy(self, argument: str) -> None:
        if argument.startswith("--from="):
            return  # All stages share the folder.
        *sources, target = shlex.split(argument)
        for source in sources:
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.so")
                shutil.copytree(ROOT / source, self.path(target), ignore=ignored)
            else:
                shutil.copy(ROOT / source, self.path(target))

    def _run(self, command: str) -> None:
        for folder in FOLDERS:
            command = re.sub(rf"(?<![\w/]){folder}\b", str(self.path(folder)), command)
        command = re.sub(r"^python3 ", f"{shlex.quote(sys.executable)} ", command)
        # Crates that are compiled already need not be compiled again.
        environment = {"CARGO_TARGET_DIR": str(ROOT / "target"), **os.environ}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            ["sh", "-euc", command], cwd=self._work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.mark.timeout(1200)
def test_the_steps_of_the_image_make_an_argus_that_runs(tmp_path: Path) -> None:
    replay = Replay(tmp_path)
    build, install, final = stages()
    replay.run(build)
    replay.run(install)
    argus = replay.path("/opt/argus/bin/argus")
    environment = {"PATH": os.defpath, "ARGUS_PRODUCTION": "true"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [argus, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    helped = run("--help")
    assert helped.returncode == 0, helped.stderr
    assert "serve" in helped.stdout
    shown = run("config", "show", "--json")
    assert shown.returncode == 0, shown.stderr
    assert '"environment ARGUS_PRODUCTION"' in shown.stdout
    python = replay.path("/opt/argus/bin/python")
    listing = "from argus.storage.migrate import shipped_migrations; print(shipped_migrations()[0].title)"
    assert subprocess.check_output([python, "-c", listing], cwd=tmp_path, text=True) == "0001_initial\n"
    # What the image does by itself without settings: it says what to set.
    assert ("CMD", '["serve"]') in final.steps
    served = run("serve")
    assert served.returncode == 2
    assert "ARGUS_KEY_ENCRYPTION_KEY (or ARGUS_KEY_ENCRYPTION_KEY_FILE) is not set" in served.stderr


def test_the_image_runs_as_an_ordinary_account() -> None:
    accounts = [argument for instruction, argument in stages()[-1].steps if instruction == "USER"]
    assert len(accounts) == 1
    assert 0 not in [int(part) for part in accounts[0].split(":")]


def test_the_image_and_the_makefile_use_the_same_uv() -> None:
    pinned = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert pinned
    assert f"uv=={pinned[1]}\n" in DOCKERFILE.read_text()
