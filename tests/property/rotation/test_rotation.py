"""Whatever users, thieves, administrators, clocks and stores do: the ten assertions on rotation hold.

Some examples here, always the same; `make property` goes on, with others each time, until every row of the table and
every kind of loss was met often enough.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from rich.console import Console
from rich.progress import Progress

from tests.property.rotation.disasters import LOSSES
from tests.property.rotation.machine import RotationMachine

if TYPE_CHECKING:
    from tests.property.rotation.world import World
    from tests.support.pair import Pair

# How often each row and each loss must have been met; 0: only some examples are played.
_LEAST: Final = int(os.environ.get("ARGUS_PROPERTY_LEAST", "0"))
_EXAMPLES: Final = 12
_STEPS: Final = 35
_MOST_ROUNDS: Final = 200


@pytest.fixture(scope="module")
async def loop(pair: Pair) -> asyncio.AbstractEventLoop:
    """The loop that the servers run in; it stands still between the machine's steps."""
    return asyncio.get_running_loop()


@pytest.mark.timeout(14_400 if _LEAST else 600)
def test_rotation_keeps_its_promises(pair: Pair, loop: asyncio.AbstractEventLoop) -> None:
    from tests.property.rotation.world import World

    console = Console(file=sys.__stderr__)
    world = loop.run_until_complete(World.build(pair))
    try:
        _play(world)
        if _LEAST:
            _play_on(world, console)
    finally:
        _report(world, console)
        loop.run_until_complete(world.close())


def _play(world: World) -> None:
    """Plays some examples: the same ones, but where they are to go on until all was met."""
    machine = type("Rotation", (RotationMachine,), {"world": world})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=_EXAMPLES,
            stateful_step_count=_STEPS,
            deadline=None,
            derandomize=not _LEAST,
            database=None,
            # Real servers don't fail twice in the same way; the story of the failure is printed instead.
            phases=[Phase.explicit, Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


def _play_on(world: World, console: Console) -> None:
    """Plays until every row and every loss was met often enough."""
    with Progress(console=console) as progress:
        task = progress.add_task("rows and losses", total=_LEAST * len(_met(world)))
        for _ in range(_MOST_ROUNDS):
            met = _met(world)
            progress.update(task, completed=sum(min(count, _LEAST) for count in met.values()))
            if min(met.values()) >= _LEAST:
                return
            _play(world)
    rare = {name: count for name, count in _met(world).items() if count < _LEAST}
    raise AssertionError(f"met too rarely: {rare}")


def _met(world: World) -> dict[str, int]:
    return dict(world.verdicts()) | {name: world.counts[name] for name in LOSSES}


def _report(world: World, console: Console) -> None:
    for failure in world.failures[:1]:
        console.print(failure, markup=False, soft_wrap=True)
    for title, counts in (("rows", dict(world.verdicts())), ("happened", dict(world.counts))):
        console.print(f"\n{title}")
        for name, count in sorted(counts.items()):
            console.print(f"{count:8} {name}")
