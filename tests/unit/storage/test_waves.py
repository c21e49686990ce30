"""Who comes with few goes in at once; a crowd goes in as one wave after the other, and nobody holds it up for long."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

import pytest

from argus.base.errors import OverloadedError
from argus.storage.waves import Waves

PATIENCE_SECONDS = 20
NEVER = timedelta(hours=1)
FREE = 2


class Watching:
    """A `Watcher`."""

    def __init__(self) -> None:
        self.waves: list[int] = []
        self.refusals = 0
        self.has_begun = asyncio.Event()

    def begun(self, waits: Sequence[float]) -> None:
        """A wave goes in."""
        self.has_begun.set()
        self.waves.append(len(waits))

    def refused(self) -> None:
        """One was turned away."""
        self.refusals += 1


class Crowd:
    """People who go in, and leave once they are told to."""

    def __init__(self, **options: object) -> None:
        self.watching = Watching()
        self.waves = Waves(self.watching, free=FREE, **{"linger": NEVER, **options})  # type: ignore[arg-type]
        self.inside: list[str] = []
        self._may_leave: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Sends away whoever is left."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    async def come(self, *names: str) -> None:
        """They come one after the other; comes back when each is inside or waits."""
        for name in names:
            self._may_leave[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._go(name))
        await self.settle()

    async def leave(self, *names: str) -> None:
        """They leave."""
        for name in names:
            self._may_leave[name].set()
        await asyncio.wait([self.tasks[name] for name in names], timeout=PATIENCE_SECONDS)
        await self.settle()

    @staticmethod
    async def settle() -> None:
        """What can happen now has happened: each step of it takes one turn of the loop."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def _go(self, name: str) -> None:
        async with self.waves.place():
            self.inside.append(name)
            try:
                await self._may_leave[name].wait()
            finally:
                self.inside.remove(name)


async def test_few_go_in_as_they_come() -> None:
    """What waits for nothing is no wave."""
    async with Crowd() as crowd:
        await crowd.come("a", "b")
        await crowd.leave("a")
        await crowd.come("c")
        assert (crowd.inside, crowd.waves.waiting, crowd.watching.waves) == (["b", "c"], 0, [])


async def test_a_crowd_waits_until_all_have_left_and_goes_in_as_one() -> None:
    """Not one by one as places become free: they would never meet again."""
    async with Crowd() as crowd:
        await crowd.come("a", "b", "c", "d", "e")
        await crowd.leave("a")
        assert (crowd.inside, crowd.waves.waiting) == (["b"], 3)
        await crowd.leave("b")
        assert (crowd.inside, crowd.waves.waiting, crowd.watching.waves) == (["c", "d", "e"], 0, [3])


async def test_who_comes_while_others_wait_does_not_overtake_them() -> None:
    """Though there is a place."""
    async with Crowd() as crowd:
        await crowd.come("a", "b", "c")
        await crowd.leave("a")
        await crowd.come("d")
        assert (crowd.inside, crowd.waves.waiting) == (["b"], 2)


async def test_one_who_is_held_up_inside_holds_nobody_up_for_long() -> None:
    """The next wave goes in beside him."""
    async with Crowd(linger=timedelta(milliseconds=1)) as crowd:
        await crowd.come("held up", "too", "c", "d")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await crowd.watching.has_begun.wait()
        await crowd.settle()
        assert (crowd.inside, crowd.watching.waves) == (["held up", "too", "c", "d"], [2])


async def test_a_wave_has_a_largest_size_and_the_rest_is_the_next_one() -> None:
    """What it shares has one, too."""
    async with Crowd(largest=2) as crowd:
        await crowd.come("a", "b", "c", "d", "e")
        await crowd.leave("a", "b")
        assert crowd.inside == ["c", "d"]
        await crowd.leave("c", "d")
        assert crowd.inside == ["e"]


async def test_who_gives_up_while_waiting_was_never_there() -> None:
    """The others go in without him, and no place is kept."""
    async with Crowd() as crowd:
        await crowd.come("a", "b", "c", "d")
        crowd.tasks["c"].cancel()
        await crowd.settle()
        assert crowd.waves.waiting == 1
        await crowd.leave("a", "b")
        await crowd.leave("d")
        await crowd.come("e", "f")
        assert crowd.inside == ["e", "f"]


@pytest.mark.parametrize("is_first", [True, False], ids=["not told", "told"])
async def test_who_gives_up_in_the_very_turn_in_which_the_wave_goes_in_keeps_no_place(*, is_first: bool) -> None:
    """Whether he is told of his place before he goes, or not."""
    async with Crowd() as crowd:
        await crowd.come("a", "b", "c", "d")
        await crowd.leave("a")
        # With him the last who is inside leaves.
        crowd.tasks["b"].cancel()
        if not is_first:
            await asyncio.sleep(0)
        crowd.tasks["c"].cancel()
        await crowd.settle()
        assert crowd.inside == ["d"]
        await crowd.leave("d")
        await crowd.come("e", "f", "g")
        assert (crowd.inside, crowd.waves.waiting) == (["e", "f"], 1)


async def test_so_many_wait_and_not_more() -> None:
    """Who comes on top is told when to come again."""
    async with Crowd(most_waiting=1) as crowd:
        await crowd.come("a", "b", "c", "d")
        with pytest.raises(OverloadedError):
            await crowd.tasks["d"]
        assert (crowd.waves.waiting, crowd.watching.refusals) == (1, 1)
