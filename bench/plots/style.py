"""What all pictures share: colours, plain axes, and lines that say where the figures are from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bench.rows import MOST_OTHERS

INK, FAINT, WARNING = "#1b1f24", "#6a737d", "#b31d28"
ARGUS, ARGUS_DARK, OTHERS, BOUND = "#1f6feb", "#0b3d91", "#8a929b", "#2da44e"
"""Argus, a darker one of it, everybody else, and what can't be beaten."""

_FOOT_INCHES: Final = 0.6
_LINE_INCHES: Final = 0.15
_SMALL: Final[Mapping[str, Any]] = {"fontsize": 8, "va": "bottom"}
_GRID: Final = "#e3e6ea"
_STYLE: Final[Mapping[str, Any]] = {
    # Text stays text: it can be searched and is drawn in the reader's own font.
    "svg.fonttype": "none",
    # The same picture is the same file.
    "svg.hashsalt": "argus",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "DejaVu Sans"],
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}


def use_style() -> None:
    """Makes every picture look so from now on."""
    for name, value in _STYLE.items():
        mpl.rcParams[name] = value  # type: ignore[index]


def new_figure(width: float, height: float) -> Figure:
    """A picture with room at its foot for `source_line`.

    Args:
        width: In inches.
        height: The same.
    """
    foot = _FOOT_INCHES / height
    return Figure(
        figsize=(width, height), layout=ConstrainedLayoutEngine(rect=(0.01, foot, 0.98, 0.99 - foot), hspace=0.06)
    )


def grid(axes: Axes, axis: str) -> None:
    """Faint lines behind what is shown.

    Args:
        axes: Where.
        axis: "x", "y" or "both".
    """
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis=axis, color=_GRID, linewidth=0.8)  # type: ignore[arg-type]


def source_line(figure: Figure, *contents: Mapping[str, Any]) -> None:
    """Says below the picture what the figures were measured on and when; and that the machine was not quiet, if so."""
    said: list[str] = []
    for content in contents:
        machine = content["machine"]
        what = str(content["command"]).removeprefix("python -m ")
        said.append(
            f"{what}: commit {content['commit'][:13]}, {content['time'][:10]}, {machine['cpus']} × {machine['cpu']}"
        )
    others = [used for content in contents for used in (_used_by_others(content),) if used is not None]
    if any(used > 100 * MOST_OTHERS for used in others):
        warning = f"NOT A QUIET MACHINE: others used {max(others):.0f} % of it, figures are too high"
        figure.text(0.01, 0.01 + _LINE_INCHES * len(said) / figure.get_figheight(), warning, color=WARNING, **_SMALL)
    figure.text(0.01, 0.01, "\n".join(said), color=FAINT, **_SMALL)


def _used_by_others(content: Mapping[str, Any]) -> float | None:
    rows = {row["name"]: row["value"] for row in content["rows"]}
    used: float | None = rows.get("machine_used_by_others")
    return used


def save(figure: Figure, path: Path) -> None:
    """Writes a picture without anything that changes from run to run but the figures."""
    figure.savefig(path, format=path.suffix[1:], metadata={"Date": None} if path.suffix == ".svg" else None)
