"""`make differential`: a million mutated tokens before three verifiers."""

import argparse
import secrets
import sys
import time
from typing import Final

from tests.differential.rules import RULES
from tests.differential.run import Report, compare

_NAMES: Final = ("jsonwebtoken", "joserfc")


def main() -> int:
    """Compares, prints the table of rules, and says whether all is as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=1_000_000, help="how many")
    parser.add_argument("--seed", type=int, default=None, help="what they are made of (random by default)")
    parser.add_argument("--first", type=int, default=0, help="number of the first: with --tokens 1 repeats one alone")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time")
    asked = parser.parse_args()
    seed = secrets.randbelow(1 << 32) if asked.seed is None else asked.seed
    _say(f'seed {seed} (ARGS="--seed {seed}" repeats)')
    report, started = Report(), time.monotonic()
    for part in compare(seed, asked.tokens, first=asked.first, processes=asked.processes):
        report.add(part)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{report.tokens} of {asked.tokens}")
    _say(table(report))
    took = time.monotonic() - started
    accepted, found = report.accepted, len(report.findings)
    _say(f"{report.tokens} tokens in {took:.0f} s, {accepted} accepted by Argus, {found} findings")
    for finding in report.findings:
        _say(f"FINDING {finding}")
    return 1 if report.findings else 0


def table(report: Report) -> str:
    """Which rule made Argus refuse how many tokens that another library takes."""
    lines = [f"{'refused by the rule':<40}" + "".join(f"{name:>14}" for name in _NAMES)]
    for name in dict.fromkeys(rule.name for rule in RULES):
        counts = [report.alone[name, oracle] for oracle in _NAMES]
        if any(counts):
            lines.append(f"{name:<40}" + "".join(f"{count:>14}" for count in counts))
    return "\n".join(lines)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
