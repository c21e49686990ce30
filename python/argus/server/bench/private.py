"""An Argus of the benchmark's own: stores in a temporary folder, and the server in a process of its own."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

from argus._core import SessionRecord
from argus.base.clock import Clock, now
from argus.server.api import Api
from argus.server.app import open_argus
from argus.server.bench.runs import Calls, Pace, run
from argus.server.private_stack import CLIENT_ID, make_tenant, private_settings
from argus.server.served import Served
from argus.sessions.live_store import LiveSessions
from argus.storage.embedded import EmbeddedStores, StoreUrls
from argus.storage.migrate import migrate
from argus.v1.user_service_pb2 import CreateUserRequest, CreateUserResponse, Identifier, IdentifierKind, User

RefreshAlgorithm = Literal["EdDSA", "RS256"]
"""What signs refresh tokens."""

_CREATE_USER: Final = "/argus.v1.UserService/CreateUser"
_SETUP_IN_FLIGHT: Final = 16


class PrivateArgus:
    """A tenant of a server of the benchmark's own. A `Contender`."""

    def __init__(self, api: Api, live: LiveSessions, processes: Mapping[str, int], urls: StoreUrls) -> None:
        """Calls a server as the tenant's client.

        Args:
            api: The client.
            live: The records in the server's Redis.
            processes: The server's process and those of its stores.
            urls: Where the stores answer.
        """
        self.urls = urls
        self.api = api
        self._live = live
        self._processes = processes

    @property
    def address(self) -> str:
        """Host and port."""
        return self.api.address

    @property
    def processes(self) -> Mapping[str, int]:
        """The server, Redis, PostgreSQL."""
        return self._processes

    async def authorization(self) -> str:
        """A client token that is good for a while yet."""
        return f"Bearer {await self.api.token()}"

    async def users(self, count: int) -> list[str]:
        """New users of the tenant."""
        requests = [CreateUserRequest(parent=self.api.parent, user=_new_user()) for _ in range(count)]
        calls = Calls(
            address=self.address,
            method=_CREATE_USER,
            authorization=await self.authorization(),
            requests=[request.SerializeToString() for request in requests],
            count=count,
        )
        _, answers = await run(calls, Pace(in_flight=_SETUP_IN_FLIGHT), {}, tick=lambda _: None)
        return [CreateUserResponse.FromString(answer).user.name for answer in answers]

    async def generations(self, session_ids: Sequence[str]) -> list[int]:
        """By the records in Redis."""
        values = [(await self._live.session(session_id)).value for session_id in session_ids]
        return [SessionRecord.from_bytes(value).generation for value in values]


def _new_user() -> User:
    email = f"u{secrets.token_hex(8)}@example.com"
    return User(identifiers=[Identifier(kind=IdentifierKind.IDENTIFIER_KIND_EMAIL, value=email)])


@asynccontextmanager
async def private_argus(*refresh: RefreshAlgorithm, **changes: Any) -> AsyncIterator[list[PrivateArgus]]:
    """One server with a tenant for each algorithm of refresh tokens, all with RSA-2048 keys for access tokens.

    To be entered from the main thread, with which the server ends.

    Args:
        refresh: What signs the refresh tokens of each tenant.
        changes: Settings of the server that differ, as they stand in `argus.toml`.
    """
    async with private_servers(refresh, {"": changes}) as servers:
        yield servers[""]


@asynccontextmanager
async def private_servers(
    refresh: Sequence[RefreshAlgorithm], ways: Mapping[str, Mapping[str, Any]]
) -> AsyncIterator[dict[str, list[PrivateArgus]]]:
    """Servers over the same stores, each with settings of its own; the tenants as each of them serves them.

    To be entered from the main thread, with which the servers end.

    Args:
        refresh: What signs the refresh tokens of each tenant.
        ways: By a name, which settings of a server differ, as they stand in `argus.toml`.
    """
    clock = Clock()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="argus-")))
        stores = stack.enter_context(EmbeddedStores(folder / "stores"))
        await asyncio.to_thread(migrate, stores.urls.database, now=now(clock))
        settings = private_settings(stores.urls)
        made: list[tuple[str, str]] = []
        for algorithm in refresh:
            changed = settings.model_copy(update={"refresh_token_alg": algorithm})
            async with open_argus(changed, clock=clock) as argus:
                made.append(await make_tenant(argus))
        argus = await stack.enter_async_context(open_argus(settings, clock=clock))
        live = LiveSessions(argus.redis, argus.keyspace, now=lambda: now(clock))
        servers: dict[str, list[PrivateArgus]] = {}
        for number, (name, changes) in enumerate(ways.items()):
            served = stack.enter_context(Served(settings, folder / f"server{number}", **changes).running())
            pids = {"server": served.pid, "redis": stores.valkey.pid, "postgresql": stores.postgresql.pid}
            servers[name] = []
            for tenant_id, secret in made:
                address = served.grpc_address
                api = Api(address, tenant_id=tenant_id, client_id=CLIENT_ID, client_secret=secret, clock=clock)
                stack.push_async_callback(api.close)
                servers[name].append(PrivateArgus(api, live, pids, stores.urls))
        yield servers
