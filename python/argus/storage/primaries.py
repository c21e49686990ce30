"""Which Redis node counts, as PostgreSQL has it: one row a shard, which all processes go by."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from argus.storage.postgres import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Primary:
    """The node that counts.

    Attributes:
        lineage: Its lineage.
        is_serving: No process can be using the node before it any more.
    """

    lineage: bytes
    is_serving: bool


class Replaced(Enum):
    """What came of an attempt to replace a node."""

    DONE = auto()
    """The new one is registered, and waits."""
    LATE = auto()
    """Another process has been faster, with whatever node."""
    FENCED = auto()
    """The new one was itself replaced before: whoever still has its lineage never counts again."""


class Primaries:
    """Rows of the tables `primaries` and `superseded_primaries`."""

    def __init__(self, db: Database, shard: str) -> None:
        self._db = db
        self._shard = shard

    async def current(self) -> Primary | None:
        """The node that counts now; None: there never was one.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        row = await self._db.fetch_one("SELECT lineage, is_serving FROM primaries WHERE shard = %s", (self._shard,))
        return Primary(lineage=bytes(row["lineage"]), is_serving=row["is_serving"]) if row else None

    async def begin(self, lineage: bytes, *, now: datetime) -> None:
        """Registers the first node of the shard, which serves at once: nobody can be using another one.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._db.transaction() as tx:
            await tx.execute(
                """INSERT INTO primaries (shard, lineage, is_serving, register_time) VALUES (%s, %s, true, %s)
                   ON CONFLICT (shard) DO NOTHING""",
                (self._shard, lineage, now),
            )

    async def replace(self, old: bytes, lineage: bytes, *, now: datetime) -> Replaced:
        """Registers a node in the place of another one, which never counts again; it does not serve yet.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._db.transaction() as tx:
            # Locked first: a lineage can't be superseded between the look at the other table and the change.
            row = await tx.fetch_one("SELECT lineage FROM primaries WHERE shard = %s FOR UPDATE", (self._shard,))
            if row is None or bytes(row["lineage"]) != old:
                return Replaced.LATE
            found = await tx.fetch_one(
                "SELECT 1 FROM superseded_primaries WHERE shard = %s AND lineage = %s", (self._shard, lineage)
            )
            if found is not None:
                return Replaced.FENCED
            await tx.execute("INSERT INTO superseded_primaries VALUES (%s, %s, %s)", (self._shard, old, now))
            await tx.execute(
                "UPDATE primaries SET lineage = %s, is_serving = false, register_time = %s WHERE shard = %s",
                (lineage, now, self._shard),
            )
        return Replaced.DONE

    async def serve(self, lineage: bytes) -> None:
        """Lets a node serve whose time of waiting is over, unless it was replaced meanwhile.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._db.transaction() as tx:
            await tx.execute(
                "UPDATE primaries SET is_serving = true WHERE shard = %s AND lineage = %s", (self._shard, lineage)
            )
