"""The beginning of tenants, with their keys, and the end of all their sessions."""

from datetime import datetime, timedelta

from argus.base import ids
from argus.base.clock import Now
from argus.base.origin import Origin
from argus.clients.service import Clients
from argus.flows.terminate import Terminate
from argus.flows.termination import Terminations, TerminationState
from argus.storage.postgres import Database, Transaction
from argus.tenants.model import Tenant, TenantFields, check_fields
from argus.tenants.service import Tenants
from argus.tokens.service import SigningKeys


class CreateTenant:
    """Creates tenants that can issue tokens at once."""

    def __init__(
        self, db: Database, tenants: Tenants, clients: Clients, signing_keys: SigningKeys, *, rsa_bits: int, now: Now
    ) -> None:
        """Creates tenants.

        Args:
            db: Where they are kept.
            tenants: The tenants.
            clients: Their clients; each tenant begins with the built-in one.
            signing_keys: Their keys.
            rsa_bits: Size of the RSA keys of tenants that say none.
            now: The time.
        """
        self._rsa_bits = rsa_bits
        self._db = db
        self._tenants = tenants
        self._clients = clients
        self._signing_keys = signing_keys
        self._now = now

    async def __call__(
        self,
        tenant_id: str,
        *,
        display_name: str = "",
        is_system: bool = False,
        rsa_bits: int = 0,
        key_rotation_period: timedelta | None = None,
        origin: Origin,
    ) -> Tenant:
        """Creates a tenant and its keys.

        Raises:
            TenantExistsError: The id is taken.
            InvalidFieldError: A field can't be so.
            RequestAlreadyDoneError: The request was carried out before.
        """
        fields = TenantFields(
            display_name=display_name, rsa_bits=rsa_bits or self._rsa_bits, key_rotation_period=key_rotation_period
        )
        check_fields(fields)
        ring = await self._signing_keys.generate_ring(rsa_bits=fields.rsa_bits)
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(ids.tenant_name(tenant_id))
            tenant = await self._tenants.create(tx, tenant_id, fields, is_system=is_system)
            await self._signing_keys.create_ring(tx, tenant_id, ring)
            await self._clients.create_account(tx, tenant_id)
        return tenant


class TenantLifecycle:
    """Ends what a tenant's users began."""

    def __init__(self, tenants: Tenants, terminate: Terminate) -> None:
        self._tenants = tenants
        self._terminate = terminate

    async def ends_state(self, tenant_id: str) -> TerminationState:
        """How far the ends of an earlier request have come."""
        return await self._terminate.reached(tenant_id)

    async def terminate_sessions(
        self, tenant_id: str, *, comment: str = "", origin: Origin
    ) -> tuple[datetime | None, Terminations]:
        """Ends all sessions and client tokens of a tenant; the instant up to which they were begun.

        Raises:
            TenantNotFoundError: There is no such tenant.
            RequestAlreadyDoneError: The request was carried out before.
        """
        not_before: list[datetime | None] = []

        async def look(tx: Transaction) -> None:
            not_before.append((await self._tenants.get(tenant_id, reader=tx)).not_before)

        ends = await self._terminate.tenant(
            tenant_id, comment=comment, origin=origin, also=look, claim=ids.tenant_name(tenant_id)
        )
        return not_before[0], ends
