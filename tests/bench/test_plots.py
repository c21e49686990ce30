"""Pictures show what the result files say: all of it, and bars as long as their figures."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.hot.goals import ARGUS_CACHED, ARGUS_EDDSA, ARGUS_RS256, ECHO, NAIVE_RS256
from bench.plots.__main__ import pictures
from bench.plots.style import save, use_style

RUN = {"commit": "c0ffee", "time": "2026-01-01T00:00:00+00:00", "machine": {"cpus": 2, "cpu": "made up"}}


def turns(verify: float, refresh: float | None = None) -> dict[str, Any]:
    """A contender's medians."""
    found = {"verify, 32 in flight": {"cpu_us": {"server": verify, "redis": 5.0, "client": 99.0}}}
    if refresh is not None:
        found["refresh, 32 in flight"] = {"cpu_us": {"server": refresh, "redis": 10.0}}
    return found


def point(rate: int, ms: float, *, is_saturated: bool = False, late: float = 0.0) -> dict[str, Any]:
    """A point of a curve; p99 is ten times the median."""
    times = {"p50_us": ms * 1000, "p99_us": ms * 10_000, "client_late_p99_us": late * 1000}
    return {"rate": rate, "is_saturated": is_saturated, **times}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder of result files."""
    medians = {NAIVE_RS256: turns(480, 1000), ARGUS_RS256: turns(40, 500), ARGUS_EDDSA: turns(40, 300)}
    medians |= {ARGUS_CACHED: turns(20), ECHO: turns(16)}
    costs = {"RSA-2048 sign": [240.0], "Ed25519 verify": [30.0]}
    quiet = [{"name": "machine_used_by_others", "value": 0.3}]
    hot = {"medians": medians, "signature_us_by_round": costs}
    _write(tmp_path, "hot", quiet, hot)
    peer = {"cpu_us": {"check": {"server": 1500, "database": 300}, "refresh": {"server": 7000, "database": 100}}}
    _write(tmp_path, "peers", quiet, {"peers": {"Somebody 1.0": peer}})
    curves = {"naive": [point(250, 1), point(500, 2, is_saturated=True)], "argus": [point(250, 0.1), point(500, 5)]}
    _write(tmp_path, "latency", [{"name": "machine_used_by_others", "value": 60.0}], {"curves": curves})
    return tmp_path


def _write(folder: Path, name: str, rows: list[Any], measured: dict[str, Any]) -> None:
    content = RUN | {"command": f"python -m bench.{name}", "rows": rows, "measured": measured}
    (folder / f"{name}.json").write_text(json.dumps(content))


def svg(results: Path, name: str) -> str:
    """The picture as it is written."""
    use_style()
    path = results / f"{name}.svg"
    save(pictures(results)[name], path)
    return path.read_text()


def test_bars_begin_at_zero_and_are_as_long_as_server_and_stores_together(results: Path) -> None:
    above, below = pictures(results)["cpu_by_design"].axes
    for axes, ends in ((above, [1800, 485, 45, 25, 21]), (below, [7100, 1010, 510, 310, 270])):
        assert axes.get_xlim()[0] == 0
        bars: list[Any] = list(axes.patches)
        assert [bar.get_x() for bar in bars[::2]] == [0] * len(ends)
        assert [stores.get_x() + stores.get_width() for stores in bars[1::2]] == ends


def test_every_time_of_every_server_is_in_the_picture(results: Path) -> None:
    left, right = pictures(results)["latency_by_load"].axes
    for axes, times in ((left, {1, 0.1, 5}), (right, {10, 1, 50})):
        bottom, top = axes.get_ylim()
        lines: list[Any] = list(axes.lines)
        shown = {round(float(y), 3) for line in lines for y in line.get_ydata() if line.get_marker() == "None"}
        assert times <= shown
        assert all(bottom <= one <= top for one in times)


def test_a_picture_says_what_it_is_of_and_where_the_machine_was_not_quiet(results: Path) -> None:
    cpu, latency = svg(results, "cpu_by_design"), svg(results, "latency_by_load")
    assert "bench.hot: commit c0ffee, 2026-01-01, 2 × made up" in cpu
    assert "Somebody 1.0" in cpu
    assert "NOT A QUIET MACHINE" not in cpu
    assert "NOT A QUIET MACHINE: others used 60 %" in latency


def test_the_same_results_are_the_same_file(results: Path) -> None:
    assert svg(results, "cpu_by_design") == svg(results, "cpu_by_design")


def test_what_there_is_no_result_for_is_left_out(results: Path) -> None:
    (results / "latency.json").unlink()
    (results / "peers.json").unlink()
    assert pictures(results).keys() == {"cpu_by_design"}
