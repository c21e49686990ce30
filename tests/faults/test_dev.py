"""`argus dev` from an empty folder: what it prints works as pasted, and nothing of it is left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import argus
from tests.support.processes import PATIENCE_SECONDS, handles, wait_for_the_end

ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("ARGUS_")},
    "PYTHONPATH": str(Path(argus.__file__).parents[1]),
}
# Of the processor, so that a busy machine makes no difference; the wall shows about the same on an idle one.
START_CPU_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dev:
    """A running `argus dev`."""

    process: subprocess.Popen[str]
    printed: str

    def family(self) -> list[psutil.Process]:
        """Argus and all processes that it has started."""
        itself = psutil.Process(self.process.pid)
        return [itself, *itself.children(recursive=True)]

    def lines_to_paste(self) -> dict[str, str]:
        """What is printed to be pasted into a shell, by its first word."""
        blocks = [block.partition("\n")[2] for block in self.printed.split("\n# ")[1:]]
        return {Path(block.split(maxsplit=1)[0]).name: block for block in blocks}

    def paste(self, name: str) -> str:
        """Runs the lines that begin with a program's name in a shell, and gives what they print."""
        return self._in_a_shell(self.lines_to_paste()[name])

    def run(self, *words: str) -> str:
        """Runs another command in the place of the one that is printed, and gives what it prints."""
        return self._in_a_shell(self.lines_to_paste()["env"].partition(" users ")[0] + " " + " ".join(words))

    def _in_a_shell(self, lines: str) -> str:
        done = subprocess.run(
            ["sh", "-eu"],
            input=lines,
            env=ENVIRONMENT,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def start(folder: Path, as_account: list[str]) -> Iterator[Callable[[], Dev]]:
    """Starts `argus dev` in the folder and waits until it has printed its lines."""
    started: list[Dev] = []

    def run() -> Dev:
        listeners = [part for name in ("grpc", "http", "admin") for part in (f"--{name}-listen", "127.0.0.1:0")]
        program = "from argus.cli.main import main; main()"
        process = subprocess.Popen(
            [*as_account, sys.executable, "-c", program, "dev", "--data-dir", folder, *listeners],
            env=ENVIRONMENT,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        printed = ""
        while not printed.endswith("\nPY\n"):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            printed += line
        started.append(Dev(process=process, printed=printed))
        return started[-1]

    yield run
    for dev in started:
        if dev.process.poll() is None:
            dev.process.send_signal(signal.SIGINT)
        dev.process.communicate(timeout=PATIENCE_SECONDS)


def test_from_an_empty_folder_to_pasted_lines_to_ctrl_c(start: Callable[[], Dev], folder: Path) -> None:
    dev = start()
    assert set(dev.lines_to_paste()) == {"curl", "grpcurl", "env", Path(sys.executable).name}
    walked = dev.paste(Path(sys.executable).name)
    assert re.search(r"^verified tenants/dev/users/\S+/sessions/\S+ urn:argus:acr:1 \['pwd'\]$", walked, re.MULTILINE)
    assert re.search(r"^session tenants/dev/users/", walked, re.MULTILINE)
    assert re.search(r"^refused UNAUTHENTICATED ", walked, re.MULTILINE)
    if shutil.which("curl"):
        assert '"keys"' in dev.paste("curl")
    if shutil.which("grpcurl"):
        assert '"access_token"' in dev.paste("grpcurl")
    assert "admin@example.com" in dev.paste("env")
    # What the command line installs is where the server looks for it.
    shown = dev.run("geo", "show")
    assert shown.startswith(str(folder))
    for file in (folder / "secrets").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    family = handles(dev.family())
    dev.process.send_signal(signal.SIGINT)
    dev.process.communicate(timeout=PATIENCE_SECONDS)
    assert dev.process.returncode == 0
    wait_for_the_end(family)


def test_kill_9_leaves_nothing_and_the_next_start_recovers_soon(start: Callable[[], Dev]) -> None:
    dev = start()
    family = handles(dev.family())
    dev.process.kill()
    wait_for_the_end(family)
    again = start()
    used = psutil.Process(again.process.pid).cpu_times()
    assert used.user + used.system < START_CPU_SECONDS
    # The same secrets, users and keys.
    assert "refused UNAUTHENTICATED" in again.paste(Path(sys.executable).name)


def test_no_secret_is_printed(start: Callable[[], Dev], folder: Path) -> None:
    dev = start()
    dev.paste(Path(sys.executable).name)
    dev.process.send_signal(signal.SIGINT)
    _, logged = dev.process.communicate(timeout=PATIENCE_SECONDS)
    for file in (folder / "secrets").iterdir():
        assert file.read_text() not in dev.printed + logged
