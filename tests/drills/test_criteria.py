"""Every criterion of the drills can be red: each lie that is told in a drill is found out. And a drill works."""

from collections.abc import AsyncIterator

import pytest

from drills.field.world import World, opened
from drills.kinds import ALL
from drills.run import run_once
from drills.sabotage import DRILL, LIES, Lie

CHAINS = 16
CRITERIA = {"answers", "recovery", "lives", "ends", "one chain", "stale tokens"}


@pytest.fixture(scope="module")
async def small_world() -> AsyncIterator[World]:
    async with opened(World, None) as made:
        yield made


def test_there_is_a_lie_for_each_criterion() -> None:
    assert {lie.criterion for lie in LIES} == CRITERIA


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.name)
async def test_a_lie_is_found_out(small_world: World, lie: Lie) -> None:
    drill = next(drill for drill in ALL if drill.name == DRILL)
    result = await run_once(small_world, drill, number=1, seed=1, chains=CHAINS, sabotages=lie.sabotages)
    assert lie.criterion in result.failures, result


async def test_an_emptied_redis_is_a_good_run(small_world: World) -> None:
    drill = next(drill for drill in ALL if drill.name == "redis.flushed")
    result = await run_once(small_world, drill, number=1, seed=1, chains=CHAINS)
    assert result.is_good, result.failures
    assert result.rotations >= CHAINS
    assert result.ended
