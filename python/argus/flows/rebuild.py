"""Writes into Redis what PostgreSQL knows, where Redis has forgotten it or may have lost writes.

Whatever PostgreSQL says is held (its rows locked for share) until Redis has been written: an end, a contest or a
disabling can't slip in between and be overwritten by what was true before it, whatever Redis loses meanwhile.

After a loss thousands of sessions ask at once: they are rebuilt in batches, in turns, and so many a second
(`flows.batches`).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from argus.base.errors import UnavailableError
from argus.flows.activity import Effects
from argus.flows.batches import FairBatches, Settle
from argus.flows.rebuild_metrics import RebuildMetrics
from argus.flows.single_flight import SingleFlight
from argus.sessions.cover_store import CoverStore
from argus.sessions.errors import TokenInvalidError
from argus.sessions.live_store import Stamped, WriteStatus
from argus.sessions.rebuild_store import Key, KnownSessions, LiveRecords, SessionKey, UserKey
from argus.storage.postgres import Database, Transaction

_TRIES: Final = 2
_PARALLEL: Final = 4
# A row that somebody is changing for longer than this is somebody's mistake.
_LOCK_WAIT: Final = timedelta(seconds=1)
_KINDS: Final = {SessionKey: "session", UserKey: "user"}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked for.

    Attributes:
        has_newer_family: Even a current record is too old.
    """

    key: Key
    has_newer_family: bool = False

    @property
    def parts(self) -> tuple[Key, ...]:
        """What is looked at: whoever has lost a session has lost its user as well."""
        key = self.key
        return (UserKey(key.tenant_id, key.user_id), key) if isinstance(key, SessionKey) else (key,)


