"""Latency against load: both axes logarithmic, because rates and times differ by powers of ten."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.plots.style import ARGUS, ARGUS_DARK, FAINT, INK, OTHERS, grid, new_figure, source_line

_LINES: Final = {
    "naive": ("naive", OTHERS, "s"),
    "argus through grpcio": ("Argus through grpcio", "#79aef7", "v"),
    "argus": ("Argus", ARGUS, "o"),
    "argus, cached": ("Argus, cached", ARGUS_DARK, "D"),
}
# Where the client was late by more than this share of a time, the time is as much its own as the server's.
_MOST_OF_CLIENT: Final = 0.5


def draw(content: Mapping[str, Any]) -> Figure:
    """Median and 99 of 100 calls by rate, side by side.

    Args:
        content: Result file of `bench.latency`.
    """
    figure = new_figure(9.2, 5.2)
    left, right = figure.subplots(1, 2, sharey=True)
    curves = content["measured"]["curves"]
    _panel(left, "median of a verification", "p50_us", curves)
    _panel(right, "99 of 100 verifications", "p99_us", curves)
    # Only now it is known how far both reach.
    bottom, top = left.get_ylim()
    for axes, part in ((left, "p50_us"), (right, "p99_us")):
        for name, points in curves.items():
            if name in _LINES:
                _end(axes, points, part, _LINES[name][1], top=top)
    left.set_ylim(bottom, top)
    left.set_ylabel("ms, from when the call was due")
    names = [_LINES[name] for name in curves if name in _LINES]
    handles = [Line2D([], [], color=colour, marker=marker, label=label) for label, colour, marker in names]
    handles.append(Line2D([], [], color=INK, marker="x", linestyle="", label="can't keep up"))
    handles.append(
        Line2D([], [], color=FAINT, marker="o", mfc="white", linestyle="", label="client late by half of it")
    )
    left.legend(handles=handles, frameon=False, fontsize=9, loc="upper left")
    source_line(figure, content)
    return figure


def _panel(axes: Axes, title: str, part: str, curves: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    grid(axes, "both")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for name, points in curves.items():
        if name in _LINES:
            _line(axes, points, part, *_LINES[name][1:])
    rates = sorted({point["rate"] for points in curves.values() for point in points})
    axes.set_xticks(rates[::2], [f"{rate:,}" for rate in rates[::2]], fontsize=9)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("verifications a second, open loop")


def _line(axes: Axes, points: Sequence[Mapping[str, Any]], part: str, colour: str, marker: str) -> None:
    """Up to the rate that the server can't keep up with."""
    kept = [point for point in points if not point["is_saturated"]]
    axes.plot([point["rate"] for point in kept], [point[part] / 1000 for point in kept], color=colour, linewidth=1.8)
    for point in kept:
        is_own = point["client_late_p99_us"] <= _MOST_OF_CLIENT * point["p99_us"]
        face = colour if is_own or part != "p99_us" else "white"
        axes.plot(point["rate"], point[part] / 1000, marker=marker, color=colour, markerfacecolor=face, markersize=6)


def _end(axes: Axes, points: Sequence[Mapping[str, Any]], part: str, colour: str, *, top: float) -> None:
    """Where a server can't keep up its line leaves the picture: calls wait the longer the longer it lasts."""
    kept = [point for point in points if not point["is_saturated"]]
    lost = [point for point in points if point["is_saturated"]]
    if kept and lost:
        rates, times = [kept[-1]["rate"], lost[0]["rate"]], [kept[-1][part] / 1000, top]
        axes.plot(rates, times, color=colour, linewidth=1.2, linestyle=":")
        axes.plot(rates[1], top, marker="x", color=colour, markersize=8, markeredgewidth=2, clip_on=False)
