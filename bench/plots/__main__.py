"""Draws `bench/results/*.svg` out of the result files that lie beside them."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bench.plots import cpu, latency
from bench.plots.style import save, use_style
from bench.rows import RESULTS


def main() -> int:
    """Draws what there are results for; 1 if there are none."""
    parser = argparse.ArgumentParser(prog="python -m bench.plots", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files, and of the pictures")
    parser.add_argument("--format", choices=("svg", "png"), default="svg", help="png: to look at")
    options = parser.parse_args()
    use_style()
    drawn = pictures(options.results)
    for name, figure in drawn.items():
        path = options.results / f"{name}.{options.format}"
        save(figure, path)
        sys.stdout.write(f"{path}\n")
    return 0 if drawn else 1


def pictures(results: Path) -> dict[str, Figure]:
    """The pictures that there are results for, by name."""
    hot, peers, times = (_read(results / f"{name}.json") for name in ("hot", "peers", "latency"))
    drawn = {}
    if hot is not None:
        drawn["cpu_by_design"] = cpu.draw(hot, peers)
    if times is not None:
        drawn["latency_by_load"] = latency.draw(times)
    return drawn


def _read(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    sys.exit(main())
