"""What the drills write down: sums, a file that is read as it was written, a page that is made of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from argus.server.api import Failure
from drills.kinds import ALL
from drills.load.answers import Kind, kind_of
from drills.results import Results, add_up
from drills.run import RunResult
from drills.table import PAGE, page


def run(number: int, **changes: object) -> RunResult:
    values = {
        "drill": "redis.killed",
        "number": number,
        "seed": 1,
        "seconds": 9.5,
        "recovery_seconds": number / 10,
        "answers": {"ok": 100, "unavailable": 7, "connection": 2, "silence": 1},
        "step_ups": 1,
        "sessions": 64,
        "ended": 4,
        "rotations": 120,
        "facts": {"held_seconds": 1.5},
    }
    return RunResult(**(values | changes))  # type: ignore[arg-type]  # of the right types


def test_runs_are_added_up() -> None:
    row = add_up("redis.killed", [run(1), run(2, failures={"lives": ["one"], "ends": ["two"]}), run(3)])
    assert (row.runs, row.bad_runs, row.ok, row.unavailable, row.unanswered, row.step_ups) == (3, 1, 300, 21, 9, 3)
    assert row.recovery_seconds == pytest.approx(0.3)
    assert row.verdict == "lives in 1, ends in 1"


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = Results()
    results.add("redis.killed", "Redis is killed.", [run(1), run(2, failures={"lives": ["„one“"]})])
    results.skip("postgresql.disk_full", "no root")
    path = tmp_path / "results.json"
    results.write(path)
    again = Results.read(path)
    assert (again.drills, again.skipped) == (results.drills, results.skipped)
    assert "| `redis.killed` | 2 | 200 | 14 | 6 | 2 | 0.2 s | lives in 1 |" in page(again)


def test_the_published_page_is_made_of_the_published_results() -> None:
    assert PAGE.read_text("utf-8") == page(Results.read())


def test_names_of_drills_are_unique() -> None:
    assert len({drill.name for drill in ALL}) == len(ALL)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (Failure(code="UNAVAILABLE", reason="UNAVAILABLE", retry_after=timedelta(seconds=1)), Kind.UNAVAILABLE),
        # Without a hint when to come again it is not what was promised.
        (Failure(code="UNAVAILABLE", reason="UNAVAILABLE"), Kind.REFUSED),
        (Failure(code="UNAVAILABLE", reason=""), Kind.CONNECTION),
        (Failure(code="DEADLINE_EXCEEDED", reason=""), Kind.SILENCE),
        # Argus itself said so, in the time of a client that would have waited longer.
        (Failure(code="DEADLINE_EXCEEDED", reason="DEADLINE_EXCEEDED"), Kind.REFUSED),
        (Failure(code="INTERNAL", reason="INTERNAL"), Kind.REFUSED),
        (Failure(code="UNAUTHENTICATED", reason="TOKEN_INVALID"), Kind.REFUSED),
    ],
)
def test_kinds_of_answers(failure: Failure, kind: Kind) -> None:
    assert kind_of(failure) is kind
