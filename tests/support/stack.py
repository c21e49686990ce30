"""A whole Argus for tests, with helpers that make tenants quickly."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from argus.server.api import Api
from argus.server.app import Argus
from argus.server.private_stack import PrivateStack
from argus.server.serve import Running
from tests.support.own_stores import until
from tests.support.wire import Wire
from tests.support.world import World, make_world

# Refused calls are recorded, too.
# What is written beside what a call is about, and taken away again by workers.
_JOURNALS = (
    "audit_events",
    "policy_changes",
    "policy_simulation_users",
    "mails",
    "account_requests",
    "deliveries",
    "delivery_attempts",
)


class Stack:
    """One server for all tests; what keeps them apart is a tenant of their own."""

    def __init__(self, private: PrivateStack) -> None:
        self.private = private
        self.wire = Wire(private.server.grpc_address)
        self._apis: dict[str, Api] = {}

    @property
    def server(self) -> Running:
        """The server."""
        return self.private.server

    @property
    def argus(self) -> Argus:
        """What it is made of."""
        return self.private.server.argus

    async def advance(self, by: timedelta) -> None:
        """Moves the time of everything."""
        await self.private.advance(by)

    async def new_tenant(self, *, scopes: Sequence[str] | None = None) -> Api:
        """A new tenant, as seen by its only client.

        Args:
            scopes: Scopes of the client; all that RPCs ask for, and some of an application, by default.
        """
        api = await self.private.new_tenant(scopes=scopes)
        self._apis[api.parent] = api
        return api

    async def new_world(self) -> World:
        """A new tenant with one of everything."""
        return await make_world(await self.new_tenant())

    def api_of(self, world: World) -> Api:
        """The client with every scope of a world's tenant."""
        return self._apis[world.tenant]

    @asynccontextmanager
    async def nothing_written(self, tenant: str) -> AsyncIterator[None]:
        """Holds that the block adds and takes no row of a tenant, and makes no other tenant.

        Other tenants are left out: loops work on what other tests have left to them.

        Args:
            tenant: Its name, `tenants/...`.
        """
        await until(lambda: self._is_delivered(tenant))
        before = await self._row_counts(tenant)
        yield
        written = {name: rows - before[name] for name, rows in (await self._row_counts(tenant)).items()}
        assert not any(written.values()), {name: rows for name, rows in written.items() if rows}

    async def _row_counts(self, tenant: str) -> dict[str, int]:
        """Rows by table: those of the tenant, but all of `tenants` and none of the journals."""
        tables = await self.argus.db.fetch_all(
            "SELECT DISTINCT table_name AS name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name = 'tenant_id'"
        )
        names = sorted(row["name"] for row in tables if not row["name"].startswith(_JOURNALS))
        of_tenant = "tenant_id = %(tenant)s"
        counting = " UNION ALL ".join(
            f"SELECT '{name}' AS name, count(*) AS rows FROM {name} WHERE {of_tenant if name != 'tenants' else 'true'}"
            for name in names
        )
        counted = await self.argus.db.fetch_all(counting, {"tenant": tenant.removeprefix("tenants/")})
        return {row["name"]: row["rows"] for row in counted}

    async def _is_delivered(self, tenant: str) -> bool:
        """Whether the loops have delivered what the tenant's outbox held."""
        name = tenant.removeprefix("tenants/")
        return await self.argus.db.fetch_one("SELECT FROM outbox WHERE tenant_id = %s LIMIT 1", (name,)) is None

    async def close(self) -> None:
        """Closes all channels."""
        await self.wire.close()
        for api in self._apis.values():
            await api.close()
