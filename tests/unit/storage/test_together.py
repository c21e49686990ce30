"""What is asked for at the same time is done together: nobody alone waits, nothing is lost, one fault is one's own."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from argus.base.errors import OverloadedError, UnavailableError
from argus.storage.together import Together

PATIENCE_SECONDS = 20
NEVER = timedelta(hours=1)


class Worker:
    """Keeps what it was given, works once it is told to, and fails where "bad" is among it."""

    def __init__(self) -> None:
        self.begun: list[list[str]] = []
        self.go = asyncio.Event()
        self.away = False
        self.waits: list[float] = []
        self.refusals = 0
        self.abandoned: list[str] = []

    async def work(self, items: Sequence[str]) -> Sequence[str | Exception]:
        """Does a batch."""
        self.begun.append(list(items))
        await self.go.wait()
        if self.away:
            raise UnavailableError("postgresql")
        if "bad" in items:
            raise ValueError("a batch with this one is rolled back")
        return [LookupError(item) if item == "missing" else item.upper() for item in items]

    async def leave(self, outcomes: Sequence[str]) -> None:
        """Hears of what nobody waits for any more."""
        self.abandoned += outcomes


class Watching:
    """A `Watcher`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def begun(self, waits: Sequence[float]) -> None:
        """A batch begins."""
        self._worker.waits += waits

    def refused(self) -> None:
        """One was turned away."""
        self._worker.refusals += 1


@pytest.fixture
def worker() -> Worker:
    return Worker()


def make(worker: Worker, **options: object) -> Together[str, str]:
    values: dict[str, object] = {"linger": NEVER, "parallel": 1} | options
    return Together(worker.work, Watching(worker), abandoned=worker.leave, **values)  # type: ignore[arg-type]


async def until(worker: Worker, batches: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(worker.begun) < batches:  # noqa: ASYNC110  # one turn of the loop after the other
            await asyncio.sleep(0)


def ask(together: Together[str, str], *items: str) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(together.do(item)) for item in items]


async def test_one_alone_does_not_wait(worker: Worker) -> None:
    worker.go.set()
    async with asyncio.timeout(PATIENCE_SECONDS):  # far less than `linger`
        assert await make(worker).do("a") == "A"


async def test_what_comes_meanwhile_is_done_together(worker: Worker) -> None:
    together = make(worker)
    first = ask(together, "a")
    await until(worker, 1)
    rest = ask(together, "b", "c", "d")
    await asyncio.sleep(0)
    assert together.waiting == 3
    worker.go.set()
    assert await asyncio.gather(*first, *rest) == ["A", "B", "C", "D"]
    assert worker.begun == [["a"], ["b", "c", "d"]]
    assert len(worker.waits) == 4


async def test_a_full_batch_and_a_long_wait_begin_beside_one_under_way(worker: Worker) -> None:
    together = make(worker, largest=2, parallel=3)
    tasks = ask(together, "a", "b", "c")
    await until(worker, 1)
    assert worker.begun == [["a", "b"]]
    tasks += ask(together, "d")
    await until(worker, 2)
    assert worker.begun[1] == ["c", "d"]

    hasty = Worker()
    impatient = make(hasty, parallel=2, linger=timedelta(milliseconds=1))
    tasks += ask(impatient, "e")
    await until(hasty, 1)
    tasks += ask(impatient, "f")
    await until(hasty, 2)
    tasks += ask(impatient, "g")
    await asyncio.sleep(0.02)  # `parallel` is the bound: more time begins no third
    assert hasty.begun == [["e"], ["f"]]
    for one in (worker, hasty):
        one.go.set()
    await asyncio.gather(*tasks)
    assert hasty.begun[2:] == [["g"]]


async def test_one_that_can_not_be_done_fails_alone(worker: Worker) -> None:
    worker.go.set()
    tasks = ask(make(worker), "a", "bad", "b", "missing", "c")
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcomes[0], outcomes[2], outcomes[4]] == ["A", "B", "C"]
    assert isinstance(outcomes[1], ValueError)
    assert isinstance(outcomes[3], LookupError)


async def test_an_outage_is_everybodys_and_nothing_is_tried_again(worker: Worker) -> None:
    worker.go.set()
    worker.away = True
    outcomes = await asyncio.gather(*ask(make(worker), "a", "bad", "b"), return_exceptions=True)
    assert all(isinstance(one, UnavailableError) for one in outcomes)
    assert worker.begun == [["a", "bad", "b"]]


async def test_what_may_have_taken_place_is_not_done_again(worker: Worker) -> None:
    worker.go.set()
    outcomes = await asyncio.gather(*ask(make(worker, splits=False), "a", "bad"), return_exceptions=True)
    assert all(isinstance(one, ValueError) for one in outcomes)
    assert worker.begun == [["a", "bad"]]


async def test_who_gives_up_in_time_never_begins_and_who_does_so_late_is_told_of(worker: Worker) -> None:
    together = make(worker)
    early, late = ask(together, "a", "b")
    await until(worker, 1)
    waiting = ask(together, "c")[0]
    await asyncio.sleep(0)
    for one in (late, waiting):
        one.cancel()
    worker.go.set()
    assert await early == "A"
    assert await together.drain() == 0
    assert worker.begun == [["a", "b"]]
    assert worker.abandoned == ["B"]


async def test_an_audit_row_is_written_though_its_caller_has_gone(worker: Worker) -> None:
    together = make(worker, keeps_all=True)
    ask(together, "a")
    await until(worker, 1)
    waiting = ask(together, "b")[0]
    await asyncio.sleep(0)
    waiting.cancel()
    worker.go.set()
    assert await together.drain() == 0
    assert worker.begun == [["a"], ["b"]]


async def test_what_is_too_much_is_turned_away_and_told_when_to_come_back(worker: Worker) -> None:
    together = make(worker, most_waiting=2)
    tasks = ask(together, "a")
    await until(worker, 1)
    tasks += ask(together, "b", "c")
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError) as refused:
        await together.do("d")
    assert refused.value.retry_after
    assert worker.refusals == 1
    worker.go.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "C"]


async def test_draining_leaves_nothing_behind(worker: Worker) -> None:
    together = make(worker, largest=1)
    tasks = ask(together, *"abcdefgh")
    await until(worker, 1)
    worker.go.set()
    assert await together.drain() == 0
    assert [await one for one in tasks] == list("ABCDEFGH")


async def test_draining_ends_though_a_runner_never_began(worker: Worker) -> None:
    """It was cancelled before its first step: nobody else counts it out, and another one does its work."""
    together = make(worker, parallel=2)
    worker.go.set()
    (asked,) = ask(together, "a")
    await asyncio.sleep(0)
    (runner,) = together._runners
    runner.cancel()
    assert await together.drain() == 0
    assert await asked == "A"
