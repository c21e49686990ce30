"""A pytest plugin for the runs of the mutants: gives the stores a mutated library, and writes down what was red.

    pytest -p tests.mutants.plugin --library changes.json --outcomes outcomes.json …

The library is compiled into the extension; here, and only in the process of the tests, the text that `FUNCTION LOAD` is
given is another one. Its functions keep their names, so that everything finds them.
"""

import json
from pathlib import Path
from typing import Final

import pytest

import argus
from argus import _core

_CRASHES: Final = ("user_script", "Error compiling", "Script attempted", "PanicException")
"""Traces of code that can't run at all: whatever it breaks, it proves nothing."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("mutants")
    group.addoption("--library", help="JSON with `original` and `mutated` text of one part of the library")
    group.addoption("--outcomes", help="where the outcome of every test is written to")


def pytest_configure(config: pytest.Config) -> None:
    """Puts the mutated library in the place of the real one."""
    here = config.rootpath.resolve()
    if not Path(argus.__file__).resolve().is_relative_to(here):
        raise pytest.UsageError(f"argus comes from {argus.__file__}, not from {here}")
    path = config.getoption("--library")
    if path:
        changes = json.loads(Path(path).read_text(encoding="utf-8"))
        _core.function_library = _Library(changes["original"], changes["mutated"])
    outcomes = config.getoption("--outcomes")
    if outcomes:
        config.pluginmanager.register(_Outcomes(Path(outcomes)))


class _Library:
    """`argus._core.function_library` with a changed part."""

    def __init__(self, original: str, mutated: str) -> None:
        self._real = _core.function_library
        self._original, self._mutated = original, mutated
        self(offset_ms=0)

    def __call__(self, *, offset_ms: int = 0) -> str:
        source = self._real(offset_ms=offset_ms)
        part, changed = (_filled(text, offset_ms) for text in (self._original, self._mutated))
        if source.count(part) != 1:
            raise pytest.UsageError("the extension was built from another library: run make install")
        return source.replace(part, changed)


def _filled(text: str, offset_ms: int) -> str:
    """A part as `core::functions` fills it in."""
    return text.replace("@LIBRARY@", _core.function_library_name()).replace("@OFFSET_MS@", str(offset_ms))


class _Outcomes:
    """Writes `{test id: green | red | broken}`; broken is what fails before or after the test itself, or by a crash."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a part of a test."""
        if report.failed:
            is_crash = report.when != "call" or any(one in report.longreprtext for one in _CRASHES)
            self._seen[report.nodeid] = "broken" if is_crash else "red"
        elif report.when == "call":
            self._seen[report.nodeid] = "green"

    def pytest_sessionfinish(self) -> None:
        """Writes the file."""
        self._path.write_text(json.dumps(self._seen), encoding="utf-8")
