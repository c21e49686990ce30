"""Both stores are away at once."""

from typing import Final

from drills.scene import Drill, Scene


async def _killed(scene: Scene) -> None:
    redis, postgresql = scene.world.redis, scene.world.postgresql
    is_lost = scene.rng.random() < 1 / 2
    scene.facts["redis_data_lost"] = str(is_lost)
    scene.breaks()
    redis.kill()
    postgresql.kill()
    if is_lost:
        redis.wipe()
    await scene.hold()
    redis.launch()
    postgresql.launch()
    await redis.answering()
    await postgresql.answering()
    scene.recovers()


async def _paused(scene: Scene) -> None:
    redis, postgresql = scene.world.redis, scene.world.postgresql
    scene.breaks()
    redis.pause()
    postgresql.pause()
    await scene.hold()
    redis.resume()
    postgresql.resume()
    scene.recovers()


DRILLS: Final = (
    Drill(
        name="both.killed",
        claim="Redis and PostgreSQL are killed at once; in half of the runs Redis comes back without any data.",
        act=_killed,
    ),
    Drill(name="both.paused", claim="Redis and PostgreSQL hang at once for a while.", act=_paused),
)
