"""Where mutants live: a copy of the sources that nobody else works on."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from tests.mutants.model import ROOT, Mutant

_COPIED: Final = (
    "python",
    "tests",
    "bench",
    "drills",
    "proto",
    "rust_core",
    "pyproject.toml",
    "Cargo.toml",
    "Cargo.lock",
)
_TOOLS: Final = ".tools"
_IGNORED: Final = shutil.ignore_patterns("__pycache__", "target", "*.pyc", ".hypothesis")
_EXTENSION: Final = "python/argus/_core.abi3.so"
# With the packages that no mutant touches already built, an extension is made in a quarter of a minute.
_CARGO: Final = (
    "cargo",
    "build",
    "--quiet",
    "--locked",
    "--package",
    "argus-py",
    "--features",
    "pyo3/extension-module",
)
_LONGEST_RUN_SECONDS: Final = 3600
_LONGEST_END_SECONDS: Final = 120
_LOOK_SECONDS: Final = 0.2
_PYTEST: Final = (sys.executable, "-m", "pytest", "--rootdir", ".")
_OPTIONS: Final = ("-p", "no:randomly", "-p", "no:cacheprovider", "--tb=short", "-q")


class WorkplaceError(Exception):
    """The tests of a mutant could not be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of pytest.

    Attributes:
        outcomes: "green", "red" or "broken" by test id (a test with cases has an id for each).
        output: What pytest printed.
        seconds: How long it took.
    """

    outcomes: dict[str, str]
    output: str
    seconds: float

    def of(self, test: str) -> str:
        """The outcome of a test; with cases red if one is; "missing" if it was not run."""
        found = {outcome for name, outcome in self.outcomes.items() if name == test or name.startswith(f"{test}[")}
        return next((outcome for outcome in ("broken", "red", "green") if outcome in found), "missing")


class Workplace:
    """The copy, in `target/mutants`: what Rust has built is there the next time."""

    def __init__(self) -> None:
        self._folder = ROOT / "target" / "mutants"
        self._tree = self._folder / "tree"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Makes the copy anew for the time of the block, and keeps a second run of the mutants out."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WorkplaceError("the mutants of this work tree are being run already") from None
            shutil.rmtree(self._tree, ignore_errors=True)
            for name in _COPIED:
                source, copy = ROOT / name, self._tree / name
                if source.is_dir():
                    shutil.copytree(source, copy, ignore=_IGNORED)
                else:
                    shutil.copy2(source, copy)
            # Other people's programs that tests have built, which no mutant touches.
            (self._tree / _TOOLS).symlink_to(ROOT / _TOOLS)
            try:
                yield
            finally:
                shutil.rmtree(self._tree, ignore_errors=True)

    def run(self, tests: Sequence[str], mutant: Mutant | None = None) -> Run:
        """Runs tests in the copy, with a mutant in it or as it is.

        Raises:
            WorkplaceError: They could not be run to the end.
        """
        begun = time.monotonic()
        outcomes, changes = self._folder / "outcomes.json", self._folder / "library.json"
        outcomes.unlink(missing_ok=True)
        options = ["-p", "tests.mutants.plugin", *_OPTIONS, "--outcomes", str(outcomes)]
        if mutant is not None and mutant.language == "lua":
            changes.write_text(
                json.dumps({"original": mutant.original(self._tree), "mutated": mutant.mutated(self._tree)})
            )
            options += ["--library", str(changes)]
        with self._changed(mutant):
            output = self._test([*options, *tests])
        if not outcomes.exists():
            raise WorkplaceError(output[-3000:])
        return Run(outcomes=json.loads(outcomes.read_text()), output=output, seconds=time.monotonic() - begun)

    def deletions(self, tests: Sequence[str], numbers: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Runs tests on the presets as they are, and then without each of some numbers (`tests.mutants.deletions`).

        Each line that is found is given at once.

        Raises:
            WorkplaceError: They could not be run to the end.
        """
        found, output = self._folder / "deletions.jsonl", self._folder / "deletions.log"
        found.write_text("")
        chosen = [option for number in numbers for option in ("--delete", number)]
        options = ["-p", "tests.mutants.deletions", *_OPTIONS, "--deletions", str(found), *chosen, *tests]
        is_done = False
        with output.open("wb") as log, found.open(encoding="utf-8") as lines:
            # In a group of its own: whoever interrupts us lets it end what it has begun, stores among it.
            program = subprocess.Popen(
                [*_PYTEST, *options],
                cwd=self._tree,
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                for line in _following(lines, program):
                    is_done = "done" in line
                    yield line
            finally:
                if program.poll() is None:
                    program.send_signal(signal.SIGINT)
                program.wait(timeout=_LONGEST_END_SECONDS)
        if not is_done:
            raise WorkplaceError(output.read_text(errors="replace")[-3000:])

    @contextmanager
    def _changed(self, mutant: Mutant | None) -> Iterator[None]:
        """Puts the change into the copy, and takes it out again; of Rust, with an extension built from it."""
        if mutant is None or mutant.language == "lua":
            yield
            return
        path, extension = self._tree / mutant.file, self._tree / _EXTENSION
        original, kept = mutant.original(self._tree), self._folder / "extension.so"
        if mutant.language == "rs":
            shutil.copy2(extension, kept)
        path.write_text(mutant.mutated(self._tree), encoding="utf-8")
        try:
            if mutant.language == "rs":
                self._build(extension)
            yield
        finally:
            path.write_text(original, encoding="utf-8")
            if mutant.language == "rs":
                extension.unlink(missing_ok=True)
                shutil.copy2(kept, extension)

    def _build(self, extension: Path) -> None:
        built = self._folder / "cargo"
        self._call([*_CARGO, "--target-dir", str(built)], must_succeed=True)
        # Not written over: a process may have it mapped.
        extension.unlink()
        shutil.copy2(built / "debug" / "lib_core.so", extension)

    def _test(self, options: Sequence[str]) -> str:
        return self._call([*_PYTEST, *options])

    def _call(self, command: Sequence[str], *, must_succeed: bool = False) -> str:
        """Runs a program in the copy; answers what it printed."""
        try:
            done = subprocess.run(
                command,
                cwd=self._tree,
                env=self._environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=must_succeed,
                timeout=_LONGEST_RUN_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            raise WorkplaceError(error.stdout[-3000:]) from None
        except subprocess.TimeoutExpired:
            raise WorkplaceError(f"not done after {_LONGEST_RUN_SECONDS} s") from None
        return done.stdout

    def _environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(self._tree / "python"), "PYTHONDONTWRITEBYTECODE": "1", "PYO3_PYTHON": sys.executable}
        return os.environ | own


def _following(lines: TextIO, program: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """The lines that a program writes, until it has ended; a line that is half written is waited for."""
    half, has_ended = "", False
    while True:
        half += lines.readline()
        if half.endswith("\n"):
            yield json.loads(half)
            half = ""
        elif has_ended:
            return
        else:
            # Looked at first: what it wrote before its end is read once more.
            has_ended = program.poll() is not None
            time.sleep(0 if has_ended else _LOOK_SECONDS)
