"""Redis is replaced by its replica, which has not seen all writes; or is demoted, and promoted back."""

from typing import Final

from drills.field.parts import until
from drills.scene import Drill, Scene

_LINK: Final = "redis-replica"
_MOST_MISSING: Final = 500
_CUT_AT_CREATION: Final = 40
"""From so many missing writes on, the replica is cut off before any session rotates."""
_WAIT_SECONDS: Final = 8.0
_SIGN_INS: Final = 16


async def attach(scene: Scene) -> None:
    """Before a load: a replica that has everything. It reaches its primary through the network."""
    world = scene.world
    await world.plugged.lead_to(_LINK, world.redis.port)
    world.replica.stop()
    world.replica.wipe()
    world.replica.launch()
    await world.replica.answering()
    await world.replica.follow(world.plugged.ports[_LINK])
    await world.replica.in_step()
    draw_writes(scene)


def draw_writes(scene: Scene) -> None:
    """Draws how many writes the replica is to miss: few, mostly, since the logarithm is drawn."""
    scene.facts["writes_to_miss"] = max(1, round(_MOST_MISSING ** scene.rng.random()))


async def _cut_off_early(scene: Scene) -> None:
    if scene.facts["writes_to_miss"] >= _CUT_AT_CREATION:  # type: ignore[operator]  # a number
        await _cut_off(scene)


async def _cut_off(scene: Scene) -> None:
    await scene.world.plugged.unplug(_LINK)
    scene.facts["changes_at_cut"] = await scene.world.redis.changes()


async def missing(scene: Scene) -> int:
    """How many writes the replica has missed since it was cut off."""
    return await scene.world.redis.changes() - int(scene.facts["changes_at_cut"])


async def miss_writes(scene: Scene) -> None:
    """Waits until the replica, which is cut off, misses as many writes as drawn; new sessions hasten it."""
    wanted = int(scene.facts["writes_to_miss"])

    async def enough() -> bool:
        if wanted - await missing(scene) > _CUT_AT_CREATION:
            scene.load.keep_going(await scene.load.sign_in(_SIGN_INS))
        return await missing(scene) >= wanted

    await until("the replica misses enough", enough, seconds=_WAIT_SECONDS)


async def _replaced(scene: Scene) -> None:
    world = scene.world
    if "changes_at_cut" not in scene.facts:
        await _cut_off(scene)
    await miss_writes(scene)
    scene.facts["writes_missing"] = await missing(scene)
    scene.breaks()
    world.redis.kill()
    await scene.hold(0.2, 2)
    await world.replica.lead()
    await world.point_to(world.replica)
    scene.recovers()


async def _demoted_and_back(scene: Scene) -> None:
    """A failover that is taken back: the old primary follows the new one for a while, and leads again."""
    world = scene.world
    first, second = world.redis, world.replica
    scene.breaks()
    await second.lead()
    await first.follow(second.port)
    if scene.rng.random() < 1 / 2:
        scene.facts["used_meanwhile"] = "yes"
        await first.in_step()
        await world.point_to(second)
    await scene.hold()
    await first.lead()
    await second.follow(first.port)
    await world.point_to(first)
    scene.recovers()


async def detach(scene: Scene) -> None:
    """After a run: no replica, and every link whole."""
    scene.world.replica.stop()
    await scene.world.plugged.heal()


DRILLS: Final = (
    Drill(
        name="replica.takes_over",
        claim="Redis is replaced by hand by its replica, which misses 1 to 500 writes.",
        act=_replaced,
        prepare=attach,
        on_created=_cut_off_early,
        clean_up=detach,
        needs_network=True,
    ),
    Drill(
        name="replica.demoted_and_back",
        claim="Redis becomes the replica of its replica for a while, and is promoted back; in half of the runs the "
        "replica serves meanwhile.",
        act=_demoted_and_back,
        prepare=attach,
        clean_up=detach,
        needs_network=True,
    ),
)
