"""A whole Argus for tests, with helpers that make tenants quickly."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from argus.server.api import Api
from argus.server.app import Argus
from argus.server.private_stack import PrivateStack
from argus.server.serve import Running
from tests.support.wire import Wire
from tests.support.world import World, make_world

# Refused calls are recorded, too.
_JOURNAL = "audit_events"


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

    async def row_counts(self) -> dict[str, int]:
        """Rows of every table but the journals."""
        tables = await self.argus.db.fetch_all(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind IN ('r', 'p') AND nspname = 'public'"
        )
        names = sorted(row["relname"] for row in tables if not row["relname"].startswith(_JOURNAL))
        counting = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS rows FROM {name}" for name in names)
        counted = await self.argus.db.fetch_all(counting)
        return {row["name"]: row["rows"] for row in counted}

    @asynccontextmanager
    async def nothing_written(self) -> AsyncIterator[None]:
        """Holds that the block adds and takes no row."""
        before = await self.row_counts()
        yield
        assert await self.row_counts() == before

    async def close(self) -> None:
        """Closes all channels."""
        await self.wire.close()
        for api in self._apis.values():
            await api.close()
