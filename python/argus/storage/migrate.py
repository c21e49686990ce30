"""Numbered SQL migrations: each applied once, in order, by one process at a time, and never changed afterwards."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Final

import psycopg
from psycopg.rows import TupleRow

from argus.base.ids import sha256

Connection = psycopg.Connection[TupleRow]

# Any constant will do, as long as it stays the same: "argus" in ASCII.
_LOCK: Final = 0x6172677573
_FILE_NAME: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        number      integer PRIMARY KEY,
        name        text NOT NULL,
        sha256      bytea NOT NULL,
        apply_time  timestamptz NOT NULL
    )"""


class MigrationError(Exception):
    """The schema can't be brought, or is not, where this release wants it; says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema.

    Attributes:
        number: Its place, from 1 up without gaps.
        name: What it does.
        sql: Its statements, run in one transaction.
    """

    number: int
    name: str
    sql: str

    @property
    def title(self) -> str:
        """Number and name, as in its file's name."""
        return f"{self.number:04}_{self.name}"

    @property
    def digest(self) -> bytes:
        """SHA-256 of its statements."""
        return sha256(self.sql)


def shipped_migrations() -> list[Migration]:
    """The migrations of this release, in order."""
    found = [
        Migration(number=int(match[1]), name=match[2], sql=file.read_text("utf-8"))
        for file in resources.files("argus.storage").joinpath("migrations").iterdir()
        if (match := _FILE_NAME.fullmatch(file.name))
    ]
    return sorted(found, key=lambda migration: migration.number)


def migrate(url: str, *, now: datetime, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Applies what is missing; any number of processes may ask at once.

    Args:
        url: `postgresql://` address.
        now: The time that is noted down.
        migrations: Other ones than those of this release (tests).

    Returns:
        What was applied.

    Raises:
        MigrationError: The database holds a changed or unknown migration, or one of them failed.
    """
    wanted = shipped_migrations() if migrations is None else migrations
    with _connect(url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        connection.execute(_TABLE)
        missing = _missing(connection, wanted)
        for migration in missing:
            _apply(connection, migration, now)
    return missing


def pending_migrations(url: str, *, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """What `migrate` would apply; changes nothing.

    Raises:
        MigrationError: The database holds a changed or unknown migration.
    """
    wanted = shipped_migrations() if migrations is None else migrations
    with _connect(url) as connection:
        return _missing(connection, wanted)


def _connect(url: str) -> Connection:
    try:
        return psycopg.connect(
            url,
            autocommit=True,
            connect_timeout=5,
            target_session_attrs="read-write",
            application_name="argus migrate",
        )
    except psycopg.OperationalError as error:
        raise MigrationError(f"PostgreSQL can't be reached: {error}") from None


def _missing(connection: Connection, wanted: Sequence[Migration]) -> list[Migration]:
    applied = _applied(connection)
    for migration in wanted:
        if applied.get(migration.number, migration.digest) != migration.digest:
            raise MigrationError(
                f"migration {migration.title} was changed after it was applied: put the file back as it was, and make "
                "a new migration of the change"
            )
    if unknown := applied.keys() - {migration.number for migration in wanted}:
        raise MigrationError(
            f"the database has migration {max(unknown):04}, which this release does not know: run a newer release of "
            "Argus, or restore the backup from before the upgrade"
        )
    return [migration for migration in wanted if migration.number not in applied]


def _applied(connection: Connection) -> dict[int, bytes]:
    if connection.execute("SELECT to_regclass('schema_migrations')").fetchone() == (None,):
        return {}
    return {
        number: bytes(digest) for number, digest in connection.execute("SELECT number, sha256 FROM schema_migrations")
    }


def _apply(connection: Connection, migration: Migration, now: datetime) -> None:
    try:
        with connection.transaction():
            # The text comes from the release, not from data.
            connection.execute(migration.sql)
            connection.execute(
                "INSERT INTO schema_migrations (number, name, sha256, apply_time) VALUES (%s, %s, %s, %s)",
                (migration.number, migration.name, migration.digest, now),
            )
    except psycopg.Error as error:
        raise MigrationError(f"migration {migration.title} failed, and nothing of it was kept: {error}") from error
