"""What is claimed follows from what was measured."""

import pytest

from argus.server.bench.rounds import Turns, medians
from argus.server.bench.runs import Turn
from bench.cold.__main__ import ALONE, THROUGH
from bench.cold.__main__ import goals as cold_goals
from bench.hot.goals import (
    ARGUS_CACHED,
    ARGUS_EDDSA,
    ARGUS_RS256,
    ECHO,
    NAIVE_EDDSA,
    NAIVE_RS256,
    goals,
)
from bench.rows import Row

COSTS = {"RSA-2048 sign": 8e-6, "Ed25519 verify": 2e-6}


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


def rows_of(rounds: list[Turns], *, has_door: bool = True) -> dict[str, Row]:
    """By name."""
    return {row.name: row for row in goals(rounds, [COSTS] * len(rounds), has_door=has_door)}


def test_a_ratio_is_the_median_of_the_rounds_so_that_a_bad_moment_of_one_side_does_not_count() -> None:
    rows = rows_of([one_round(10, 40), one_round(100, 50), one_round(20, 80)])
    assert rows["verify_cpu_vs_naive"].value == 4
    assert rows["refresh_cpu_vs_naive"].value == 4
    assert rows["refresh_eddsa_cpu_vs_naive"].value == 16
    assert rows["refresh_eddsa_cpu_vs_naive_eddsa"].value == 4


def test_goals_are_judged_where_argus_was_called_through_its_door_and_only_there() -> None:
    for times, is_met in ((11, False), (13, True)):
        assert rows_of([one_round(10, times * 10)])["verify_cpu_vs_naive"].met is is_met
    assert rows_of([one_round(10, 130)], has_door=False)["verify_cpu_vs_naive"].met is None


@pytest.mark.parametrize(("argus", "is_met"), [(24, True), (26, False)])
def test_a_refresh_is_held_against_the_signatures_that_were_measured_beside_it(argus: float, is_met: bool) -> None:
    row = rows_of([one_round(argus, 1)])["refresh_vs_single_rsa_bound"]
    assert (row.value, row.met) == (argus / 2 / 10, is_met)


def test_caches_that_were_not_measured_are_skipped_with_a_reason_and_judged_where_they_were() -> None:
    for name in ("verify_cached_vs_echo", "verify_cached_cpu_vs_naive"):
        skipped = rows_of([one_round(10, 40)])[name]
        assert (skipped.value, skipped.met) == (None, None)
        assert skipped.why
    cached = {ARGUS_CACHED: {"verify, 32 in flight": turn(13)}, ECHO: {"verify, 32 in flight": turn(10)}}
    rows = rows_of([one_round(10, 400) | cached])
    assert (rows["verify_cached_vs_echo"].value, rows["verify_cached_vs_echo"].met) == (1.3, False)
    assert rows["verify_cached_cpu_vs_naive"].met is True


def test_a_call_that_is_passed_on_is_held_against_both_of_its_goals() -> None:
    def one(alone: float, through: float) -> Turns:
        return {ALONE: {"32 in flight": turn(alone)}, THROUGH: {"32 in flight": turn(through)}}

    def met(alone: float, through: float) -> list[bool | None]:
        return [row.met for row in cold_goals([one(alone, through)] * 3, "32 in flight")][:2]

    assert met(300, 400) == [True, True]
    assert met(100, 190) == [False, True]
    assert met(400, 530) == [True, False]


@pytest.mark.parametrize(("others", "is_met"), [(0.09, True), (0.11, False)])
def test_a_machine_that_others_use_misses_a_goal(others: float, is_met: bool) -> None:
    row = goals([one_round(1, 1, others=others)], [COSTS])[-1]
    assert (row.name, row.met) == ("machine_used_by_others", is_met)


def test_medians_are_taken_of_each_number() -> None:
    found = medians([one_round(10, 40), one_round(100, 50), one_round(20, 80)])
    middle = found[ARGUS_RS256]["verify, 32 in flight"]
    assert (middle.calls, middle.cpu_us, middle.latency_us) == (300, {"server": 20}, {"p50": 20})
