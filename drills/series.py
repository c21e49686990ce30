"""Runs drills one after the other, in a world that is made anew after a run that failed."""

import shutil
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Self

from drills import namespace
from drills.field.network import find_toxiproxy
from drills.field.sentinels import SentinelWorld
from drills.field.world import World, opened
from drills.run import RunResult, run_once
from drills.scene import Drill

LOGS: Final = Path(".drills")
"""Where the logs of failed runs go."""
_RUNS_OF_A_WORLD: Final = 100
"""A world gets slower with the sessions of old runs."""


class Series:
    """Worlds, one at a time, and the runs in them."""

    def __init__(self) -> None:
        self._toxiproxy = find_toxiproxy()
        self._stack = AsyncExitStack()
        self._world: World | None = None
        self._runs_left = 0

    async def __aenter__(self) -> Self:
        """Begins; the first run makes the first world."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops and deletes everything."""
        await self._stack.aclose()

    def why_not(self, drill: Drill) -> str:
        """Why a drill can't be run here; empty: it can."""
        if drill.needs_network and self._toxiproxy is None:
            return "toxiproxy is missing: install it (toxiproxy-server), or Go, by which it is built"
        if drill.needs_small_disk and not namespace.is_own():
            return "a small disk can't be mounted: that needs root on Linux, and unshare"
        return ""

    async def run(self, plan: Iterable[tuple[Drill, int, int]]) -> AsyncIterator[RunResult]:
        """Runs drills.

        Args:
            plan: (drill, number of the run, seed).
        """
        for drill, number, seed in plan:
            result = await run_once(await self._fresh_world(drill), drill, number=number, seed=seed)
            self._runs_left -= 1
            if not result.is_good:
                self._keep_logs(result)
                self._runs_left = 0
            yield result

    async def _fresh_world(self, drill: Drill) -> World:
        kind = SentinelWorld if drill.needs_sentinel else World
        if self._world is None or self._runs_left <= 0 or type(self._world) is not kind:
            await self._stack.aclose()
            self._world = await self._stack.enter_async_context(opened(kind, self._toxiproxy))
            self._runs_left = _RUNS_OF_A_WORLD
        return self._world

    def _keep_logs(self, result: RunResult) -> None:
        if self._world is None:
            return
        folder = LOGS / f"{result.drill}-{result.seed}-{result.number}"
        folder.mkdir(parents=True, exist_ok=True)
        for log in self._world.folder.rglob("*.log"):
            shutil.copy(log, folder)
