"""Redis under Sentinel fails over: the primary is killed, hangs, or hands over."""

from typing import Final, cast

from drills.field.parts import until
from drills.field.sentinels import SentinelWorld
from drills.kinds.replica import draw_writes, miss_writes, missing
from drills.scene import Drill, Scene


def _world(scene: Scene) -> SentinelWorld:
    return cast("SentinelWorld", scene.world)


async def _whole(scene: Scene) -> None:
    await _world(scene).made_whole()


async def _failover(scene: Scene) -> None:
    """The replica is cut off by a wrong password: the sentinels see it where it was."""
    world = _world(scene)
    draw_writes(scene)
    await world.redis.lock_out(world.replica)
    scene.facts["changes_at_cut"] = await world.redis.changes()
    await miss_writes(scene)
    scene.facts["writes_missing"] = await missing(scene)
    scene.breaks()
    world.redis.kill()
    await world.failed_over()
    scene.recovers()


async def _hangs(scene: Scene) -> None:
    """The old primary wakes up, and takes itself for the primary until a sentinel tells it otherwise."""
    world = _world(scene)
    scene.breaks()
    world.redis.pause()
    await world.failed_over()
    await scene.hold(0.2, 2)
    world.replica.resume()
    scene.recovers()


async def _hand_over(world: SentinelWorld) -> None:
    await until("a sentinel takes the order", world.sentinels[0].fail_over)
    await world.failed_over()


async def _handed_over_and_back(scene: Scene) -> None:
    world = _world(scene)
    scene.breaks()
    await _hand_over(world)
    await world.made_whole()
    await scene.hold(0.2, 2)
    await _hand_over(world)
    scene.recovers()


DRILLS: Final = (
    Drill(
        name="sentinel.failover",
        claim="The primary is killed, and Sentinel promotes a replica that misses 1 to 500 writes.",
        act=_failover,
        prepare=_whole,
        needs_sentinel=True,
    ),
    Drill(
        name="sentinel.primary_hangs",
        claim="The primary hangs until Sentinel has promoted the replica, and wakes up afterwards.",
        act=_hangs,
        prepare=_whole,
        needs_sentinel=True,
    ),
    Drill(
        name="sentinel.handed_over_and_back",
        claim="Sentinel promotes the replica in good order, and then the old primary again.",
        act=_handed_over_and_back,
        prepare=_whole,
        needs_sentinel=True,
    ),
)
