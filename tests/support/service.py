"""A service that uses the SDK, beside a whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc

from argus.sdk.channel import open_channel
from argus.sdk.clock import elapsed
from argus.sdk.fetch import Fetcher
from argus.sdk.jwks import RemoteKeySet
from argus.sdk.offline.revocations import NO_NEWS, Standing
from argus.sdk.offline.verifier import OfflineVerifier
from argus.sdk.tokens.client import ClientTokens
from argus.server.api import Api
from tests.support.stack import Stack


@dataclass(slots=True, kw_only=True)
class SteppedClock:
    """`elapsed`, and more where a test says so."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> float:
        return elapsed() + self.ahead.total_seconds()


class Service:
    """A service of one tenant, as its only client."""

    def __init__(self, stack: Stack, api: Api) -> None:
        self.stack = stack
        self.api = api
        self.clock = SteppedClock()
        self.issuer = f"{stack.argus.settings.base_url}/t/{api.tenant_id}"
        self._bare = open_channel(api.address)
        self.tokens = self.client_tokens()
        self.channel = self.connect()

    def client_tokens(self, **changes: Any) -> ClientTokens:
        """The service's own tokens."""
        arguments: dict[str, Any] = {
            "tenant_id": self.api.tenant_id,
            "client_id": self.api.client_id,
            "client_secret": self.api._secret,
            "now": self.clock,
        }
        return ClientTokens(self._bare, **(arguments | changes))

    def connect(self, address: str = "") -> grpc.aio.Channel:
        """A channel of its own to Argus, or to what stands before it, with the service's token on its calls."""
        return open_channel(address or self.api.address, tokens=self.tokens)

    def verifier(self, standing: Standing = NO_NEWS, **changes: Any) -> OfflineVerifier:
        """Verifies by itself, at the server's time of day."""
        url = f"{self.stack.server.http_url}/t/{self.api.tenant_id}/.well-known/jwks.json"
        arguments: dict[str, Any] = {
            "issuer": self.issuer,
            "audience": "https://documents.example.com",
            "keys": RemoteKeySet(url, fetcher=Fetcher(allow_loopback=True)),
            "standing": standing,
            "now": lambda: self.stack.private.clock.now_ms() / 1000,
        }
        return OfflineVerifier(**(arguments | changes))

    async def close(self) -> None:
        """Closes its channels."""
        await self.tokens.close()
        await self.channel.close()
        await self._bare.close()


@asynccontextmanager
async def new_service(stack: Stack) -> AsyncIterator[Service]:
    """A service of a new tenant."""
    service = Service(stack, await stack.new_tenant())
    try:
        yield service
    finally:
        await service.close()
