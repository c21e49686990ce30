"""Carries on what a request could not finish: rows of the outbox, and ends made while PostgreSQL was away."""

from typing import Final

import structlog

from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.flows.delivery import Deliveries, NotYetError
from argus.flows.offline_ends import OfflineEnds
from argus.sessions.outbox_store import OutboxStore
from argus.storage.postgres import Database

_BATCH: Final = 100
_log = structlog.get_logger(__name__)


class Outbox:
    """The worker of the outbox; any number of processes run one."""

    def __init__(
        self, db: Database, store: OutboxStore, deliveries: Deliveries, offline: OfflineEnds, *, now: Now
    ) -> None:
        self._db = db
        self._store = store
        self._deliveries = deliveries
        self._offline = offline
        self._now = now

    async def run_due(self) -> int:
        """Carries out all that is due; says how much was finished.

        Raises:
            UnavailableError: A store is away; what is left stays due.
        """
        done = await self._offline.carry_out()
        while True:
            seen, finished = await self._batch()
            done += finished
            if seen < _BATCH:
                return done

    async def _batch(self) -> tuple[int, int]:
        now, finished = self._now(), 0
        away: UnavailableError | None = None
        async with self._db.transaction() as tx:
            due = await self._store.due(tx, now=now, size=_BATCH)
            for delivery in due:
                try:
                    await self._deliveries.carry_out(delivery)
                except UnavailableError as error:
                    # The others would only wait for the same store. All stay due: they go on as soon as it is back.
                    away = error
                    break
                except NotYetError:
                    await self._store.postpone(tx, delivery, now=now)
                except Exception:  # noqa: BLE001  # whatever is wrong with it
                    # One that can't be carried out must not hold the others up for ever.
                    _log.exception("outbox.failed", kind=delivery.kind, outbox_id=delivery.outbox_id)
                    await self._store.postpone(tx, delivery, now=now)
                else:
                    await self._store.done(delivery, tx)
                    finished += 1
        if away is not None:
            raise away
        return len(due), finished
