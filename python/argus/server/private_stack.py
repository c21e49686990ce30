"""A whole Argus of one's own: stores in a temporary folder, free ports, a clock that moves.

For `argus smoke` and the tests. Nothing of it can be reached by a setting or an RPC.
"""

import asyncio
import base64
import secrets
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from argus.base.clock import Clock, now
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.base.settings import Settings
from argus.clients.model import ClientFields
from argus.clients.scopes import argus_scopes
from argus.server.api import Api
from argus.server.app import Argus
from argus.server.serve import Running, running
from argus.storage.embedded import EmbeddedStores, StoreUrls
from argus.storage.migrate import migrate

APPLICATION_SCOPES: Final = ("documents.read", "documents.write")
CLIENT_ID: Final = "backend"
"""The only client of a tenant that is made here."""

_ANY_PORT: Final = "127.0.0.1:0"
_RESOURCE: Final = "https://documents.example.com"


class PrivateStack:
    """A server over stores of its own."""

    def __init__(self, server: Running, settings: Settings, clock: Clock) -> None:
        self.server = server
        self.settings = settings
        self.clock = clock

    async def advance(self, by: timedelta) -> None:
        """Moves the time of the process and of the functions in Redis."""
        # What waits to be written would look as if a store had been away for that long.
        await asyncio.to_thread(self.server.argus.engine.write_activity, 2000)
        await self.server.argus.effects.flush()
        self.clock.advance(round(by.total_seconds() * 1000))
        await self.server.argus.redis.load_functions()

    async def new_tenant(
        self, *, scopes: Sequence[str] | None = None, max_asserted_acr: int = 3, is_system: bool = False
    ) -> Api:
        """A new tenant, as seen by its only client.

        Args:
            scopes: Scopes of the client; all that RPCs ask for, and some of an application, by default.
            max_asserted_acr: Highest level that the client may vouch for.
            is_system: Its clients may call what only the system tenant may.
        """
        tenant_id, secret = await make_tenant(
            self.server.argus, scopes=scopes, max_asserted_acr=max_asserted_acr, is_system=is_system
        )
        return Api(
            self.server.grpc_address,
            tenant_id=tenant_id,
            client_id=CLIENT_ID,
            client_secret=secret,
            clock=self.clock,
        )

    @asynccontextmanager
    async def fresh_tenant(self) -> AsyncIterator[Api]:
        """A new tenant for the time of the block."""
        api = await self.new_tenant()
        try:
            yield api
        finally:
            await api.close()


async def make_tenant(
    argus: Argus, *, scopes: Sequence[str] | None = None, max_asserted_acr: int = 3, is_system: bool = False
) -> tuple[str, str]:
    """Makes a tenant with one client, `CLIENT_ID`; returns its id and the client's secret.

    Args:
        argus: Where.
        scopes: Scopes of the client; all that RPCs ask for, and some of an application, by default.
        max_asserted_acr: Highest level that the client may vouch for.
        is_system: Its clients may call what only the system tenant may.
    """
    tenant_id = "t" + secrets.token_hex(8)
    origin = Origin(tenant_id=tenant_id, actor="system:private_stack", request_id=new_id())
    await argus.create_tenant(tenant_id, is_system=is_system, origin=origin)
    fields = ClientFields(
        display_name="Backend",
        scopes=tuple(scopes) if scopes is not None else (*sorted(argus_scopes()), *APPLICATION_SCOPES),
        resource=_RESOURCE,
        max_asserted_acr=max_asserted_acr,
        disabled=False,
    )
    _, secret = await argus.clients.create(tenant_id, CLIENT_ID, fields, origin=origin)
    await argus.snapshot.refresh()
    return tenant_id, secret


def private_settings(stores: StoreUrls, **changes: Any) -> Settings:
    """Settings of a private stack: free ports, and a key of its own."""
    values: dict[str, Any] = {
        "redis_url": SecretStr(stores.redis),
        "database_url": SecretStr(stores.database),
        "key_encryption_key": SecretStr(base64.b64encode(secrets.token_bytes(32)).decode()),
        "grpc_listen": _ANY_PORT,
        "http_listen": _ANY_PORT,
        "admin_listen": _ANY_PORT,
    }
    return Settings(**(values | changes))


@asynccontextmanager
async def stack_over(stores: StoreUrls, *, clock: Clock | None = None, **changes: Any) -> AsyncIterator[PrivateStack]:
    """A server over stores that run already; migrates them.

    Args:
        stores: Where they answer.
        clock: The clock of the servers that are there already: its offset is that of the functions in Redis, too.
        changes: Settings that differ.
    """
    settings = private_settings(stores, **changes)
    clock = clock or Clock()
    await asyncio.to_thread(migrate, stores.database, now=now(clock))
    async with running(settings, clock=clock) as server:
        yield PrivateStack(server, settings, clock)


@asynccontextmanager
async def private_stack(**changes: Any) -> AsyncIterator[PrivateStack]:
    """A server over stores in a temporary folder; nothing of it is left afterwards.

    Args:
        changes: Settings that differ.
    """
    with tempfile.TemporaryDirectory(prefix="argus-") as folder, EmbeddedStores(Path(folder)) as stores:
        async with stack_over(stores.urls, **changes) as stack:
            yield stack
