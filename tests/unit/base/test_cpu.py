"""CPU time of a process counts all that it has started, and nothing else."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from argus.base.cpu import cpu_seconds, machine_cpu_seconds, process_cpu_ns

_BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
_SAY = "import sys\nprint('done', flush=True)\nsys.stdin.readline()\n"
_CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {_BURN!r}])\n"
_LIVING_CHILD = (
    "import subprocess, sys\n"
    f"child = subprocess.Popen([sys.executable, '-c', {(_BURN + _SAY)!r}], stdin=subprocess.PIPE,"
    " stdout=subprocess.PIPE)\nchild.stdout.readline()\n"
)


@pytest.fixture(params=[_BURN, _CHILD, _LIVING_CHILD], ids=["itself", "a child that has ended", "a child that lives"])
def burnt(request: pytest.FixtureRequest) -> Iterator[int]:
    """A process that has spent three tenths of a second in some way, and waits."""
    with subprocess.Popen(
        [sys.executable, "-c", request.param + _SAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        yield process.pid
        process.communicate(b"\n")


def test_what_a_process_and_its_children_have_spent_is_counted(burnt: int) -> None:
    # Ended children are counted in hundredths.
    assert 0.29 <= cpu_seconds(burnt) < 3
    assert process_cpu_ns(burnt) / 1e9 <= cpu_seconds(burnt)


def test_the_machine_has_spent_more_than_any_process(burnt: int) -> None:
    assert machine_cpu_seconds() > cpu_seconds(burnt)


def test_there_must_be_a_process() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(ProcessLookupError):
        cpu_seconds(process.pid)
