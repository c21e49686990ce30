"""The programs that libFuzzer drives: how they are built, started and read."""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CRATE: Final = ROOT / "rust_core" / "fuzz"
WORK: Final = ROOT / ".fuzz"

CARGO_FUZZ: Final = "0.13.2"
_TOOLS: Final = ROOT / ".tools"

# Longest input of each target, in bytes: a little beyond the limit that the code itself has.
LENGTHS: Final = {"token": 8_400, "jwk": 4_096, "proof": 4_400, "record": 256, "request": 8_192}

_SLOWEST_SECONDS: Final = 10
_MOST_MEMORY_MB: Final = 1_024
_STAT: Final = re.compile(r"^stat::(\w+):\s+(\d+)$", re.MULTILINE)
_EVENT: Final = re.compile(r"^#\d+\s+\S+\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)


class FuzzError(Exception):
    """Fuzzing could not begin; the text says what to do."""


@dataclass(slots=True, kw_only=True)
class Run:
    """One target under way, or at its end.

    Attributes:
        cpu_seconds: CPU time of the program; known at the end.
        status: Exit status; 0 = the time is up and nothing was found.
    """

    name: str
    process: subprocess.Popen[bytes]
    begun: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    status: int | None = None

    @property
    def log(self) -> Path:
        """What libFuzzer says."""
        return WORK / self.name / "log"

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self.begun

    def has_ended(self) -> bool:
        """Whether it has; takes its figures then."""
        if self.status is None:
            pid, status, used = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
                self.seconds = self.age
                self.cpu_seconds = used.ru_utime + used.ru_stime
        return self.status is not None

    def stop(self) -> None:
        """Ends it early."""
        if not self.has_ended():
            self.process.kill()
            while not self.has_ended():
                time.sleep(0.01)

    def figures(self) -> dict[str, int | float]:
        """Executions, edges covered, inputs kept, memory."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        stats = {name: int(value) for name, value in _STAT.findall(text)}
        covered, features, kept = map(int, (_EVENT.findall(text) or [(0, 0, 0)])[-1])
        return {
            "executions": stats.get("number_of_executed_units", 0),
            "edges": covered,
            "features": features,
            "inputs": kept,
            "peak_rss_mb": stats.get("peak_rss_mb", 0),
            "seconds": round(self.seconds, 1),
            "cpu_seconds": round(self.cpu_seconds, 1),
        }

    def findings(self) -> list[Path]:
        """Inputs that broke a law, were too slow or too large, of this run and of earlier ones."""
        return sorted((WORK / self.name / "findings").iterdir())


def build(names: Sequence[str], sanitizer: str) -> dict[str, Path]:
    """Builds the targets; answers their programs.

    Args:
        names: Targets.
        sanitizer: `none` (any compiler), or one that rustc knows, as `address`.

    Raises:
        FuzzError: If a tool is missing.
    """
    for tool in ("cargo", "c++"):
        if not shutil.which(tool):
            raise FuzzError(f"{tool} is missing: libFuzzer needs Rust and a C++ compiler (Debian: apt install g++)")
    fuzz = _cargo_fuzz()
    flags = ["--fuzz-dir", str(CRATE), "--sanitizer", sanitizer, "--features", "libfuzzer"]
    environment = os.environ | {"CARGO_PROFILE_RELEASE_LTO": "off"}
    if sanitizer != "none":
        # The flag is an unstable one; the stable compiler has what it needs.
        environment["RUSTC_BOOTSTRAP"] = "1"
    host = re.search(r"^host: (\S+)$", _output("rustc", "-vV"), re.MULTILINE)
    if not host:
        raise FuzzError("rustc does not say what it compiles for")
    subprocess.run([str(fuzz), "fuzz", "build", *flags], cwd=ROOT, env=environment, check=True)
    return {name: ROOT / "target" / host[1] / "release" / name for name in names}


def _cargo_fuzz() -> Path:
    """The pinned cargo-fuzz, made where it is not there yet."""
    program = _TOOLS / "bin" / "cargo-fuzz"
    if not program.exists() or CARGO_FUZZ not in _output(str(program), "fuzz", "--version"):
        install = ["cargo", "install", "cargo-fuzz", "--version", CARGO_FUZZ, "--locked", "--quiet"]
        subprocess.run([*install, "--root", str(_TOOLS)], check=True)
    return program


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def write_vectors() -> None:
    """Writes third parties' vectors, where there are some, as seeds into the work folder."""
    command = ["cargo", "run", "--quiet", "--locked", "-p", "argus-fuzz", "--example", "seeds", "--"]
    subprocess.run([*command, "vectors", str(WORK / "vectors")], cwd=ROOT, check=True)


def start(name: str, program: Path, seconds: int) -> Run:
    """Starts a target on what it has learnt so far, the seeds and the vectors."""
    learnt, findings = WORK / name / "learnt", WORK / name / "findings"
    vectors = WORK / "vectors" / name
    for folder in (learnt, findings, vectors):
        folder.mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": seconds,
        "max_len": LENGTHS[name],
        "timeout": _SLOWEST_SECONDS,
        "rss_limit_mb": _MOST_MEMORY_MB,
        "dict": CRATE / "dictionaries" / f"{name}.dict",
        "artifact_prefix": f"{findings}/",
        "print_final_stats": 1,
    }
    flags = (f"-{option}={value}" for option, value in options.items())
    folders = (learnt, CRATE / "corpus" / name, vectors)
    with (WORK / name / "log").open("wb") as log:
        process = subprocess.Popen([program, *folders, *flags], stdout=log, stderr=subprocess.STDOUT, cwd=WORK / name)
    return Run(name=name, process=process)


def side_by_side(programs: dict[str, Path], seconds: int, jobs: int) -> Iterator[list[Run]]:
    """Runs all targets, so many at once; yields all that were started, about once a second."""
    waiting, runs = list(programs), list[Run]()
    try:
        while waiting or any(run.status is None for run in runs):
            under_way = sum(not run.has_ended() for run in runs)
            for name in waiting[: max(jobs - under_way, 0)]:
                runs.append(start(name, programs[name], seconds))
                waiting.remove(name)
            yield runs
            time.sleep(1)
    finally:
        for run in runs:
            run.stop()
    yield runs
