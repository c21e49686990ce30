"""Counting, and comparing with what was counted before."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parents[2]

# The program does each work so often (`rust_core/micro/src/main.rs`).
_TIMES: Final = 10
_TOTAL: Final = re.compile(r"^summary: (\d+)$", re.MULTILINE)

# Runs of one program differ by less than .4 % (hash maps have random seeds), and a change elsewhere moved works by up
# to 1.4 % (the compiler divides the code another way); another compiler is another matter.
SAME_TOOLS_PERCENT: Final = 3.0
OTHER_TOOLS_PERCENT: Final = 15.0
# A work of a hundred instructions changes by some with whatever stands around it.
FEW: Final = 50

# What aws-lc chooses its code by; valgrind shows a program nothing newer than these.
_CPU_FLAGS: Final = ("avx2", "bmi2", "adx")


class CountError(Exception):
    """Nothing could be counted; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One work, before and now.

    Attributes:
        before: Instructions in the baseline; none of a work that is new.
        now: Instructions now; none of a work that is gone.
    """

    name: str
    before: int | None
    now: int | None
    tolerance: float

    @property
    def percent(self) -> float:
        """By how much it changed."""
        return 100 * (self.now - self.before) / self.before if self.now and self.before else 0.0

    @property
    def verdict(self) -> str:
        """What is to be said of it; empty = nothing."""
        if self.before is None:
            return "NEW"
        if self.now is None:
            return "GONE"
        if abs(self.now - self.before) < FEW:
            return ""
        if self.percent > self.tolerance:
            return "SLOWER"
        return "faster" if self.percent < -self.tolerance else ""

    @property
    def is_red(self) -> bool:
        """Whether the check fails by it: what is faster may stay unsaid, but the list must be the baseline's."""
        return self.verdict.isupper()


def compare(before: Mapping[str, int], now: Mapping[str, int], tolerance: float) -> list[Change]:
    """Holds counts against a baseline, work by work."""
    return [
        Change(name=name, before=before.get(name), now=now.get(name), tolerance=tolerance)
        for name in dict.fromkeys([*before, *now])
    ]


def count() -> dict[str, int]:
    """Builds the works and counts the instructions of each, once done.

    Raises:
        CountError: If the program or valgrind fails.
    """
    build = ["cargo", "build", "--release", "--quiet", "--locked", "-p", "argus-micro"]
    subprocess.run(build, cwd=ROOT, check=True)  # noqa: S603  # our own words
    program = ROOT / "target" / "release" / "argus-micro"
    with TemporaryDirectory(prefix="argus-") as folder:
        options = ["--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        marks = ["--zero-before=*counted_work*", "--dump-before=*counted_end*"]
        # A debugger's environment can be long, and memory is laid out by it.
        done = subprocess.run(  # noqa: S603
            ["valgrind", *options, *marks, str(program)],  # noqa: S607  # whichever valgrind is there
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": "/"},
        )
        names = done.stdout.splitlines()
        dumps = [Path(folder, f"out.{number}") for number in range(1, len(names) + 1)]
        if done.returncode or not names or not all(dump.exists() for dump in dumps):
            raise CountError(f"valgrind ended with {done.returncode}: {done.stderr[-2000:]}")
        return {name: _total(dump) // _TIMES for name, dump in zip(names, dumps, strict=True)}


def _total(dump: Path) -> int:
    found = _TOTAL.search(dump.read_text(encoding="utf-8"))
    if not found:
        raise CountError(f"callgrind wrote no summary: {dump.read_text(encoding='utf-8')[:500]}")
    return int(found[1])


def tools() -> dict[str, str]:
    """What the counts depend on besides the code."""
    flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    return {
        "rustc": _first_line("rustc", "--version"),
        "cc": _first_line("cc", "--version"),
        "valgrind": _first_line("valgrind", "--version"),
        "libc": " ".join(platform.libc_ver()),
        "cpu": " ".join([platform.machine(), *(flag for flag in _CPU_FLAGS if flag in flags)]),
    }


def is_there() -> bool:
    """Whether this machine has valgrind."""
    return shutil.which("valgrind") is not None


def _first_line(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own words
    return done.stdout.splitlines()[0]
