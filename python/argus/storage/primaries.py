"""Which Redis node counts, as PostgreSQL has it: one row a shard, which all processes go by."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from argus.storage.postgres import Database
from argus.storage.redis import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Primary:
    """The node that counts.

    Attributes:
        node: Which one it is.
        term: Rises with every process of Redis that becomes the primary.
        is_serving: Nobody can be using the one before it any more.
    """

    node: Node
    term: int
    is_serving: bool


class Replaced(Enum):
    """What came of an attempt to replace a node."""

    DONE = auto()
    """The new one is registered."""
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
        row = await self._db.fetch_one(
            "SELECT lineage, run_id, term, is_serving FROM primaries WHERE shard = %s", (self._shard,)
        )
        if row is None:
            return None
        node = Node(lineage=bytes(row["lineage"]), run_id=row["run_id"])
        return Primary(node=node, term=row["term"], is_serving=row["is_serving"])

    async def begin(self, node: Node, *, now: datetime) -> None:
        """Registers the first node of the shard, which serves at once: nobody can be using another one.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._db.transaction() as tx:
            await tx.execute(
                """INSERT INTO primaries (shard, lineage, run_id, term, is_serving, register_time)
                   VALUES (%s, %s, %s, 1, true, %s) ON CONFLICT (shard) DO NOTHING""",
                (self._shard, node.lineage, node.run_id, now),
            )

    async def replace(self, old: Node, new: Node, *, now: datetime) -> Replaced:
        """Registers a node in the place of another one, whose lineage never counts again.

        Another process of Redis begins a new term and has to wait before it serves. The same process under another
        lineage (its first replica has come) goes on: what it was before, nobody can speak to any more.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._db.transaction() as tx:
            # Locked first: a lineage can't be superseded between the look at the other table and the change.
            row = await tx.fetch_one("SELECT lineage FROM primaries WHERE shard = %s FOR UPDATE", (self._shard,))
            if row is None or bytes(row["lineage"]) != old.lineage:
                return Replaced.LATE
            found = await tx.fetch_one(
                "SELECT 1 FROM superseded_primaries WHERE shard = %s AND lineage = %s", (self._shard, new.lineage)
            )
            if found is not None:
                return Replaced.FENCED
            await tx.execute("INSERT INTO superseded_primaries VALUES (%s, %s, %s)", (self._shard, old.lineage, now))
            goes_on = new.run_id == old.run_id
            await tx.execute(
                """UPDATE primaries
                      SET lineage = %s, run_id = %s, term = term + %s, is_serving = is_serving AND %s,
                          register_time = %s
                    WHERE shard = %s""",
                (new.lineage, new.run_id, 0 if goes_on else 1, goes_on, now, self._shard),
            )
        return Replaced.DONE

    async def serve(self, term: int) -> None:
        """Lets the process of a term serve, whose time of waiting is over; nothing if another term has begun.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        async with self._db.transaction() as tx:
            await tx.execute(
                "UPDATE primaries SET is_serving = true WHERE shard = %s AND term = %s", (self._shard, term)
            )
