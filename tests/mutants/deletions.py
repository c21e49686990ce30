"""A pytest plugin that takes numbers out of presets, one after the other, and says which tests turned red.

    pytest -p tests.mutants.deletions --delete "pci-dss idle_seconds" --deletions found.jsonl tests/presets

What is found is written at once, a line of JSON for each: whoever reads along knows it, and so does who comes after an
interruption.

First all tests run on the presets as they are; meanwhile it is noted which presets are asked for what they demand. Then
each number is missing once, while those tests run again that had asked for its preset, or are said to be about it: the
others never read what was changed. A test that is not what was expected of it is looked at twice, as machines are busy.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import pytest

from argus.policies.presets import PRESETS, demands
from tests.presets.numbers import NUMBERS, Number

_BY_NAME: Final = {one.name: one for one in NUMBERS}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("deletions")
    group.addoption("--delete", action="append", default=[], help="name of a number, as `Number.name`; may be repeated")
    group.addoption("--deletions", help="where what was found is written to")


def pytest_configure(config: pytest.Config) -> None:
    """Takes over the running of tests."""
    target = config.getoption("--deletions")
    if target:
        numbers = [_BY_NAME[name] for name in config.getoption("--delete")]
        config.pluginmanager.register(_Deletions(Path(target), numbers))


class _Deletions:
    """Writes what it finds.

    The lines are `{ran, of}` for each test of the first round, `{all: {test: outcome}, about: {test: [controls or
    number]}}` after it, `{number, without: {test: outcome}}` for each number, and `{done: true}` at the very end.
    """

    def __init__(self, path: Path, numbers: Sequence[Number]) -> None:
        self._path = path
        self._numbers = numbers
        self._seen: dict[str, str] = {}
        self._asked: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> object:
        """Runs all tests, and then some of them for each number."""
        if session.testsfailed:
            return None  # they can't be collected: pytest says so
        readers: dict[str, set[str]] = {}
        with self._noting():
            everything = self._run(session.items, readers)
        about_all = {one.nodeid: about_of(one) for one in session.items}
        self._tell({"all": everything, "about": about_all})
        for number in self._numbers:
            about = [one for one in session.items if number.preset in readers[one.nodeid] or number in _numbers(one)]
            with _missing(number):
                seen = self._run(about)
                odd = [one for one in about if (seen[one.nodeid] == "red") != (number in _numbers(one))]
                self._tell({"number": number.name, "without": seen | self._run(odd)})
        self._tell({"done": True})
        # Now everything that the tests share may end.
        session._setupstate.teardown_exact(None)
        return True

    def _run(self, items: Sequence[pytest.Item], readers: dict[str, set[str]] | None = None) -> dict[str, str]:
        self._seen = {}
        for ran, item in enumerate(items, 1):
            self._asked.clear()
            # Made anew, as a test that is run again has no fixtures any more; what all share stays until the end.
            cast("Any", item)._initrequest()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=item.session)
            if readers is not None:
                readers[item.nodeid] = set(self._asked)
                self._tell({"ran": ran, "of": len(items)})
        return self._seen

    def _tell(self, found: Mapping[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")

    @contextmanager
    def _noting(self) -> Iterator[None]:
        def noted(presets: Sequence[str], *, privileged: bool) -> Any:
            self._asked.update(presets)
            return demands(presets, privileged=privileged)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("argus.policies.resolve.demands", noted)
            yield

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Notes a part of a test."""
        if report.failed:
            self._seen[report.nodeid] = "red" if report.when == "call" else "broken"
        elif report.when == "call":
            self._seen[report.nodeid] = report.outcome.replace("passed", "green")


def about_of(item: pytest.Item) -> list[str]:
    """The number that a test is about; else the controls that it concerns."""
    marker = item.get_closest_marker("concerns")
    return [one.name for one in _numbers(item)] or list(marker.args if marker else ())


def _numbers(item: pytest.Item) -> list[Number]:
    call = getattr(item, "callspec", None)
    return [one for one in call.params.values() if isinstance(one, Number)] if call else []


@contextmanager
def _missing(number: Number) -> Iterator[None]:
    """The presets without a number."""
    presets = cast("dict[str, Any]", PRESETS)
    rest = [one for one in presets[number.preset] if (one.key, one.privileged) != (number.key, number.privileged)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(presets, number.preset, tuple(rest))
        yield
