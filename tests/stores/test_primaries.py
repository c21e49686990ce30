"""Which Redis node counts, in PostgreSQL: one at a time, and none that was replaced ever again."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from argus.storage.postgres import Database
from argus.storage.primaries import Primaries, Primary, Replaced

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO, THREE = b"lineage1", b"lineage2", b"lineage3"


@pytest.fixture
async def db(features_url: str) -> AsyncIterator[Database]:
    async with Database.open(features_url, max_size=8) as made:
        yield made


@pytest.fixture
def primaries(db: Database) -> Primaries:
    """A shard of this test alone."""
    return Primaries(db, secrets.token_hex(4))


async def test_the_first_node_ever_serves_at_once(primaries: Primaries) -> None:
    """Nobody can be using another one."""
    assert await primaries.current() is None
    await primaries.begin(ONE, now=NOW)
    await primaries.begin(TWO, now=NOW)
    assert await primaries.current() == Primary(lineage=ONE, is_serving=True)


async def test_another_node_waits_until_it_may_serve(primaries: Primaries) -> None:
    await primaries.begin(ONE, now=NOW)
    assert await primaries.replace(ONE, TWO, now=NOW) is Replaced.DONE
    assert await primaries.current() == Primary(lineage=TWO, is_serving=False)
    await primaries.serve(ONE)
    assert await primaries.current() == Primary(lineage=TWO, is_serving=False)
    await primaries.serve(TWO)
    assert await primaries.current() == Primary(lineage=TWO, is_serving=True)


async def test_a_replaced_node_never_comes_back(primaries: Primaries) -> None:
    """Whoever still reaches it may ask for it as often as they like."""
    await primaries.begin(ONE, now=NOW)
    await primaries.replace(ONE, TWO, now=NOW)
    assert await primaries.replace(TWO, ONE, now=NOW) is Replaced.FENCED
    assert await primaries.replace(TWO, THREE, now=NOW) is Replaced.DONE
    for fenced in (ONE, TWO):
        assert await primaries.replace(THREE, fenced, now=NOW) is Replaced.FENCED
    assert await primaries.current() == Primary(lineage=THREE, is_serving=False)


async def test_who_saw_an_older_row_changes_nothing(primaries: Primaries) -> None:
    await primaries.begin(ONE, now=NOW)
    await primaries.replace(ONE, TWO, now=NOW)
    assert await primaries.replace(ONE, THREE, now=NOW) is Replaced.LATE
    assert await primaries.current() == Primary(lineage=TWO, is_serving=False)


async def test_of_many_at_once_one_replaces(primaries: Primaries) -> None:
    await primaries.begin(ONE, now=NOW)
    lineages = [secrets.token_bytes(8) for _ in range(8)]
    outcomes = await asyncio.gather(*(primaries.replace(ONE, one, now=NOW) for one in lineages))
    assert sorted(one.name for one in outcomes) == ["DONE"] + ["LATE"] * 7
    current = await primaries.current()
    assert current is not None
    assert current.lineage == lineages[outcomes.index(Replaced.DONE)]


async def test_shards_do_not_know_each_other(db: Database) -> None:
    one, other = Primaries(db, secrets.token_hex(4)), Primaries(db, secrets.token_hex(4))
    await one.begin(ONE, now=NOW)
    await one.replace(ONE, TWO, now=NOW)
    await other.begin(ONE, now=NOW)
    assert await other.current() == Primary(lineage=ONE, is_serving=True)
