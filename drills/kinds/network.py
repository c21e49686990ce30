"""The network between each pair of parts is cut, swallows everything, or is slow."""

from functools import partial
from typing import Final

from drills.field.world import SERVERS
from drills.kinds.replica import attach, detach
from drills.scene import Drill, Scene, nothing

_TOXICS: Final[dict[str, tuple[str, str, dict[str, int]]]] = {
    "cut": ("is cut: every connection is reset", "reset_peer", {"timeout": 0}),
    "swallows": ("swallows everything, without a word", "timeout", {"timeout": 0}),
    "slow": ("is slow, by 100 ms and up to 80 more or less", "latency", {"latency": 100, "jitter": 80}),
    "narrow": ("lets 8 KB/s through", "bandwidth", {"rate": 8}),
}
_PAIRS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "client_argus": ("clients and Argus", tuple(f"client-argus-{n}" for n in range(1, SERVERS + 1))),
    "argus_redis": ("Argus and Redis", tuple(f"argus-{n}-redis" for n in range(1, SERVERS + 1))),
    "argus_postgresql": ("Argus and PostgreSQL", tuple(f"argus-{n}-postgresql" for n in range(1, SERVERS + 1))),
    "redis_replica": ("Redis and its replica", ("redis-replica",)),
}


async def _poisoned(scene: Scene, *, links: tuple[str, ...], kind: str, attributes: dict[str, int]) -> None:
    network = scene.world.plugged
    # One server's link, or all of them.
    chosen = links if scene.rng.random() < 1 / 2 else (scene.rng.choice(links),)
    scene.facts["links"] = len(chosen)
    scene.breaks()
    for link in chosen:
        await network.poison(link, kind, **attributes)
    await scene.hold()
    await network.heal()
    scene.recovers()


async def _heal(scene: Scene) -> None:
    await scene.world.plugged.heal()


def _drill(pair: str, how: str) -> Drill:
    between, links = _PAIRS[pair]
    what, kind, attributes = _TOXICS[how]
    has_replica = pair == "redis_replica"
    some = "" if has_replica else ", for one server or for all,"
    return Drill(
        name=f"network.{pair}.{how}",
        claim=f"The network between {between}{some} {what}.",
        act=partial(_poisoned, links=links, kind=kind, attributes=attributes),
        prepare=attach if has_replica else nothing,
        clean_up=detach if has_replica else _heal,
        needs_network=True,
        reaches_clients=pair == "client_argus",
    )


DRILLS: Final = tuple(_drill(pair, how) for pair in _PAIRS for how in _TOXICS)
