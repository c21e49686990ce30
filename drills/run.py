"""Runs one drill once, and judges it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from drills import criteria
from drills.field.parts import StuckError
from drills.field.world import World
from drills.load.answers import Kind
from drills.load.load import CHAINS, Load
from drills.scene import Drill, Scene

WARM_SECONDS: Final = criteria.STALE_SECONDS + 1.2
"""Chains rotate for so long first: what sleepers held before is stale by then."""
_QUIET_SECONDS: Final = 2.0
_FINISH_SECONDS: Final = 8.0
_LONGEST_SECONDS: Final = 90.0

Sabotage = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sabotages:
    """Lies that make a criterion red, to show that it can be: each is told at one moment of a run.

    Attributes:
        while_broken: Beside the drill.
        after_recovery: Before anything is checked.
        before_comparison: Before the stores are compared.
    """

    while_broken: Sabotage | None = None
    after_recovery: Sabotage | None = None
    before_comparison: Sabotage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What one run has shown.

    Attributes:
        drill: Name of the drill.
        number: Of the run, from 1.
        seed: Makes the same decisions again (not the same races).
        seconds: How long it took.
        recovery_seconds: From the recovery to the last answer that was to be repeated.
        answers: Counts by kind.
        step_ups: Unbound sessions whose lost answer was asked for again after the grace.
        sessions: How many there were.
        ended: How many of them were ended.
        rotations: Tokens that were replaced.
        facts: What this run did.
        failures: What was found wrong, by criterion; empty: the run is good.
    """

    drill: str
    number: int
    seed: int
    seconds: float
    recovery_seconds: float
    answers: dict[str, int]
    step_ups: int
    sessions: int
    ended: int
    rotations: int
    facts: dict[str, float | str]
    failures: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether every criterion holds."""
        return not self.failures

    def as_json(self) -> dict[str, Any]:
        """As it is written down."""
        return asdict(self)


async def run_once(
    world: World,
    drill: Drill,
    *,
    number: int,
    seed: int,
    chains: int = CHAINS,
    sabotages: Sabotages | None = None,
) -> RunResult:
    """Runs a drill once.

    Args:
        world: Where.
        drill: What.
        number: Of the run.
        seed: Of all decisions.
        chains: How many sessions.
        sabotages: Lies that must be found out.
    """
    rng = random.Random(f"{drill.name}/{seed}/{number}")  # noqa: S311 - decides what to break, guards nothing
    scene = Scene(world=world, load=Load(world, rng, chains=chains), rng=rng)
    run = _Run(scene, drill, sabotages or Sabotages())
    begun = time.monotonic()
    failures: dict[str, list[str]] = {}
    try:
        async with asyncio.timeout(_LONGEST_SECONDS):
            failures = await run.run()
    except (StuckError, TimeoutError, OSError) as error:
        failures = {"the drill itself": [f"{type(error).__name__}: {error}", *scene.load.ledger.forbidden]}
    finally:
        await scene.load.close()
    ledger = scene.load.ledger
    return RunResult(
        drill=drill.name,
        number=number,
        seed=seed,
        seconds=round(time.monotonic() - begun, 1),
        recovery_seconds=round(run.recovery_seconds, 2),
        answers={kind.value: ledger.counts[kind] for kind in Kind},
        step_ups=ledger.step_ups,
        sessions=len(scene.load.chains),
        ended=len(scene.load.ended),
        rotations=sum(len(chain.replaced) for chain in scene.load.chains),
        facts=scene.facts,
        failures={name: found for name, found in failures.items() if found},
    )


class _Run:
    """The steps of a run."""

    def __init__(self, scene: Scene, drill: Drill, sabotages: Sabotages) -> None:
        self._scene = scene
        self._drill = drill
        self._sabotages = sabotages
        self.recovery_seconds = 0.0

    async def run(self) -> dict[str, list[str]]:
        """All of them; what was found, by criterion."""
        scene, drill = self._scene, self._drill
        await drill.prepare(scene)
        try:
            await scene.ready()
            await scene.load.start(on_created=lambda: drill.on_created(scene))
            scene.load.end_some(1)
            await asyncio.sleep(WARM_SECONDS)
            await self._break()
            await self._tell(self._sabotages.after_recovery)
            return await self._judge()
        finally:
            await drill.clean_up(scene)

    async def _break(self) -> None:
        lying = asyncio.create_task(self._tell(self._sabotages.while_broken))
        await self._drill.act(self._scene)
        await lying

    async def _judge(self) -> dict[str, list[str]]:
        scene, load = self._scene, self._scene.load
        # First of all, while the stores have not been reminded of anything.
        stale = await criteria.stale_of_sleepers(scene)
        limit = criteria.RECOVERY_SECONDS + _QUIET_SECONDS
        self.recovery_seconds = await load.calm(after=scene.recovered_at, quiet=_QUIET_SECONDS, limit=limit)
        await load.finish(seconds=_FINISH_SECONDS)
        found = {"recovery": criteria.recovery(scene, self.recovery_seconds)}
        found["lives"] = await criteria.lives(scene)
        found["ends"] = await criteria.ends(scene)
        await self._tell(self._sabotages.before_comparison)
        found["one chain"] = await criteria.one_chain(scene)
        found["stale tokens"] = stale + await criteria.stale_of_awake(scene)
        found["answers"] = criteria.answers(scene, self._drill)
        return found

    async def _tell(self, lie: Sabotage | None) -> None:
        if lie is not None:
            await lie(self._scene)
