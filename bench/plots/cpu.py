"""CPU time of a request by design: bars from zero, as long as the time is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.hot.goals import ARGUS_CACHED, ARGUS_EDDSA, ARGUS_GRPCIO, ARGUS_RS256, ECHO, NAIVE_EDDSA, NAIVE_RS256
from bench.plots.style import ARGUS, BOUND, FAINT, OTHERS, grid, new_figure, source_line

_STORES: Final = ("redis", "postgresql", "database")
_STORE_ALPHA: Final = 0.35
_VERIFY: Final = {
    NAIVE_RS256: ("naive: grpcio.aio, PyJWT, redis-py", OTHERS),
    ARGUS_GRPCIO: ("Argus through grpcio", ARGUS),
    ARGUS_RS256: ("Argus", ARGUS),
    ARGUS_CACHED: ("Argus, signature and state cached", ARGUS),
    ECHO: ("an empty call, nothing done", BOUND),
}
_REFRESH: Final = {
    NAIVE_RS256: ("naive, RS256 + RS256", OTHERS),
    NAIVE_EDDSA: ("naive, RS256 + EdDSA", OTHERS),
    ARGUS_RS256: ("Argus, RS256 + RS256", ARGUS),
    ARGUS_GRPCIO: ("Argus through grpcio, RS256 + EdDSA", ARGUS),
    ARGUS_EDDSA: ("Argus, RS256 + EdDSA", ARGUS),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One design.

    Attributes:
        label: What it is.
        server_us: CPU time of the server a request.
        stores_us: The same of Redis and the database.
        colour: Of the bar.
    """

    label: str
    server_us: float
    stores_us: float
    colour: str


def draw(hot: Mapping[str, Any], peers: Mapping[str, Any] | None) -> Figure:
    """Two lists of bars: verification, refresh.

    Args:
        hot: Result file of `bench.hot`.
        peers: Result file of `bench.peers`; None: there is none.
    """
    verify = [*_peers(peers, "check"), *_bars(hot, "verify", _VERIFY)]
    refresh = [*_peers(peers, "refresh"), *_bars(hot, "refresh", _REFRESH), *_bound(hot)]
    figure = new_figure(9.2, 2.3 + 0.36 * (len(verify) + len(refresh)))
    above, below = figure.subplots(2, 1, height_ratios=[len(verify), len(refresh)])
    _panel(above, "CPU time of one session check, µs (RSA-2048)", verify)
    _panel(below, "CPU time of one refresh with rotation, µs (RSA-2048)", refresh)
    source_line(figure, hot, *([peers] if peers else []))
    return figure


def _panel(axes: Axes, title: str, bars: Sequence[Bar]) -> None:
    axes.set_title(title, loc="left", fontsize=12, fontweight="bold")
    grid(axes, "x")
    longest = max(one.server_us + one.stores_us for one in bars)
    for place, one in enumerate(bars):
        axes.barh(place, one.server_us, color=one.colour, height=0.68)
        axes.barh(place, one.stores_us, left=one.server_us, color=one.colour, height=0.68, alpha=_STORE_ALPHA)
        told = f"{one.server_us:,.0f}" + (f" + {one.stores_us:,.0f}" if one.stores_us else "")
        axes.text(one.server_us + one.stores_us + longest / 100, place, told, va="center", fontsize=10)
    axes.set_yticks(range(len(bars)), [one.label for one in bars])
    axes.invert_yaxis()
    axes.set_xlim(0, longest * 1.18)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("server + stores (paler)", loc="right", fontsize=9, color=FAINT)


def _bars(hot: Mapping[str, Any], call: str, wanted: Mapping[str, tuple[str, str]]) -> list[Bar]:
    """Of those that took part: the closed loop, which comes first."""
    medians = hot["measured"]["medians"]
    found = []
    for name, (label, colour) in wanted.items():
        turns = [turn for what, turn in medians.get(name, {}).items() if what.startswith(call)]
        if turns:
            found.append(_bar(label, turns[0]["cpu_us"], colour))
    return found


def _peers(peers: Mapping[str, Any] | None, call: str) -> list[Bar]:
    """The slowest first."""
    found = (peers or {"measured": {"peers": {}}})["measured"]["peers"]
    bars = [_bar(name, one["cpu_us"][call], OTHERS) for name, one in found.items() if call in one.get("cpu_us", {})]
    return sorted(bars, key=lambda one: -(one.server_us + one.stores_us))


def _bound(hot: Mapping[str, Any]) -> list[Bar]:
    costs = hot["measured"].get("signature_us_by_round")
    if not costs:
        return []
    made, checked = (sorted(costs[kind])[len(costs[kind]) // 2] for kind in ("RSA-2048 sign", "Ed25519 verify"))
    return [Bar(label="one RSA-2048 + one Ed25519 signature", server_us=made + checked, stores_us=0, colour=BOUND)]


def _bar(label: str, cpu_us: Mapping[str, float], colour: str) -> Bar:
    stores = sum(cpu_us.get(store, 0) for store in _STORES)
    return Bar(label=label, server_us=cpu_us["server"], stores_us=stores, colour=colour)
