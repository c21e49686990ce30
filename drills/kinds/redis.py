"""Redis is killed, hangs, or has other data than it had."""

from typing import Final

from drills.scene import Drill, Scene


async def _killed(scene: Scene) -> None:
    redis = scene.world.redis
    scene.breaks()
    redis.kill()
    await scene.hold()
    redis.launch()
    await redis.answering()
    scene.recovers()


async def _killed_and_empty(scene: Scene) -> None:
    redis = scene.world.redis
    scene.breaks()
    redis.kill()
    redis.wipe()
    await scene.hold()
    redis.launch()
    await redis.answering()
    scene.recovers()


async def _paused(scene: Scene) -> None:
    scene.breaks()
    scene.world.redis.pause()
    await scene.hold()
    scene.world.redis.resume()
    scene.recovers()


async def _snapshot(scene: Scene) -> None:
    await scene.world.redis.take_snapshot()


async def _rolled_back(scene: Scene) -> None:
    redis = scene.world.redis
    scene.facts["writes_missing"] = await redis.changes()
    scene.breaks()
    redis.kill()
    await scene.hold(0.5, 2)
    await redis.launch_from_snapshot()
    scene.recovers()


async def _flushed(scene: Scene) -> None:
    scene.breaks()
    await scene.world.redis.empty()
    scene.recovers()


DRILLS: Final = (
    Drill(
        name="redis.killed",
        claim="Redis is killed, and started again with its log of writes (AOF).",
        act=_killed,
    ),
    Drill(
        name="redis.killed_and_empty",
        claim="Redis is killed, and started again without any data.",
        act=_killed_and_empty,
    ),
    Drill(name="redis.paused", claim="Redis hangs for a while.", act=_paused),
    Drill(
        name="redis.rolled_back",
        claim="Redis is killed, and a snapshot is restored that is older than seconds of rotations.",
        act=_rolled_back,
        on_created=_snapshot,
    ),
    Drill(name="redis.flushed", claim="FLUSHALL, while everything goes on.", act=_flushed),
)
