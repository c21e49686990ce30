"""What the drills have shown: a file of runs, and the sums that a table shows of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.rows import commit, machine
from drills.load.answers import Kind
from drills.run import RunResult

PUBLISHED: Final = Path(__file__).parent / "results.json"
"""What `docs/drills.md` is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The runs of one drill, added up.

    Attributes:
        drill: Its name.
        runs: How many.
        bad_runs: How many in which a criterion did not hold.
        ok: Calls that were answered with a yes.
        unavailable: Calls that were answered by UNAVAILABLE with a retry.
        unanswered: Calls whose connection was lost, or that nobody answered.
        step_ups: Unbound sessions whose lost answer was asked for again after the grace.
        sessions: How many there were.
        rotations: How many refresh tokens were replaced.
        recovery_seconds: The longest time to recovery.
        failed: The criteria that did not hold, and in how many runs.
    """

    drill: str
    runs: int
    bad_runs: int
    ok: int
    unavailable: int
    unanswered: int
    step_ups: int
    sessions: int
    rotations: int
    recovery_seconds: float
    failed: dict[str, int]

    @property
    def verdict(self) -> str:
        """The criteria that did not hold, in words."""
        return ", ".join(f"{name} in {count}" for name, count in self.failed.items()) or "none"


def add_up(drill: str, runs: Sequence[RunResult]) -> Row:
    """The sums of a drill's runs."""

    def answered(*kinds: Kind) -> int:
        return sum(run.answers.get(kind, 0) for run in runs for kind in kinds)

    failed: dict[str, int] = {}
    for run in runs:
        for name in run.failures:
            failed[name] = failed.get(name, 0) + 1
    return Row(
        drill=drill,
        runs=len(runs),
        bad_runs=sum(not run.is_good for run in runs),
        ok=answered(Kind.OK),
        unavailable=answered(Kind.UNAVAILABLE),
        unanswered=answered(Kind.CONNECTION, Kind.SILENCE),
        step_ups=sum(run.step_ups for run in runs),
        sessions=sum(run.sessions for run in runs),
        rotations=sum(run.rotations for run in runs),
        recovery_seconds=max((run.recovery_seconds for run in runs), default=0.0),
        failed=failed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillResult:
    """All runs of one drill, and what they were made with.

    Attributes:
        claim: What the drill does.
        commit: Commit of the tree; "+" says that it held more than that.
        time: When the last run ended.
        machine: On what.
        runs: The runs.
    """

    claim: str
    commit: str
    time: str
    machine: dict[str, Any]
    runs: list[RunResult]


class Results:
    """Results by drill."""

    def __init__(self) -> None:
        self.drills: dict[str, DrillResult] = {}
        self.skipped: dict[str, str] = {}

    @classmethod
    def read(cls, path: Path = PUBLISHED) -> "Results":
        """Reads a file; without one there are no results."""
        results = cls()
        if path.exists():
            content = json.loads(path.read_text("utf-8"))
            results.skipped = content["skipped"]
            for name, one in content["drills"].items():
                runs = [RunResult(**run) for run in one.pop("runs")]
                results.drills[name] = DrillResult(**one, runs=runs)
        return results

    def add(self, drill: str, claim: str, runs: list[RunResult]) -> None:
        """Adds the runs of a drill in the place of those there are."""
        self.skipped.pop(drill, None)
        self.drills[drill] = DrillResult(
            claim=claim,
            commit=commit(),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            machine=machine(),
            runs=runs,
        )

    def skip(self, drill: str, reason: str) -> None:
        """Notes that a drill can't be run here."""
        if drill not in self.drills:
            self.skipped[drill] = reason

    def rows(self) -> list[Row]:
        """The sums, a row a drill."""
        return [add_up(name, one.runs) for name, one in self.drills.items()]

    def write(self, path: Path = PUBLISHED) -> None:
        """Writes the file, a run a line."""
        drills = []
        for name, one in self.drills.items():
            head = {"claim": one.claim, "commit": one.commit, "time": one.time, "machine": one.machine}
            lines = ",\n".join(f"    {json.dumps(run.as_json(), ensure_ascii=False)}" for run in one.runs)
            opening = json.dumps(head, ensure_ascii=False).removesuffix("}")
            drills.append(f'  {json.dumps(name)}: {opening}, "runs": [\n{lines}\n  ]}}')
        skipped = json.dumps(self.skipped, ensure_ascii=False)
        text = '{\n"skipped": ' + skipped + ',\n"drills": {\n' + ",\n".join(drills) + "\n}\n}\n"
        path.write_text(text, encoding="utf-8")
