"""One of three servers of Argus is killed, or hangs."""

from typing import Final

from drills.scene import Drill, Scene


async def _killed(scene: Scene) -> None:
    server = scene.rng.choice(scene.world.servers)
    scene.breaks()
    server.kill()
    await scene.hold()
    server.launch()
    await server.answering()
    scene.recovers()


async def _paused(scene: Scene) -> None:
    server = scene.rng.choice(scene.world.servers)
    scene.breaks()
    server.pause()
    await scene.hold()
    server.resume()
    scene.recovers()


DRILLS: Final = (
    Drill(
        name="argus.killed",
        claim="One of three servers is killed in the middle of its calls, and started again.",
        act=_killed,
        reaches_clients=True,
    ),
    Drill(
        name="argus.paused",
        claim="One of three servers hangs for a while, and then goes on with what it was doing.",
        act=_paused,
        reaches_clients=True,
    ),
)
