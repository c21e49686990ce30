"""One run of one drill, while it goes on."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from drills.field.parts import until
from drills.field.world import World
from drills.load.load import Load


@dataclass(slots=True, kw_only=True)
class Scene:
    """What a drill acts on, and the moments that its criteria are counted from.

    Attributes:
        world: What is broken.
        load: Who goes on meanwhile.
        rng: Decides what the drill leaves open, by the seed of the run.
        broken_at: When something was broken; monotonic seconds.
        recovered_at: When everything was whole again.
        facts: What this run did, for the results.
    """

    world: World
    load: Load
    rng: random.Random
    broken_at: float = 0.0
    recovered_at: float = 0.0
    facts: dict[str, float | str] = field(default_factory=dict)

    def breaks(self) -> None:
        """To be called just before something is broken."""
        self.broken_at = time.monotonic()
        self.load.end_some(2)

    async def hold(self, least: float = 1.0, most: float = 4.0) -> None:
        """Lets it be broken for a while; a session more is ended in the middle of it."""
        seconds = self.rng.uniform(least, most)
        self.facts["held_seconds"] = round(seconds, 2)
        await asyncio.sleep(seconds / 2)
        self.load.end_some(1)
        await asyncio.sleep(seconds / 2)

    def recovers(self) -> None:
        """To be called as soon as everything is whole again."""
        self.recovered_at = time.monotonic()
        self.load.end_some(1)

    async def ready(self) -> None:
        """Waits until all servers say that they are ready; before a load."""
        for server in self.world.servers:
            await until(f"{server.name} is ready", server.answers)


Step = Callable[[Scene], Awaitable[None]]


async def nothing(_scene: Scene) -> None:
    """A step that there is nothing to do in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """A way to break things, and what it claims.

    Attributes:
        name: "group.what".
        claim: In a sentence.
        act: Breaks something, lets it be broken for a while, mends it; calls `breaks` and `recovers`.
        prepare: Before the load.
        on_created: When sessions have been created, and none has rotated.
        clean_up: After the checks, also of a run that failed.
        needs_network: Cuts or moves connections: needs toxiproxy.
        needs_sentinel: Runs in a world whose Redis is under Sentinel.
        needs_small_disk: Needs root, and a mount namespace.
        reaches_clients: Breaks what clients talk to: they may lose connections and wait in vain. Elsewhere that fails.
    """

    name: str
    claim: str
    act: Step
    prepare: Step = nothing
    on_created: Step = nothing
    clean_up: Step = nothing
    needs_network: bool = False
    needs_sentinel: bool = False
    needs_small_disk: bool = False
    reaches_clients: bool = False
