"""Makes good what a PostgreSQL that came back from a backup has forgotten: nobody ended stays alive."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from argus.base.clock import Now
from argus.base.errors import InvalidFieldError, UnavailableError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.flows.delivery import COVER, FORGET, Deliveries
from argus.flows.termination import TerminationState
from argus.sessions.model import EndReason, epoch_seconds, whole_second
from argus.sessions.outbox_store import OutboxStore
from argus.sessions.restore_store import RestoreStore, TenantSessions
from argus.storage.postgres import Database
from argus.tenants.model import TenantNotFoundError
from argus.tenants.service import Tenants

COMMENT: Final = "argus recover --after-restore"
"""What the audit says of the ends."""


class Recover:
    """Ends whatever began before a moment, in one tenant or in all."""

    def __init__(
        self,
        db: Database,
        tenants: Tenants,
        outbox: OutboxStore,
        deliveries: Deliveries,
        restore: RestoreStore,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._tenants = tenants
        self._outbox = outbox
        self._deliveries = deliveries
        self._restore = restore
        self._now = now

    def moment(self, at: datetime | None = None) -> datetime:
        """The moment up to which sessions end: `at`, else now.

        Raises:
            InvalidFieldError: It is still to come.
        """
        now = self._now()
        if at is not None and at > now:
            raise InvalidFieldError("at", "must not lie in the future")
        return whole_second(at or now)

    async def survey(self, tenant_id: str = "") -> Sequence[TenantSessions]:
        """What there is to be ended, by tenant.

        Raises:
            TenantNotFoundError: There is no such tenant.
            UnavailableError: PostgreSQL is away.
        """
        found = await self._restore.survey(tenant_id)
        if tenant_id and not found:
            raise TenantNotFoundError(tenant_id)
        return found

    async def tenant(self, tenant_id: str, *, until: datetime, origin: Origin) -> TerminationState:
        """Ends all sessions and client tokens of a tenant that began up to `until`; doing it again changes nothing.

        Redis forgets the tenant's users, too: it may hold sessions, limits and disablings that PostgreSQL no longer
        knows of.

        Returns:
            PENDING while Redis is away: a server goes on with it.

        Raises:
            TenantNotFoundError: There is no such tenant.
            UnavailableError: PostgreSQL is away.
        """
        now = self._now()
        payload: dict[str, Any] = {"client_id": "", "until": epoch_seconds(until), "at": until.timestamp()}
        payload |= {"reason": EndReason.TENANT_WIDE.name, "actor": origin.actor, "request_id": origin.request_id}
        async with self._db.transaction(origin, now=now) as tx:
            before = (await self._tenants.get(tenant_id, reader=tx)).not_before
            await self._tenants.set_not_before(tx, tenant_id, until)
            if before is None or before < until:
                data = {"comment": COMMENT, "until": until.isoformat()}
                tx.record(Event(type="tenant.recovered", reason=EndReason.TENANT_WIDE.name, data=data))
            await self._outbox.post(tx, tenant_id, COVER, "", payload, now=now)
            forget = await self._outbox.post(tx, tenant_id, FORGET, "", {}, now=now)
        try:
            await self._deliveries.cover(tenant_id, "")
            await self._deliveries.carry_out(forget)
        except UnavailableError:
            return TerminationState.PENDING
        # The other row stays: a worker ends the covered rows of PostgreSQL by it.
        await self._outbox.done(forget)
        return TerminationState.ENDED