class Rebuild:
    """Rebuilds records of sessions and users, and `not_before`s; each at most once at a time."""

    def __init__(
        self,
        db: Database,
        known: KnownSessions,
        live: LiveRecords,
        covers: CoverStore,
        effects: Effects,
        *,
        rate: int = 2000,
    ) -> None:
        """Rebuilds nothing yet.

        Args:
            db: What is true.
            known: Reads sessions and users there.
            live: Writes their records.
            covers: Reads and writes `not_before`s.
            effects: What this process knows and PostgreSQL does not yet.
            rate: Most sessions a second.
        """
        self._db = db
        self._known = known
        self._live = live
        self._covers = covers
        self._effects = effects
        self._flights = SingleFlight(_PARALLEL)
        self.metrics = RebuildMetrics()
        self._batches: FairBatches[_Request] = FairBatches(self._rebuild, self.metrics, parallel=_PARALLEL, rate=rate)
        self.metrics.watch(lambda: self._batches.waiting)

    async def session(self, tenant_id: str, user_id: str, session_id: str, *, has_newer_family: bool = False) -> None:
        """Makes the record of a session current, that of its user, and the index of that user's sessions.

        Args:
            tenant_id: Tenant.
            user_id: User.
            session_id: Session.
            has_newer_family: A token says that even a current record is of an older family.

        Raises:
            TokenInvalidError: The user has no such session.
            UnavailableError: A store is away, Redis changes faster than it can be written, or there is too much to do.
        """
        request = _Request(SessionKey(tenant_id, user_id, session_id), has_newer_family)
        await self._batches.do(request, group=UserKey(tenant_id, user_id))

    async def user(self, tenant_id: str, user_id: str) -> None:
        """Makes the record of a user and the index of its sessions current.

        Raises:
            TokenInvalidError: There was never such a user.
            UnavailableError: A store is away, Redis changes faster than it can be written, or there is too much to do.
        """
        key = UserKey(tenant_id, user_id)
        await self._batches.do(_Request(key), group=key)

    async def not_before(self, tenant_id: str, client_id: str) -> None:
        """Makes the `not_before` of a tenant and of one of its clients current.

        Raises:
            UnavailableError: A store is away, or Redis changes faster than it can be written.
        """
        subjects = [(tenant_id, ""), (tenant_id, client_id)] if client_id else [(tenant_id, "")]
        await self._flights.run(("not_before", tenant_id, client_id), lambda: self._not_before(subjects))

    async def _rebuild(self, requests: Sequence[_Request], settle: Settle[_Request]) -> None:
        # What this process knows and PostgreSQL does not: else a long-replaced token could come back.
        await self._effects.flush()
        stale, locked = await self._attempt(requests, settle, waits=False)
        for _ in range(_TRIES - 1):
            if stale:
                stale, more = await self._attempt(stale, settle, waits=False)
                locked += more
        for request in locked:
            # Each on its own: one slow change must not hold the others up.
            try:
                still_stale, _ = await self._attempt([request], settle, waits=True)
            except UnavailableError as error:
                settle(request, error)
            else:
                stale += still_stale
        for request in stale:
            settle(request, UnavailableError("redis"))

    async def _attempt(
        self, requests: Sequence[_Request], settle: Settle[_Request], *, waits: bool
    ) -> tuple[list[_Request], list[_Request]]:
        """Rebuilds what is not current; answers those whose node has changed, and those that somebody is changing."""
        stamps = await self._live.read(list(dict.fromkeys(part for request in requests for part in request.parts)))
        outdated = {request.key for request in requests if request.has_newer_family}
        wanted = [part for part, stamp in stamps.items() if part in outdated or not stamp.is_current]
        statuses: dict[Key, WriteStatus] = {}
        existing: set[Key] = set()
        if wanted:
            async with self._db.holding(wait=_LOCK_WAIT) as tx:
                statuses = await self._bring(tx, wanted, stamps, waits=waits)
                if not waits and len(statuses) < len(wanted):
                    existing = await self._known.existing(tx, set(wanted) - statuses.keys())
        for part, status in statuses.items():
            self.metrics.count(_KINDS[type(part)], status.name.lower())
        unknown = set(wanted) - statuses.keys() - existing
        stale: list[_Request] = []
        locked: list[_Request] = []
        for request in requests:
            if not unknown.isdisjoint(request.parts):
                self.metrics.count(_KINDS[type(request.key)], "unknown")
                settle(request, TokenInvalidError())
            elif not existing.isdisjoint(request.parts):
                locked.append(request)
            elif any(statuses.get(part) is WriteStatus.STALE for part in request.parts):
                stale.append(request)
            else:
                settle(request, None)
        return stale, locked

    async def _bring(
        self, tx: Transaction, wanted: Collection[Key], stamps: dict[Key, Stamped], *, waits: bool
    ) -> dict[Key, WriteStatus]:
        """Reads one state of users and sessions, and writes it; what could not be read is missing in the answer."""
        user_keys = [key for key in wanted if isinstance(key, UserKey)]
        session_keys = [key for key in wanted if isinstance(key, SessionKey)]
        # Users first, as in every transaction that locks both.
        users = await self._known.users(tx, user_keys, waits=waits) if user_keys else {}
        sessions = await self._known.sessions(tx, session_keys, waits=waits) if session_keys else {}
        indexes = await self._known.indexes(tx, users.keys()) if users else {}
        return await self._live.write(stamps, sessions, users, indexes)

    async def _not_before(self, subjects: Sequence[tuple[str, str]]) -> None:
        for _ in range(_TRIES):
            stamps = await self._covers.read(subjects)
            wanted = {subject: stamp.lineage for subject, stamp in stamps.items() if not stamp.is_current}
            if not wanted:
                return
            async with self._db.holding() as tx:
                truth = await self._covers.truth(tx, list(wanted))
                written = await self._covers.write({key: (truth.get(key), wanted[key]) for key in wanted})
            for is_written in written:
                self.metrics.count("not_before", "written" if is_written else "stale")
            if all(written):
                return
        raise UnavailableError("redis")
