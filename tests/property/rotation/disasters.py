"""What becomes of the stores, and of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from argus import _core
from tests.property.rotation import checks
from tests.property.rotation.world import RECOVERY_SECONDS
from tests.support.records import BOUND, SESSION_SIZE, Record

if TYPE_CHECKING:
    from tests.property.rotation.model import Session
    from tests.property.rotation.world import World

LOSSES: Final = (
    "restart from the log",
    "restart from a snapshot",
    "restart empty",
    "FLUSHALL",
    "a record is gone",
    "a user is gone",
    "Redis away",
    "PostgreSQL away",
    "both away",
    "a forged record",
)
"""Every way in which a store fails, as it is counted."""


@dataclass(slots=True)
class Disasters:
    """Breaks the stores, and puts them right."""

    world: World
    sessions: Sequence[Session]
    snapshot: bytes | None = None
    _since: dict[str, tuple[int, int]] = field(default_factory=dict)

    def _count(self, what: str) -> None:
        self.world.counts[what] += 1
        self.world.tell(what)

    def lose(self, what: str) -> None:
        """Redis loses data, or comes back as another process; it is there before, and after."""
        world, stores = self.world, self.world.pair.stores
        self._count(what)
        if what == "FLUSHALL":
            stores.redis.flushall()
        elif what != "restart from the log":
            stores.kill_redis()
            stores.put_back(self.snapshot if what == "restart from a snapshot" else None)
            stores.start_redis(offset_ms=world.pair.clock.offset_ms)
        else:
            stores.kill_redis()
            stores.start_redis(offset_ms=world.pair.clock.offset_ms)
            return
        self._lost(self.sessions)

    def save(self) -> None:
        """Keeps what Redis holds now."""
        self.world.tell("a snapshot is kept")
        self.snapshot = self.world.pair.stores.snapshot()

    def forget_record(self, session: Session) -> None:
        """Redis loses the record of one session."""
        self._count("a record is gone")
        self.world.pair.stores.redis.delete(_core.Keyspace.session_key(session.session_id))
        self._lost([session])

    def forget_user(self, session: Session) -> None:
        """Redis loses the record of one user, and nothing else."""
        self._count("a user is gone")
        keyspace = self.world.pair.all_argus[0].keyspace
        self.world.pair.stores.redis.delete(keyspace.user_key(session.person.api.tenant_id, session.person.user_id))

    def forge(self, session: Session, *, as_living: bool) -> None:
        """Lays a record of another lineage in the place of a session's: it must decide nothing.

        Args:
            session: The session.
            as_living: It says "active and fresh"; else it says "long over, and bound".
        """
        world = self.world
        raw, now = world.raw(session), world.now
        if raw is None:
            return
        self._count("a forged record")
        known = Record.unpack(raw.value) if len(raw.value) == SESSION_SIZE else None
        generation, family = (known.generation, known.family) if known else session.highest[::-1]
        forged = Record(
            created=session.created if as_living else 1,
            idle_deadline=now + 1000 if as_living else 1,
            absolute_deadline=now + 1000 if as_living else 1,
            flags=(known.flags if known else 0) | (0 if as_living else BOUND),
            lineage=bytes(byte ^ 0xFF for byte in raw.lineage),
            family=family,
            generation=generation,
            made=known.made if known else 1,
            policy_revision=known.policy_revision if known else 1,
            refresh_id_key=known.refresh_id_key if known else 0,
        )
        world.pair.stores.redis.set(_core.Keyspace.session_key(session.session_id), forged.pack(), keepttl=True)
        self._lost([session])

    def take_redis(self) -> None:
        """Redis goes away."""
        self._count("Redis away")
        if not self.world.pair.stores.has_postgresql:
            self._count("both away")
        self.world.pair.stores.kill_redis()

    def take_postgresql(self) -> None:
        """PostgreSQL goes away."""
        self._count("PostgreSQL away")
        if not self.world.pair.stores.has_redis:
            self._count("both away")
        self.world.pair.stores.kill_postgresql()

    def bring_back(self) -> None:
        """All that is away comes back as it was."""
        self.world.tell("all comes back")
        stores = self.world.pair.stores
        if not stores.has_redis:
            stores.start_redis(offset_ms=self.world.pair.clock.offset_ms)
        if not stores.has_postgresql:
            stores.start_postgresql()
        self.world.do(self.world.pair.recover(within=RECOVERY_SECONDS))

    def look_at_bounds(self, *, is_flushed: bool) -> None:
        """Compares the bounds in PostgreSQL with what was issued, and with what Redis holds."""
        world = self.world
        rows = world.do(
            world.pair.all_argus[0].db.fetch_all(
                "SELECT session_id, family, generation_bound FROM sessions"
                " WHERE session_id = ANY(%s) AND state = 'active'",
                ([one.session_id for one in self.sessions],),
            )
        )
        by_id = {one.session_id: one for one in self.sessions}
        for row in rows:
            session = by_id[row["session_id"]]
            raw = world.raw(session)
            record = raw.record if raw else None
            generation = record.generation if record and record.family == row["family"] else None
            checks.bounds_are_true(session, row, has_record_of=generation, is_flushed=is_flushed)

    def flushed(self) -> None:
        """What the servers knew is in PostgreSQL."""
        for session in self.sessions:
            session.kept, session.is_flushed = session.used, True
        self.world.tell("flushed")

    def _lost(self, sessions: Sequence[Session]) -> None:
        """Data of these sessions are gone from Redis; what was not flushed is known to a server alone, or to nobody."""
        for session in sessions:
            session.losses += 1
            session.bounds_lost = session.bounds_lost or not session.is_flushed
            session.contested = session.contested and session.is_flushed
            session.is_unsure = session.is_unsure or session.end == "PENDING"
