"""What is claimed follows from what was measured."""

import pytest

from argus.server.bench.rounds import Turns, medians
from argus.server.bench.runs import Turn
from bench.hot.goals import ARGUS_EDDSA, ARGUS_RS256, NAIVE_EDDSA, NAIVE_RS256, goals


def turn(server_us: float, *, others: float = 0.0) -> Turn:
    """A turn that has cost so much."""
    return Turn(
        calls=100,
        seconds=1.0,
        calls_per_second=100.0,
        latency_us={"p50": server_us},
        lateness_us={},
        cpu_us={"server": server_us},
        others=others,
    )


def one_round(argus: float, naive: float, *, others: float = 0.0) -> Turns:
    """Every verification costs this, every refresh twice as much, with EdDSA half as much."""
    both = {
        name: {"verify, 32 in flight": turn(us, others=others), "verify, 1 in flight": turn(1e6, others=others)}
        for name, us in ((ARGUS_RS256, argus), (NAIVE_RS256, naive))
    }
    refreshes = {ARGUS_RS256: 2 * argus, NAIVE_RS256: 2 * naive, ARGUS_EDDSA: argus / 2, NAIVE_EDDSA: naive / 2}
    return {
        name: both.get(name, {}) | {"refresh, 32 in flight": turn(us, others=others)} for name, us in refreshes.items()
    }


def test_a_ratio_is_the_median_of_the_rounds_so_that_a_bad_moment_of_one_side_does_not_count() -> None:
    rows = {row.name: row for row in goals([one_round(10, 40), one_round(100, 50), one_round(20, 80)])}
    assert rows["verify_cpu_vs_naive"].value == 4
    assert rows["refresh_cpu_vs_naive"].value == 4
    assert rows["refresh_eddsa_cpu_vs_naive"].value == 16
    assert rows["refresh_eddsa_cpu_vs_naive_eddsa"].value == 4
    assert all(row.met is None for name, row in rows.items() if "naive" in name)


@pytest.mark.parametrize(("others", "is_met"), [(0.09, True), (0.11, False)])
def test_a_machine_that_others_use_misses_a_goal(others: float, is_met: bool) -> None:
    row = goals([one_round(1, 1, others=others)])[-1]
    assert (row.name, row.met) == ("machine_used_by_others", is_met)


def test_medians_are_taken_of_each_number() -> None:
    found = medians([one_round(10, 40), one_round(100, 50), one_round(20, 80)])
    middle = found[ARGUS_RS256]["verify, 32 in flight"]
    assert (middle.calls, middle.cpu_us, middle.latency_us) == (300, {"server": 20}, {"p50": 20})
