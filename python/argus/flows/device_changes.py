"""What a change of a device's trust does to the sessions on it: PostgreSQL and Redis learn of it.

The inputs and what follows from them change in one transaction; Redis follows by the outbox, at once if it can.
"""

from contextlib import suppress

from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.flows.delivery import Deliveries, post_device_rated
from argus.sessions.login_store import Login
from argus.sessions.outbox_store import Delivery, OutboxStore
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Transaction
from argus.trust.model import DeviceTrust, Key
from argus.trust.service import Trust
from argus.trust.state import DeviceState


class DeviceChanges:
    """Devices that are trusted more or less than before."""

    def __init__(
        self,
        db: Database,
        trust: Trust,
        sessions: SessionStore,
        outbox: OutboxStore,
        deliveries: Deliveries,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._trust = trust
        self._sessions = sessions
        self._outbox = outbox
        self._deliveries = deliveries
        self._now = now

    async def refused(self, login: Login, event: Event, *, origin: Origin) -> None:
        """Records a refused factor, and counts it against the device that it came from, where that is known.

        Raises:
            UnavailableError: PostgreSQL is away.
        """
        device_id = await self._device_of(login)
        if device_id is None:
            await self._db.record(origin, event, self._now())
            return
        key = (login.tenant_id, device_id)
        async with self._db.transaction(origin, now=self._now()) as tx:
            tx.record(event)
            delivery = await self._rate(tx, key, await self._trust.refused(tx, key, now=self._now()))
        await self.deliver(delivery)

    async def reported(self, tx: Transaction, key: Key, state: DeviceState) -> Delivery:
        """Takes a report of a device's state within `tx`; once that is committed, `deliver` brings it to Redis."""
        return await self._rate(tx, key, await self._trust.reported(tx, key, state=state, now=self._now()))

    async def _rate(self, tx: Transaction, key: Key, known: DeviceTrust) -> Delivery:
        """Rates the sessions on a device."""
        score = known.rating(now=self._now()).score
        await self._sessions.rate_on(tx, *key, trust=score)
        return await post_device_rated(self._outbox, tx, *key, now=self._now())

    async def deliver(self, delivery: Delivery) -> None:
        """Brings to Redis what was committed; if that can't be now, the worker does."""
        with suppress(UnavailableError):
            await self._deliveries.carry_out(delivery)
            await self._outbox.done(delivery)

    async def _device_of(self, login: Login) -> str | None:
        if not login.is_step_up:
            return login.device_id
        session = await self._sessions.get(login.tenant_id, login.user_id, login.session_id)
        return session.device_id if session else None
