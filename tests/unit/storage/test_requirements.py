"""Stores that Argus can't keep its promises on are refused, with a message that says what to do."""

import pytest

from argus.storage.requirements import judge_clock, judge_postgresql, judge_redis


def redis_problems(**information: str) -> list[str]:
    """What is wrong with a Redis that says this of itself."""
    said = {"redis_version": "7.0.15", "maxmemory_policy": "noeviction", **information}
    return [finding.problem for finding in judge_redis(said) if finding.problem]


@pytest.mark.parametrize("version", ["7.0.0", "7.2.4", "8.2.1", "10.0.0"])
def test_good_redis(version: str) -> None:
    assert redis_problems(redis_version=version) == []


@pytest.mark.parametrize("version", ["6.2.14", "5.0.7", "2.8", "unknown"])
def test_old_redis_is_refused(version: str) -> None:
    (problem,) = redis_problems(redis_version=version)
    assert "needs Redis 7.0 or newer" in problem


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "volatile-lru"])
def test_redis_that_evicts_is_refused(policy: str) -> None:
    (problem,) = redis_problems(maxmemory_policy=policy)
    assert "set maxmemory-policy noeviction" in problem


def test_a_replica_is_refused() -> None:
    (problem,) = redis_problems(role="slave")
    assert "a replica" in problem


@pytest.mark.parametrize(("version", "is_good"), [(150_000, True), (180_006, True), (140_013, False), (90_603, False)])
def test_postgresql_15_is_the_oldest(version: int, is_good: bool) -> None:
    assert (judge_postgresql(version).problem == "") is is_good


@pytest.mark.parametrize(("skew", "is_good"), [(0.0, True), (0.9, True), (-0.9, True), (1.1, False), (-30.0, False)])
def test_a_clock_that_is_off_is_refused(skew: float, is_good: bool) -> None:
    assert (judge_clock(1000.0, 1000.0 + skew).problem == "") is is_good
