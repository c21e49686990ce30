"""Keeps the `not_before`s of tenants and clients in Redis, so that calls go on should PostgreSQL be away."""

from typing import Final

import structlog

from argus.sessions.cover_store import CoverStore, Subject
from argus.storage.postgres import Database

MOST: Final = 10_000
"""Most of them that are kept there; those of further clients come with their first use."""

_SIZE: Final = 500
_log = structlog.get_logger(__name__)


class Covers:
    """All `not_before`s, or the most that one process should hold in its hands."""

    def __init__(self, db: Database, store: CoverStore) -> None:
        self._db = db
        self._store = store
        self._witness: Subject | None = None

    async def keep(self) -> int:
        """Writes all of them where Redis has lost one that it had; says how many.

        Raises:
            UnavailableError: A store is away.
        """
        # Rounds may meet: another one may change it meanwhile.
        witness = self._witness
        if witness is not None and (await self._store.read([witness]))[witness].is_current:
            return 0
        async with self._db.transaction() as tx:
            subjects = await self._store.subjects(tx, MOST)
        written = 0
        for first in range(0, len(subjects), _SIZE):
            written += await self._write(subjects[first : first + _SIZE])
        self._witness = subjects[0] if subjects else None
        if written:
            _log.info("covers.written", count=written)
        return written

    async def _write(self, subjects: list[Subject]) -> int:
        stamps = await self._store.read(subjects)
        wanted = {subject: stamp.lineage for subject, stamp in stamps.items() if not stamp.is_current}
        if not wanted:
            return 0
        async with self._db.holding() as tx:
            truth = await self._store.truth(tx, list(wanted))
            values = {subject: (truth[subject], wanted[subject]) for subject in wanted if subject in truth}
            return sum(await self._store.write(values))
