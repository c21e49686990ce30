"""PostgreSQL refuses, is killed, hangs or is a standby: callers are told soon, and go on as soon as it is back."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from argus.base.errors import UnavailableError
from argus.server.private_stack import private_settings
from argus.storage.embedded import EmbeddedStores
from argus.storage.postgres import Database
from argus.storage.requirements import inspect_stores
from tests.faults.test_unfit_stores import run_argus
from tests.support.processes import frozen_postgresql, kill_postgresql

POOL = 8
SOON_SECONDS = 2.0
ANSWER = timedelta(seconds=1)
PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStores]:
    with EmbeddedStores(tmp_path_factory.mktemp("postgresql")) as stores:
        yield stores
        stores.delete()


@pytest.fixture
async def db(own: EmbeddedStores) -> AsyncIterator[Database]:
    async with Database.open(own.urls.database, max_size=POOL, timeout=ANSWER) as opened:
        yield opened


@pytest.fixture
async def patient(own: EmbeddedStores) -> AsyncIterator[Database]:
    """One that would wait for long, were there anything to wait for."""
    async with Database.open(own.urls.database, max_size=POOL, timeout=timedelta(seconds=20)) as opened:
        yield opened


@contextmanager
def killed(stores: EmbeddedStores) -> Iterator[None]:
    """Without PostgreSQL, in the block."""
    kill_postgresql(stores)
    try:
        yield
    finally:
        stores.launch_postgresql()
        stores.wait()


async def ask(db: Database) -> float | None:
    """Seconds until an answer; None if there is none to be had, which must be known soon."""
    begun = time.monotonic()
    try:
        assert await db.fetch_one("SELECT pg_backend_pid() AS pid") is not None
    except UnavailableError:
        assert time.monotonic() - begun < SOON_SECONDS + ANSWER.total_seconds()
        return None
    return time.monotonic() - begun


async def fill(db: Database) -> set[int]:
    """Uses every connection of the pool at once; the server's processes behind them."""

    async def one() -> int:
        async with db.transaction() as tx:
            row = await tx.fetch_one("SELECT pg_backend_pid() AS pid")
            at_once.release()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await everybody.wait()
        assert row is not None
        return int(row["pid"])

    at_once, everybody = asyncio.Semaphore(0), asyncio.Event()
    tasks = [asyncio.create_task(one()) for _ in range(POOL)]
    for _ in range(POOL):
        await at_once.acquire()
    everybody.set()
    return set(await asyncio.gather(*tasks))


async def test_a_server_that_refuses_is_an_answer_at_once(own: EmbeddedStores, patient: Database) -> None:
    """Nobody waits for what can't come, however many ask."""
    await fill(patient)
    with killed(own):
        for _ in range(3):
            begun = time.monotonic()
            assert await asyncio.gather(*(ask(patient) for _ in range(64))) == [None] * 64
            assert time.monotonic() - begun < SOON_SECONDS
    assert await back(patient) < SOON_SECONDS


async def test_broken_connections_of_the_pool_cost_no_call(own: EmbeddedStores, patient: Database) -> None:
    """After a restart every one of them is broken, and every call is answered."""
    before = await fill(patient)
    assert len(before) == POOL
    with killed(own):
        pass
    assert None not in await asyncio.gather(*(ask(patient) for _ in range(3 * POOL)))
    assert not before & await fill(patient)


async def test_a_long_outage_is_over_when_it_is_over(own: EmbeddedStores, patient: Database) -> None:
    """Tries that failed before don't hold up the one that succeeds."""
    with killed(own):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            assert await ask(patient) is None
            await asyncio.sleep(0.05)  # a caller's pause: the outage has to last
    assert await back(patient) < SOON_SECONDS


async def test_a_server_that_hangs_costs_one_wait_and_no_connection(own: EmbeddedStores, db: Database) -> None:
    """More calls than there are connections hang; all are told, and afterwards all connections are there."""
    await fill(db)
    with frozen_postgresql(own):
        begun = time.monotonic()
        assert await asyncio.gather(*(ask(db) for _ in range(2 * POOL))) == [None] * (2 * POOL)
        assert time.monotonic() - begun < ANSWER.total_seconds() + SOON_SECONDS
    assert await back(db) < SOON_SECONDS
    assert len(await fill(db)) == POOL


async def test_a_call_that_is_given_up_while_the_server_hangs_keeps_no_connection(
    own: EmbeddedStores, db: Database
) -> None:
    """As at the deadline of a request."""
    await fill(db)
    with frozen_postgresql(own):
        tasks = [asyncio.create_task(ask(db)) for _ in range(POOL)]
        await asyncio.wait(tasks, timeout=0.2)
        for task in tasks:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await back(db) < PATIENCE_SECONDS
    assert len(await fill(db)) == POOL


async def test_a_standby_is_not_read(own: EmbeddedStores, db: Database) -> None:
    """What it says may be old: an end could come undone."""
    signal_file = next(Path(own.postgresql.log).parent.glob("postgresql/PG_VERSION")).with_name("standby.signal")
    await fill(db)
    own.postgresql.stop()
    signal_file.touch()
    own.launch_postgresql()
    own.wait()
    try:
        with psycopg.connect(own.urls.database) as standby:
            assert standby.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)
        assert await ask(db) is None
        findings = {one.what: one.problem for one in inspect_stores(own.urls.redis, own.urls.database)}
        assert "ARGUS_DATABASE_URL" in findings["postgresql.role"]
        refused = run_argus("serve", private_settings(own.urls))
        assert refused.returncode != 0
        assert "standby" in refused.stderr
        assert "Traceback" not in refused.stderr
    finally:
        own.postgresql.stop()
        signal_file.unlink()
        own.launch_postgresql()
        own.wait()
    assert await back(db) < SOON_SECONDS


async def test_what_is_said_to_be_done_is_on_disk(own: EmbeddedStores) -> None:
    """Whatever the server is set to: an end must survive its crash. Only locks may be forgotten."""
    with psycopg.connect(own.urls.database, autocommit=True) as connection:
        connection.execute("ALTER ROLE argus SET synchronous_commit = off")
    try:
        async with Database.open(own.urls.database) as db:
            async with db.transaction() as tx:
                assert await tx.fetch_one("SHOW synchronous_commit") == {"synchronous_commit": "on"}
            async with db.holding() as tx:
                assert await tx.fetch_one("SHOW synchronous_commit") == {"synchronous_commit": "off"}
            assert await db.fetch_one("SHOW synchronous_commit") == {"synchronous_commit": "on"}
    finally:
        with psycopg.connect(own.urls.database, autocommit=True) as connection:
            connection.execute("ALTER ROLE argus RESET synchronous_commit")


async def back(db: Database) -> float:
    """Seconds until the first answer."""
    begun = time.monotonic()
    while await ask(db) is None:
        assert time.monotonic() - begun < PATIENCE_SECONDS
        await asyncio.sleep(0.02)
    return time.monotonic() - begun
