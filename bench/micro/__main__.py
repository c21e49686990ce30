"""Measures the crates and the binding by the clock, and ends with 1 if a goal was missed."""

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.rows import Row, write_results

_ROOT: Final = Path(__file__).parents[2]
_CRITERION: Final = _ROOT / "target" / "criterion"

_MOST_OVER_A_CHECK: Final = 1.3
_MOST_OVER_A_SIGNATURE: Final = 1.1
_MOST_FOR_NOTHING_US: Final = 1.0
_MOST_BINDING_US: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What one work took, in microseconds."""

    fastest_us: float
    median_us: float


def main() -> int:
    """Measures; 0 if every goal was met."""
    parser = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3, help="for each work of the crates")
    parser.add_argument("--json", action="store_true", help="print the result file instead of the tables")
    options = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    console.print("measuring the crates …")
    crates = _crates(options.seconds)
    console.print("measuring the binding …")
    binding = _binding()
    rows = _rows(crates, binding)
    keys = {"RS256": "RSA 2048", "EdDSA": "Ed25519"}
    path = write_results("micro", rows, {"keys": keys, "times": {"crates": _plain(crates), "binding": _plain(binding)}})
    if options.json:
        sys.stdout.write(path.read_text(encoding="utf-8"))
    else:
        _show(crates | binding, rows, console)
        console.print(f"written to {path}")
    return 0 if all(row.met for row in rows) else 1


def _crates(seconds: int) -> dict[str, Times]:
    """Times of each work, by criterion."""
    command = ["cargo", "bench", "--quiet", "--locked", "-p", "argus-micro", "--bench", "crates", "--"]
    times = ["--warm-up-time", "1", "--measurement-time", str(seconds), "--quiet", "--noplot"]
    subprocess.run([*command, *times], cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own words
    found = {}
    for folder in sorted(_CRITERION.glob("*/new")):
        name = _read(folder / "benchmark.json")["full_id"]
        sample = _read(folder / "sample.json")
        fastest = min(time / count for time, count in zip(sample["times"], sample["iters"], strict=True))
        median = _read(folder / "estimates.json")["median"]["point_estimate"]
        found[name] = Times(fastest_us=round(fastest / 1e3, 3), median_us=round(median / 1e3, 3))
    return found


def _binding() -> dict[str, Times]:
    """Times of each call, by pytest-benchmark."""
    with TemporaryDirectory(prefix="argus-") as folder:
        result = Path(folder, "binding.json")
        options = ["-q", "-p", "no:randomly", "--benchmark-disable-gc", f"--benchmark-json={result}"]
        command = [sys.executable, "-m", "pytest", *options, str(Path(__file__).parent)]
        subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own words
        benchmarks = _read(result)["benchmarks"]
    return {
        _title(one["name"]): Times(
            fastest_us=round(one["stats"]["min"] * 1e6, 3), median_us=round(one["stats"]["median"] * 1e6, 3)
        )
        for one in benchmarks
    }


def _plain(found: dict[str, Times]) -> dict[str, Any]:
    return {name: asdict(times) for name, times in found.items()}


def _title(name: str) -> str:
    return "binding, " + name.removeprefix("test_").replace("_", " ")


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _rows(crates: dict[str, Times], binding: dict[str, Times]) -> list[Row]:
    """The goals stand against the fastest of all samples: whatever else the machine does can only add."""
    us = {name: times.fastest_us for name, times in (crates | binding).items()}
    above = us["binding, authenticate a caller"] - us["engine, authenticate a caller"]
    return [
        _row(
            "verify, over the check of its signature alone",
            us["access token, verify"] / us["RS256 signature, check"],
            _MOST_OVER_A_CHECK,
            "×",
        ),
        _row(
            "issue, over its signature alone",
            us["access token, issue"] / us["RS256 signature, make and check"],
            _MOST_OVER_A_SIGNATURE,
            "×",
        ),
        _row(
            "binding, a call that does nothing",
            us["binding, a call that does nothing"],
            _MOST_FOR_NOTHING_US,
            "µs",
        ),
        _row("binding, above the crate, authenticate a caller", above, _MOST_BINDING_US, "µs"),
    ]


def _row(name: str, value: float, most: float, unit: str) -> Row:
    return Row(name=name, value=round(value, 3), unit=unit, goal=f"at most {most:g}", met=value <= most)


def _show(found: dict[str, Times], rows: list[Row], console: Console) -> None:
    table = Table("work", "fastest µs", "median µs")
    for name, times in found.items():
        table.add_row(name, f"{times.fastest_us:,.2f}", f"{times.median_us:,.2f}")
    console.print(table)
    goals = Table("goal", "value", "", "")
    for row in rows:
        goals.add_row(row.name, f"{row.value:g} {row.unit}", row.goal, "met" if row.met else "[red]MISSED[/]")
    console.print(goals)


if __name__ == "__main__":
    sys.exit(main())
