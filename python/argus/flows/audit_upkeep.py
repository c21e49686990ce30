"""Deletes audit events, and cuts the addresses in them, after as long as a tenant's policy says."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from argus.audit.service import Audit
from argus.base.clock import Now
from argus.base.origin import Origin
from argus.policies.service import Policies

_BATCH: Final = 2000
# A round that has come so far leaves the rest to the next one, so that no tenant waits for another for long.
_BATCHES: Final = 50
_SYSTEM: Final = "system:audit-upkeep"


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
        purged = 0
        for tenant_id in await self._policies.tenants_that_may_set("audit_retention"):
            retention = (await self._policies.effective(tenant_id, "")).policy.audit_retention
            if retention:
                purged += await self._in_batches(tenant_id, self._now() - retention, self._audit.delete_before)
        return purged

    async def cut_addresses(self) -> int:
        """Cuts addresses to /24 (IPv4) or /48 (IPv6) where their tenant wants them whole no longer; says how many.

        Raises:
            UnavailableError: PostgreSQL is away; what is cut is cut.
        """
        cut = 0
        for tenant_id in await self._policies.tenants_that_may_set("audit_ip_retention"):
            retention = (await self._policies.effective(tenant_id, "")).policy.audit_ip_retention
            if retention:
                cut += await self._in_batches(tenant_id, self._now() - retention, self._audit.cut_addresses_before)
        return cut

    async def _in_batches(
        self, tenant_id: str, before: datetime, step: Callable[[datetime, int, Origin], Awaitable[int]]
    ) -> int:
        origin = Origin(tenant_id=tenant_id, actor=_SYSTEM, request_id="")
        done = 0
        for _ in range(_BATCHES):
            count = await step(before, _BATCH, origin)
            done += count
            if count < _BATCH:
                break
        return done
