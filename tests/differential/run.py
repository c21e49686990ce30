"""Has tokens made, asks joserfc about each, and compares."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from joserfc.errors import SecurityWarning

from tests.differential.oracle import Oracle, same, to_json
from tests.differential.rules import Token, broken_by, explains

ROOT: Final = Path(__file__).parents[2]
_MOST_FINDINGS: Final = 20
_SHARD: Final = 5_000


@dataclass(slots=True)
class Report:
    """What came out.

    Attributes:
        tokens: How many were judged.
        accepted: How many Argus accepted.
        whole: How many of those were not mutated at all.
        alone: By rule, how many others alone accept; by either of them.
        mutations: By name, how often it was tried.
        findings: What must not be.
    """

    tokens: int = 0
    accepted: int = 0
    whole: int = 0
    alone: Counter[tuple[str, str]] = field(default_factory=Counter)
    mutations: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Takes in a part's."""
        self.tokens += other.tokens
        self.accepted += other.accepted
        self.whole += other.whole
        self.alone += other.alone
        self.mutations += other.mutations
        self.findings += other.findings[: _MOST_FINDINGS - len(self.findings)]

    def rules(self) -> list[str]:
        """Rules by which a token was refused that another library takes."""
        return sorted({rule for rule, _ in self.alone})


def build() -> Path:
    """The program that makes the tokens."""
    command = ["cargo", "build", "--release", "--quiet", "--locked", "-p", "argus-differential"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=900)
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/argus-differential"


def compare(seed: int, count: int, *, first: int = 0, processes: int = 2) -> Iterator[Report]:
    """Reports of one part after the other; a token depends on the seed and its number alone."""
    program = build()
    parts = [
        (program, seed, start, min(_SHARD, first + count - start)) for start in range(first, first + count, _SHARD)
    ]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_compare, parts)


def _compare(part: tuple[Path, int, int, int]) -> Report:
    program, seed, first, count = part
    # "EdDSA" is the name that RFC 8037 gives it, and the one that Argus's tokens have.
    warnings.simplefilter("ignore", SecurityWarning)
    report = Report()
    command = [str(program), str(seed), str(first), str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as made:
        assert made.stdout is not None
        with closing(made.stdout) as lines:
            world = json.loads(next(lines))
            oracle = Oracle(world)
            for line in lines:
                judge(report, oracle, world, json.loads(line))
    if made.returncode != 0 or report.tokens != count:
        report.findings.append(f"{command[1:]}: {report.tokens} tokens, code {made.returncode}")
    return report


def judge(report: Report, oracle: Oracle, world: dict[str, Any], line: dict[str, Any]) -> None:
    """Compares the verdicts on one token."""
    token = Token(line["token"], line["type"], world)
    read = oracle.judge(token.kind, token.text)
    takers = {"jsonwebtoken": line["jsonwebtoken"] == "", "joserfc": read is not None}
    report.tokens += 1
    report.mutations.update(line["mutated"])
    if "fault" not in line:
        report.accepted += 1
        report.whole += not line["mutated"]
        wrong = [f"{name} refuses it" for name, takes in takers.items() if not takes]
        wrong += [line["differs"]] if line["differs"] else []
        wrong += ["joserfc reads other claims"] if read is not None and not same(line["claims"], read) else []
        wrong += [f"it breaks the rule: {rule}" for rule in broken_by(token)]
        _find(report, line, wrong)
        return
    if not line["mutated"]:
        _find(report, line, [f"a good token is refused: {line['fault']}"])
    for name, takes in takers.items():
        if takes:
            rule = explains(token, line["fault"])
            report.alone[rule, name] += 1
            _find(report, line, [] if rule else [f"{name} alone takes it: no rule explains {line['fault']}"])


def _find(report: Report, line: dict[str, Any], wrong: list[str]) -> None:
    if wrong and len(report.findings) < _MOST_FINDINGS:
        report.findings.append(f"token {line['number']}: {'; '.join(wrong)}: {to_json(line)}")
