"""Lies that must be found out: each makes one criterion red, which shows that the criterion can be."""

import asyncio
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from argus import _core
from drills.criteria import RECOVERY_SECONDS
from drills.load.chain import Chain, Life
from drills.run import Sabotages
from drills.scene import Scene

DRILL: Final = "redis.paused"
"""The drill that is sabotaged: it loses nothing by itself."""
_GENERATION_AND_MADE: Final = slice(15, 23)
_HICCUP_SECONDS: Final = 1.0
_background: set[asyncio.Task[None]] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """A sabotage.

    Attributes:
        name: What is done.
        criterion: What must be red.
        sabotages: How.
    """

    name: str
    criterion: str
    sabotages: Sabotages


async def _hangs_again(scene: Scene) -> None:
    """Redis hangs again, later after its recovery than is allowed."""
    scene.recovered_at = time.monotonic() - RECOVERY_SECONDS

    async def hang() -> None:
        scene.world.redis.pause()
        await asyncio.sleep(_HICCUP_SECONDS)
        scene.world.redis.resume()

    task = asyncio.create_task(hang())
    _background.add(task)
    task.add_done_callback(_background.discard)


async def _forgets(scene: Scene) -> None:
    """Both stores lose a session."""
    chain = _some(scene, scene.load.awake)
    await scene.world.postgresql.execute("DELETE FROM sessions WHERE session_id = %s", (chain.session_id,))
    await scene.world.redis.client.delete(_key(chain))


async def _raises_the_dead(scene: Scene) -> None:
    """Both stores forget an end."""
    chain = _some(scene, [chain for chain in scene.load.chains if chain.life is Life.ENDED])
    await scene.world.postgresql.execute(
        "UPDATE sessions SET state = 'active', end_time = NULL, end_reason = NULL WHERE session_id = %s",
        (chain.session_id,),
    )
    await scene.world.redis.client.delete(_key(chain))


async def _rotates_in_secret(scene: Scene) -> None:
    """Redis is one generation ahead of everybody."""
    await _patch(scene, [_some(scene, scene.load.awake)], by=1)


async def _bounds_too_high(scene: Scene) -> None:
    """PostgreSQL is ahead of everybody, and of what is still on its way to it."""
    chain = _some(scene, scene.load.awake)
    sql = "UPDATE sessions SET generation_bound = generation_bound + 1000 WHERE session_id = %s"
    await scene.world.postgresql.execute(sql, (chain.session_id,))


async def _forks(scene: Scene) -> None:
    """A client was given two tokens of one generation."""
    chain = _some(scene, scene.load.awake)
    chain.replaced.append((replace(chain.held, token_id=chain.session_id), time.monotonic()))


async def _rolls_back(scene: Scene) -> None:
    """Redis is a generation behind, without knowing that it lost anything."""
    await _patch(scene, scene.load.sleeping, by=-1)


async def _garbles(scene: Scene) -> None:
    """A client presents what is no token, when it wakes up."""
    chain = _some(scene, scene.load.sleeping)
    chain.held = replace(chain.held, text=chain.held.text[:-8] + "AAAAAAAA")


async def _steals(scene: Scene) -> None:
    """A client presents what it held long before, as a thief would."""
    chain = _some(scene, [chain for chain in scene.load.sleeping if not chain.is_bound])
    chain.held = chain.replaced[0][0]


async def _hangs_too(scene: Scene) -> None:
    """A server of Argus hangs, too, though only stores were to be broken."""
    server = scene.world.servers[0]
    server.pause()
    await asyncio.sleep(2 * _HICCUP_SECONDS)
    server.resume()


LIES: Final = (
    Lie(name="hangs again", criterion="recovery", sabotages=Sabotages(after_recovery=_hangs_again)),
    Lie(name="forgets a session", criterion="lives", sabotages=Sabotages(after_recovery=_forgets)),
    Lie(name="forgets an end", criterion="ends", sabotages=Sabotages(after_recovery=_raises_the_dead)),
    Lie(name="rotates in secret", criterion="one chain", sabotages=Sabotages(before_comparison=_rotates_in_secret)),
    Lie(name="bounds too high", criterion="one chain", sabotages=Sabotages(before_comparison=_bounds_too_high)),
    Lie(name="forks", criterion="one chain", sabotages=Sabotages(before_comparison=_forks)),
    Lie(name="rolls back", criterion="stale tokens", sabotages=Sabotages(after_recovery=_rolls_back)),
    Lie(name="garbles a token", criterion="answers", sabotages=Sabotages(while_broken=_garbles)),
    Lie(name="steals", criterion="answers", sabotages=Sabotages(after_recovery=_steals)),
    Lie(name="hangs too", criterion="answers", sabotages=Sabotages(while_broken=_hangs_too)),
)
"""All of them; every criterion is there."""


def _some(scene: Scene, chains: Sequence[Chain]) -> Chain:
    return scene.rng.choice(chains)


def _key(chain: Chain) -> str:
    return _core.Keyspace.session_key(chain.session_id).decode()


async def _patch(scene: Scene, chains: Sequence[Chain], *, by: int) -> None:
    """Changes the generation of records by hand, as if it had been made just now."""
    redis = scene.world.redis.client
    for chain in chains:
        stored: Any = await redis.get(_key(chain))
        value = bytearray(stored)
        generation, _ = struct.unpack(">II", value[_GENERATION_AND_MADE])
        value[_GENERATION_AND_MADE] = struct.pack(">II", generation + by, int(time.time()))
        await redis.set(_key(chain), bytes(value), keepttl=True)
