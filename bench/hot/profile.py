"""Where a server's CPU time goes, by perf: shares of the libraries, and the busiest functions."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LEAST_PERCENT: Final = 1.0
_MOST_FUNCTIONS: Final = 15


@dataclass(slots=True)
class Profile:
    """Percent of the server's CPU time.

    Attributes:
        by_library: By the file that the code is in; `[kernel.kallsyms]` is the kernel.
        by_function: The busiest functions, by library and name.
    """

    by_library: dict[str, float] = field(default_factory=dict)
    by_function: dict[str, float] = field(default_factory=dict)


def is_there() -> bool:
    """Whether there is a perf."""
    return shutil.which("perf") is not None


@contextmanager
def profiled(pid: int) -> Iterator[Profile]:
    """Samples a process while the block runs; the profile is filled at its end."""
    profile = Profile()
    with tempfile.TemporaryDirectory(prefix="argus-perf-") as folder:
        data = Path(folder) / "perf.data"
        with _recording(pid, data):
            yield profile
        profile.by_library = _report(data, "dso")
        profile.by_function = dict(list(_report(data, "dso,symbol").items())[:_MOST_FUNCTIONS])


@contextmanager
def _recording(pid: int, data: Path) -> Iterator[None]:
    """Samples from the beginning of the block to its end: perf begins when it is told to, and says so."""
    (heard, say), (listen, answer) = os.pipe(), os.pipe()
    command = ["perf", "record", "--quiet", "--freq", "999", "--output", str(data), "--pid", str(pid)]
    command += ["--delay=-1", "--control", f"fd:{heard},{answer}"]
    recorder = subprocess.Popen(  # noqa: S603
        command, pass_fds=(heard, answer), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(heard)
    os.close(answer)
    try:
        os.write(say, b"enable\n")
        os.read(listen, 16)
        yield
    finally:
        recorder.send_signal(signal.SIGINT)
        recorder.wait()
        os.close(say)
        os.close(listen)


def _report(data: Path, sort: str) -> dict[str, float]:
    command = ["perf", "report", "--stdio", "--input", str(data), "--sort", sort, "--field-separator", ";"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    shares: dict[str, float] = {}
    for line in text.splitlines():
        share, _, name = line.partition(";")
        if line.startswith("#") or not name:
            continue
        shares[" ".join(name.removesuffix(";-").replace(";", " ").split())] = float(share.strip().rstrip("%"))
    return {name: share for name, share in shares.items() if share >= _LEAST_PERCENT}
