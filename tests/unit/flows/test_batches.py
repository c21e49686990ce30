"""Work in batches: once for each key, in turns, so much a second, and never more than may wait."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from argus.base.errors import UnavailableError
from argus.flows.batches import LONGEST_WAIT, FairBatches, Settle

FAST = 1_000_000
PATIENCE_SECONDS = 20


class Worker:
    """Keeps what it was given, and works once it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begins = asyncio.Event()
        self.go = asyncio.Event()
        self.refusals = 0
        self.waits: list[float] = []
        self.fails: Callable[[str], Exception | None] = lambda _: None

    async def work(self, keys: Sequence[str], settle: Settle[str]) -> None:
        """Does a batch."""
        self.batches.append(list(keys))
        self.begins.set()
        await self.go.wait()
        for key in keys:
            error = self.fails(key)
            if isinstance(error, ValueError):
                raise error
            settle(key, error)

    def refused(self) -> None:
        """One was turned away."""
        self.refusals += 1

    def begun(self, waits: Sequence[float]) -> None:
        """A batch begins."""
        self.waits += waits


def queue(worker: Worker, *, parallel: int = 1, rate: int = FAST) -> FairBatches[str]:
    """A queue before the worker."""
    return FairBatches(worker.work, worker, parallel=parallel, rate=rate)


def ask(batches: FairBatches[str], *keys: str, group: str | None = None) -> list[asyncio.Task[None]]:
    """Asks for keys, each of its own group unless one is given."""
    return [asyncio.create_task(batches.do(key, group=group or key)) for key in keys]


async def first_is_under_way(worker: Worker) -> None:
    """Waits until there is a batch."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await worker.begins.wait()


async def test_what_comes_meanwhile_is_one_batch_and_each_key_is_done_once() -> None:
    worker = Worker()
    batches = queue(worker)
    asked = ask(batches, "a")
    await first_is_under_way(worker)
    asked += ask(batches, "a", "b", "c", "b")
    await asyncio.sleep(0)
    assert batches.waiting == 2
    worker.go.set()
    await asyncio.gather(*asked)
    assert worker.batches == [["a"], ["b", "c"]]
    assert batches.waiting == 0
    assert len(worker.waits) == 3


async def test_a_flood_of_one_group_costs_the_others_nothing() -> None:
    """It has a few places, and the others' turn comes before its second."""
    worker = Worker()
    batches = queue(worker)
    asked = ask(batches, "first")
    await first_is_under_way(worker)
    flood = ask(batches, *(f"flood-{number}" for number in range(1000)), group="flood")
    await asyncio.sleep(0)
    assert batches.waiting == 50
    others = ask(batches, "one", "two")
    worker.go.set()
    await asyncio.gather(*asked, *others)
    outcomes = await asyncio.gather(*flood, return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, UnavailableError)]
    assert (len(refused), worker.refusals) == (950, 950)
    assert worker.batches[1][:3] == ["flood-0", "one", "two"]


async def test_no_more_waits_than_can_be_done_in_time_and_retries_are_spread() -> None:
    worker = Worker()
    batches = queue(worker, rate=100)
    most = int(100 * LONGEST_WAIT.total_seconds())
    asked = ask(batches, "first")
    await first_is_under_way(worker)
    asked += ask(batches, *(f"{number}" for number in range(most + 200)))
    await asyncio.sleep(0)
    assert batches.waiting == most
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    retries = {error.retry_after for task in done if isinstance(error := task.exception(), UnavailableError)}
    assert len(done) == 200
    assert len(retries) > 100
    seconds = [one.total_seconds() for one in retries if one is not None]
    assert 1 <= min(seconds) < max(seconds) <= 1 + 2 * LONGEST_WAIT.total_seconds()
    for task in asked:
        task.cancel()
    worker.go.set()
    await asyncio.gather(*asked, return_exceptions=True)


async def test_the_rate_holds() -> None:
    """A thousand a second: five hundred take more than a third of it."""
    worker = Worker()
    worker.go.set()
    batches = queue(worker, rate=1000, parallel=4)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.gather(*ask(batches, *map(str, range(500))))
    assert loop.time() - begun > 0.35
    assert max(map(len, worker.batches)) <= 100


async def test_each_learns_of_its_own_failure() -> None:
    """One that can't be worked on takes no other along."""
    worker = Worker()
    batches = queue(worker)
    asked = ask(batches, "first")
    await first_is_under_way(worker)
    errors = {"bad": ValueError("broken"), "away": UnavailableError("redis")}
    worker.fails = errors.get
    asked += ask(batches, "a", "bad", "b", "away", "c")
    worker.go.set()
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert outcomes == [None, None, errors["bad"], None, errors["away"], None]


async def test_who_gives_up_leaves_the_work_to_the_others() -> None:
    worker = Worker()
    batches = queue(worker)
    gone, stays = ask(batches, "a", "a")
    await first_is_under_way(worker)
    gone.cancel()
    worker.go.set()
    await stays
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert worker.batches == [["a"]]
