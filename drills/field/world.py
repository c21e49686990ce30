"""Everything that a drill needs: three servers of Argus, their stores, and the network between all of them."""

import asyncio
import base64
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from argus.base.clock import Clock
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.base.settings import Settings
from argus.clients.model import ClientFields
from argus.clients.scopes import argus_scopes
from argus.server.app import open_argus
from argus.storage.migrate import migrate
from drills.field.argus import ArgusServer
from drills.field.network import Network
from drills.field.parts import LOOPBACK, Part
from drills.field.postgresql import Postgresql
from drills.field.redis import RedisNode

SERVERS: Final = 3
GRACE_SECONDS: Final = 2.0
DEADLINE_SECONDS: Final = 1.0
TENANT: Final = "drills"
CLIENT: Final = "backend"
RESOURCE: Final = "https://documents.example.com"
_LONGEST_REDIS_SECONDS: Final = 0.2
_LONGEST_DATABASE_SECONDS: Final = 0.2
_SCOPE: Final = "documents.read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The service that the clients of a drill call Argus as."""

    tenant_id: str
    client_id: str
    secret: str


class World:
    """The parts, and how they are connected."""

    def __init__(self, folder: Path, toxiproxy: Path | None) -> None:
        """Describes it; `world` starts it.

        Args:
            folder: Where everything goes.
            toxiproxy: Program of the network; None: everything is connected directly.
        """
        self.folder = folder
        self.network = Network(folder, toxiproxy) if toxiproxy else None
        self.postgresql = Postgresql(folder)
        password = secrets.token_urlsafe(24)
        self.redis = RedisNode("redis", folder, password)
        self.replica = RedisNode("replica", folder, password)
        self.password = password
        self.servers: list[ArgusServer] = []
        self.addresses: list[str] = []
        self.caller = Caller(tenant_id=TENANT, client_id=CLIENT, secret="")

    @property
    def parts(self) -> list[Part]:
        """All processes, the ones that others need first."""
        return [*([self.network] if self.network else []), self.redis, self.replica, self.postgresql, *self.servers]

    async def start(self) -> None:
        """Starts everything, and makes a tenant with a client."""
        if self.network:
            self.network.launch()
            await self.network.answering()
        await self.postgresql.create()
        await self.start_redis()
        await asyncio.to_thread(migrate, self.postgresql.url(), now=datetime.now(UTC))
        settings = await self._make_tenant()
        for number in range(1, SERVERS + 1):
            await self._add_server(number, settings)
        for server in self.servers:
            server.launch()
        for server in self.servers:
            await server.answering()

    async def start_redis(self) -> None:
        """Starts Redis; a replica is started by the drills that want one."""
        self.redis.launch()
        await self.redis.answering()
        await self.connect("redis-replica", self.redis.port)

    async def redis_url(self, number: int) -> str:
        """Where a server reaches Redis: through its own link."""
        return self.redis.url(await self.connect(f"argus-{number}-redis", self.redis.port))

    async def stop(self) -> None:
        """Stops and deletes everything."""
        for part in reversed(self.parts):
            part.stop()
        for part in self.parts:
            await part.close()
        self.postgresql.delete()

    async def point_to(self, node: RedisNode) -> None:
        """Makes a node the Redis of all servers: what an operator does who takes a replica into service."""
        if node is not self.redis:
            self.redis, self.replica = node, self.redis
        for number in range(1, SERVERS + 1):
            await self.plugged.lead_to(f"argus-{number}-redis", node.port)

    @property
    def plugged(self) -> Network:
        """The network, for drills that need one."""
        if self.network is None:
            raise RuntimeError("this drill needs toxiproxy")
        return self.network

    async def connect(self, name: str, port: int) -> int:
        """Makes a link, if there is a network; returns the port to connect to."""
        return await self.network.connect(name, port) if self.network else port

    async def _add_server(self, number: int, settings: dict[str, str]) -> None:
        database = await self.connect(f"argus-{number}-postgresql", self.postgresql.port)
        server = ArgusServer(
            number,
            self.folder,
            settings
            | {
                "redis_url": await self.redis_url(number),
                "database_url": self.postgresql.url(database),
            },
        )
        self.servers.append(server)
        self.addresses.append(f"{LOOPBACK}:{await self.connect(f'client-argus-{number}', server.grpc_port)}")

    async def _make_tenant(self) -> dict[str, str]:
        """A tenant with one client; returns what all servers have in common."""
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        settings = Settings(
            redis_url=SecretStr(self.redis.url()),
            database_url=SecretStr(self.postgresql.url()),
            key_encryption_key=SecretStr(key),
        )
        origin = Origin(tenant_id=TENANT, actor="system:drills", request_id=new_id())
        fields = ClientFields(
            display_name="Backend", scopes=(*sorted(argus_scopes()), _SCOPE), resource=RESOURCE, max_asserted_acr=1
        )
        async with open_argus(settings, clock=Clock()) as argus:
            await argus.create_tenant(TENANT, is_system=False, origin=origin)
            _, secret = await argus.clients.create(TENANT, CLIENT, fields, origin=origin)
        self.caller = Caller(tenant_id=TENANT, client_id=CLIENT, secret=secret)
        return self.settings(key)

    def settings(self, key: str) -> dict[str, str]:
        """What all servers have in common.

        Args:
            key: The key-encryption key.
        """
        return {
            "key_encryption_key": key,
            # Small, so that sessions rotate often; the least that a policy may say.
            "request_deadline": f"{DEADLINE_SECONDS:g}s",
            "policy.grace": f"{GRACE_SECONDS:g}s",
            "policy.session_limit": "1000",
            # As with the defaults, a call that waits in vain for both stores is answered within the deadline.
            "redis_timeout": f"{_LONGEST_REDIS_SECONDS * 1000:g}ms",
            "database_timeout": f"{_LONGEST_DATABASE_SECONDS * 1000:g}ms",
        }


@asynccontextmanager
async def opened(kind: Callable[[Path, Path | None], World], toxiproxy: Path | None) -> AsyncIterator[World]:
    """A world for the time of the block.

    Args:
        kind: Which: `World`, or one under Sentinel.
        toxiproxy: Program of the network; None: everything is connected directly.
    """
    folder = Path(tempfile.mkdtemp(prefix="argus-drills-"))
    made = kind(folder, toxiproxy)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
        shutil.rmtree(folder, ignore_errors=True)
