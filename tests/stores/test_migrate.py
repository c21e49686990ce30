"""Migrations: once each, in order, by one process at a time; changed and unknown ones are refused."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from argus.storage.embedded import StoreUrls
from argus.storage.migrate import Migration, MigrationError, migrate, pending_migrations, shipped_migrations

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = Migration(number=1, name="first", sql="CREATE TABLE a (x integer); INSERT INTO a VALUES (1);")
SECOND = Migration(number=2, name="second", sql="ALTER TABLE a ADD y integer;")


@pytest.fixture
def url(stores: StoreUrls) -> Iterator[str]:
    """A database of its own."""
    with psycopg.connect(stores.database, autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrating")
        yield stores.database.rpartition("/")[0] + "/migrating"
        connection.execute("DROP DATABASE migrating WITH (FORCE)")


def count(url: str) -> int:
    """How often the first migration was run."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM a").fetchone()
    assert row is not None
    return int(row[0])


def test_each_is_applied_once_and_in_order(url: str) -> None:
    assert migrate(url, now=NOW, migrations=[FIRST]) == [FIRST]
    assert pending_migrations(url, migrations=[FIRST, SECOND]) == [SECOND]
    assert migrate(url, now=NOW, migrations=[FIRST, SECOND]) == [SECOND]
    assert migrate(url, now=NOW, migrations=[FIRST, SECOND]) == []
    assert count(url) == 1


def test_looking_changes_nothing(url: str) -> None:
    assert pending_migrations(url) == shipped_migrations()
    assert pending_migrations(url) == shipped_migrations()


def test_many_at_once_apply_each_once(url: str) -> None:
    threads = [
        threading.Thread(target=migrate, args=(url,), kwargs={"now": NOW, "migrations": [FIRST]}) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(url) == 1


def test_a_changed_one_is_refused(url: str) -> None:
    migrate(url, now=NOW, migrations=[FIRST])
    changed = replace(FIRST, sql=FIRST.sql + " ")
    attempts: list[Callable[[], object]] = [
        lambda: migrate(url, now=NOW, migrations=[changed]),
        lambda: pending_migrations(url, migrations=[changed]),
    ]
    for attempt in attempts:
        with pytest.raises(MigrationError, match="0001_first was changed after it was applied: put the file back"):
            attempt()


def test_a_newer_schema_is_refused(url: str) -> None:
    migrate(url, now=NOW, migrations=[FIRST, SECOND])
    with pytest.raises(MigrationError, match="0002, which this release does not know: run a newer release"):
        migrate(url, now=NOW, migrations=[FIRST])


def test_nothing_of_a_failed_one_is_kept(url: str) -> None:
    broken = Migration(number=2, name="broken", sql="CREATE TABLE b (x integer); SELECT no_such_function();")
    with pytest.raises(MigrationError, match="0002_broken failed, and nothing of it was kept"):
        migrate(url, now=NOW, migrations=[FIRST, broken])
    assert migrate(url, now=NOW, migrations=[FIRST, replace(broken, sql="CREATE TABLE b (x integer);")])


def test_a_database_that_is_away_is_said() -> None:
    with pytest.raises(MigrationError, match="PostgreSQL can't be reached"):
        migrate("postgresql://argus@127.0.0.1:1/argus", now=NOW)


def test_what_is_shipped_is_numbered_without_gaps() -> None:
    assert [migration.number for migration in shipped_migrations()] == list(range(1, len(shipped_migrations()) + 1))
