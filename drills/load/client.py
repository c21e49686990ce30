"""Calls of the servers, with what a careful service sets for its channels."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from argus.server.api import Failure, Stubs
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from drills.field.parts import until
from drills.field.world import DEADLINE_SECONDS, World
from drills.load.answers import Answer, Kind, kind_of

# A little more than the server's own limit, so that whatever the server has to say arrives; less than the grace, so
# that a lost answer is asked for again in time.
_TIMEOUT_SECONDS: Final = DEADLINE_SECONDS + 0.4
_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # Channels to one address would share a connection otherwise, and its fate, over two runs.
    ("grpc.use_local_subchannel_pool", 1),
)
_USER_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class Client:
    """A service that knows all servers."""

    def __init__(self, world: World) -> None:
        """Connects at the first call.

        Args:
            world: Whose servers.
        """
        self._world = world
        self._channels = [grpc.aio.insecure_channel(address, options=_OPTIONS) for address in world.addresses]
        self._stubs = [Stubs(channel) for channel in self._channels]
        self._metadata: tuple[tuple[str, str], ...] = ()

    @property
    def servers(self) -> int:
        """How many there are."""
        return len(self._stubs)

    async def authenticate(self) -> None:
        """Gets a client token, good for longer than a run."""
        caller = self._world.caller
        request = tokens.IssueClientTokenRequest(
            parent=f"tenants/{caller.tenant_id}", client_id=caller.client_id, client_secret=caller.secret
        )

        async def got() -> bool:
            answer = await self._ask("IssueClientToken", 0, lambda stubs: stubs.tokens.IssueClientToken, request)
            if answer.kind is Kind.OK:
                self._metadata = (("authorization", f"Bearer {answer.response.tokens.access_token}"),)
            return answer.kind is Kind.OK

        await until("a client token", got)

    async def refresh(self, server: int, token: str, attempt_id: str, proof: types.Proof | None = None) -> Answer:
        """RefreshToken."""
        request = tokens.RefreshTokenRequest(
            refresh_token=token,
            attempt_id=attempt_id,
            proof=proof,
            client_context=types.ClientContext(user_agent=_USER_AGENT),
        )
        return await self._ask("RefreshToken", server, lambda stubs: stubs.tokens.RefreshToken, request)

    async def verify(
        self, server: int, token: str, proof: types.Proof | None = None, *, strong: bool = False
    ) -> Answer:
        """VerifyAccessToken."""
        request = tokens.VerifyAccessTokenRequest(
            access_token=token,
            proof=proof,
            consistency=types.CONSISTENCY_STRONG if strong else types.CONSISTENCY_BOUNDED,
        )
        return await self._ask("VerifyAccessToken", server, lambda stubs: stubs.tokens.VerifyAccessToken, request)

    async def terminate(self, server: int, session: str) -> Answer:
        """TerminateSession."""
        request = sessions.TerminateSessionRequest(name=session)
        return await self._ask("TerminateSession", server, lambda stubs: stubs.sessions.TerminateSession, request)

    async def create_user(self, server: int, identifier: str) -> Answer:
        """CreateUser."""
        one = users.Identifier(kind=users.IDENTIFIER_KIND_USERNAME, value=identifier)
        request = users.CreateUserRequest(
            parent=f"tenants/{self._world.caller.tenant_id}", user=users.User(identifiers=[one])
        )
        return await self._ask("CreateUser", server, lambda stubs: stubs.users.CreateUser, request)

    async def create_session(self, server: int, user: str, proof: types.Proof | None = None) -> Answer:
        """CreateSession, bound to the key of a proof."""
        request = sessions.CreateSessionRequest(
            parent=user,
            proof=proof,
            scope="documents.read",
            client_context=types.ClientContext(user_agent=_USER_AGENT),
        )
        return await self._ask("CreateSession", server, lambda stubs: stubs.sessions.CreateSession, request)

    async def close(self) -> None:
        """Closes the connections."""
        for channel in self._channels:
            await channel.close()

    async def _ask(self, method: str, server: int, pick: Callable[[Stubs], Any], request: object) -> Answer:
        began = time.monotonic()
        calling: Awaitable[Any] = pick(self._stubs[server])(request, timeout=_TIMEOUT_SECONDS, metadata=self._metadata)
        kind, response, failure = Kind.OK, None, None
        try:
            response = await calling
        except grpc.aio.AioRpcError as error:
            failure = Failure.of(error)
            kind = kind_of(failure)
        return Answer(
            kind=kind,
            method=method,
            server=server,
            began=began,
            ended=time.monotonic(),
            response=response,
            failure=failure,
        )
