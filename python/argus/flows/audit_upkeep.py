"""Deletes audit events, and cuts the addresses in them, after as long as a tenant's policy says."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from argus.audit.service import Audit
from argus.base.clock import Now
from argus.base.origin import Origin
from argus.policies.service import Policies

_BATCH: Final = 2000
# A round that has come so far leaves the rest to the next one, so that no tenant waits for another for long.
_BATCHES: Final = 50
_SYSTEM: Final = "system:audit-upkeep"

Step: TypeAlias = Callable[[datetime, int, Origin], Awaitable[int]]
"""Does something to so many events that are older; says to how many."""


class AuditUpkeep:
    """Keeps the audit table as long as is asked for, and personal data in it no longer."""

    def __init__(self, audit: Audit, policies: Policies, *, now: Now) -> None:
        self._audit = audit
        self._policies = policies
        self._now = now

    async def purge(self) -> int:
        """Deletes events that are older than their tenant keeps them; says how many.

        Raises:
            UnavailableError: PostgreSQL is away; what is deleted is deleted.
        """
        return await self._everywhere("audit_retention", self._audit.delete_before)

    async def cut_addresses(self) -> int:
        """Cuts addresses to /24 (IPv4) or /48 (IPv6) where their tenant wants them whole no longer; says how many.

        Raises:
            UnavailableError: PostgreSQL is away; what is cut is cut.
        """
        return await self._everywhere("audit_ip_retention", self._audit.cut_addresses_before)

    async def _everywhere(self, field: str, step: Step) -> int:
        """Does a step to what is older than a field of each tenant's policy says; 0 there: to nothing."""
        done = 0
        for tenant_id in await self._policies.tenants_that_may_set(field):
            kept: timedelta = getattr((await self._policies.effective(tenant_id, "")).policy, field)
            if kept:
                done += await self._in_batches(tenant_id, self._now() - kept, step)
        return done

    async def _in_batches(self, tenant_id: str, before: datetime, step: Step) -> int:
        origin = Origin(tenant_id=tenant_id, actor=_SYSTEM, request_id="")
        done = 0
        for _ in range(_BATCHES):
            count = await step(before, _BATCH, origin)
            done += count
            if count < _BATCH:
                break
        return done
