"""Plain durable inserts into a table like that of the sessions: one by one, and many with one commit."""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import psycopg

from argus.base.cpu import cpu_seconds
from argus.storage.columns import columns

LARGEST: Final = 256
"""Rows of one commit; as many as Argus takes."""

# The sessions' own columns, indexes and checks; of the ways to make a row durable this is the plainest.
_TABLE: Final = "CREATE TABLE IF NOT EXISTS plain_sessions (LIKE sessions INCLUDING ALL)"
_TYPES: Final[dict[LiteralString, LiteralString]] = {
    "tenant_id": "text",
    "session_id": "text",
    "user_id": "text",
    "client_id": "text",
    "device_id": "text",
    "state": "text",
    "create_time": "timestamptz",
    "last_active_time": "timestamptz",
    "idle_deadline": "timestamptz",
    "absolute_deadline": "timestamptz",
    "policy_revision": "integer",
    "family": "bigint",
    "refresh_id_key": "smallint",
    "generation_bound": "bigint",
    "generation_bound_time": "timestamptz",
    "acr": "smallint",
    "auth_time": "timestamptz",
    "scope": "text",
}
_NAMES: Final = ", ".join(_TYPES)
_ONE: Final = f"INSERT INTO plain_sessions ({_NAMES}, amr) VALUES ({', '.join(['%s'] * len(_TYPES))}, '{{pwd}}')"
_MANY: Final = f"""INSERT INTO plain_sessions ({_NAMES}, amr)
    SELECT {_NAMES}, '{{pwd}}' FROM unnest({", ".join(f"%s::{kind}[]" for kind in _TYPES.values())}) AS w ({_NAMES})"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inserted:
    """What a series of inserts has shown.

    Attributes:
        rows_per_second: Durable rows.
        postgresql_us: CPU time of PostgreSQL a row.
        client_us: CPU time of the client a row.
    """

    rows_per_second: float
    postgresql_us: float
    client_us: float


class Inserts:
    """A connection that commits by itself, to a PostgreSQL that waits for its disk."""

    def __init__(self, url: str, postgresql: int) -> None:
        """Connects, and makes the table.

        Args:
            url: `postgresql://` address.
            postgresql: Process whose CPU time counts.
        """
        self._connection = psycopg.connect(url, autocommit=True)
        self._postgresql = postgresql
        self._connection.execute(_TABLE)

    def settings(self) -> dict[str, str]:
        """What makes a commit durable here."""
        return {name: self._show(name) for name in ("fsync", "synchronous_commit", "wal_sync_method")}

    def one_by_one(self, count: int) -> Inserted:
        """So many rows, each with a commit of its own."""
        rows = [_row() for _ in range(count)]
        return self._timed(count, [(_ONE, row) for row in rows])

    def together(self, count: int) -> Inserted:
        """So many rows, `LARGEST` with each commit."""
        rows = [_row() for _ in range(count)]
        batches = [rows[first : first + LARGEST] for first in range(0, count, LARGEST)]
        return self._timed(count, [(_MANY, columns(batch)) for batch in batches])

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()

    def _timed(self, count: int, statements: Sequence[tuple[LiteralString, Sequence[Any]]]) -> Inserted:
        postgresql, own, begun = -cpu_seconds(self._postgresql), -time.process_time(), time.perf_counter()
        for sql, values in statements:
            self._connection.execute(sql, values)
        took = time.perf_counter() - begun
        own += time.process_time()
        postgresql += cpu_seconds(self._postgresql)
        return Inserted(
            rows_per_second=round(count / took, 1),
            postgresql_us=round(1e6 * postgresql / count, 1),
            client_us=round(1e6 * own / count, 1),
        )

    def _show(self, name: str) -> str:
        row = self._connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
        return str(row[0]) if row else ""


def _row() -> tuple[Any, ...]:
    now = datetime.now(UTC)
    ids = [secrets.token_urlsafe(16) for _ in range(3)]
    times = (now, now, now + timedelta(hours=8), now + timedelta(hours=24))
    return ("bench", ids[0], ids[1], "backend", ids[2], "active", *times, 1, 1, 1, 1, now, 1, now, "documents.read")
