"""Which Redis node counts, in PostgreSQL: one at a time, and none that was replaced ever again."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from argus.storage.postgres import Database
from argus.storage.primaries import Primaries, Primary, Replaced
from argus.storage.redis import Node

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
async def db(features_url: str) -> AsyncIterator[Database]:
    async with Database.open(features_url, max_size=8) as made:
        yield made


@pytest.fixture
def primaries(db: Database) -> Primaries:
    """A shard of this test alone."""
    return Primaries(db, secrets.token_hex(4))


def node(lineage: bytes, run_id: str = "") -> Node:
    """A process of Redis of its own, if no other is given."""
    return Node(lineage=lineage, run_id=run_id or lineage.hex())


ONE, TWO, THREE = node(b"lineage1"), node(b"lineage2"), node(b"lineage3")


async def test_the_first_node_ever_serves_at_once(primaries: Primaries) -> None:
    """Nobody can be using another one."""
    assert await primaries.current() is None
    await primaries.begin(ONE, now=NOW)
    await primaries.begin(TWO, now=NOW)
    assert await primaries.current() == Primary(node=ONE, term=1, is_serving=True)


async def test_another_process_waits_until_it_may_serve(primaries: Primaries) -> None:
    await primaries.begin(ONE, now=NOW)
    assert await primaries.replace(ONE, TWO, now=NOW) is Replaced.DONE
    assert await primaries.current() == Primary(node=TWO, term=2, is_serving=False)
    await primaries.serve(1)
    assert await primaries.current() == Primary(node=TWO, term=2, is_serving=False)
    await primaries.serve(2)
    assert await primaries.current() == Primary(node=TWO, term=2, is_serving=True)


async def test_the_same_process_under_another_lineage_goes_on(primaries: Primaries) -> None:
    """Its first replica has come. While it waits, that does not make it wait longer, nor shorter."""
    later = node(b"lineage4", ONE.run_id)
    await primaries.begin(ONE, now=NOW)
    assert await primaries.replace(ONE, later, now=NOW) is Replaced.DONE
    assert await primaries.current() == Primary(node=later, term=1, is_serving=True)
    await primaries.replace(later, TWO, now=NOW)
    waiting = node(b"lineage5", TWO.run_id)
    await primaries.replace(TWO, waiting, now=NOW)
    assert await primaries.current() == Primary(node=waiting, term=2, is_serving=False)
    assert await primaries.replace(waiting, TWO, now=NOW) is Replaced.FENCED


async def test_a_replaced_lineage_never_comes_back(primaries: Primaries) -> None:
    """Whoever still reaches its node may ask for it as often as they like."""
    await primaries.begin(ONE, now=NOW)
    await primaries.replace(ONE, TWO, now=NOW)
    assert await primaries.replace(TWO, ONE, now=NOW) is Replaced.FENCED
    assert await primaries.replace(TWO, THREE, now=NOW) is Replaced.DONE
    for fenced in (ONE, TWO):
        assert await primaries.replace(THREE, fenced, now=NOW) is Replaced.FENCED
    assert await primaries.current() == Primary(node=THREE, term=3, is_serving=False)


async def test_who_saw_an_older_row_changes_nothing(primaries: Primaries) -> None:
    await primaries.begin(ONE, now=NOW)
    await primaries.replace(ONE, TWO, now=NOW)
    assert await primaries.replace(ONE, THREE, now=NOW) is Replaced.LATE
    assert await primaries.current() == Primary(node=TWO, term=2, is_serving=False)


async def test_of_many_at_once_one_replaces(primaries: Primaries) -> None:
    await primaries.begin(ONE, now=NOW)
    nodes = [node(secrets.token_bytes(8)) for _ in range(8)]
    outcomes = await asyncio.gather(*(primaries.replace(ONE, one, now=NOW) for one in nodes))
    assert sorted(one.name for one in outcomes) == ["DONE"] + ["LATE"] * 7
    current = await primaries.current()
    assert current is not None
    assert current.node == nodes[outcomes.index(Replaced.DONE)]


async def test_shards_do_not_know_each_other(db: Database) -> None:
    one, other = Primaries(db, secrets.token_hex(4)), Primaries(db, secrets.token_hex(4))
    await one.begin(ONE, now=NOW)
    await one.replace(ONE, TWO, now=NOW)
    await other.begin(ONE, now=NOW)
    assert await other.current() == Primary(node=ONE, term=1, is_serving=True)
