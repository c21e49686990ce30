"""A service's own token, by its id and secret (RFC 6749, section 4.4): what it calls Argus with, or other services."""

from collections.abc import Callable
from typing import Any, Final

import grpc

from argus.sdk.clock import elapsed
from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.renewal import Grant, RenewingToken, TransientError
from argus.v1 import token_service_pb2
from argus.v1.token_service_pb2_grpc import TokenServiceStub

__all__ = ["ClientTokens"]

_DEADLINE: Final = 10.0


class ClientTokens:
    """Client tokens, as a `TokenSource`. Belongs to the event loop that it is first used in.

    A refusal does not end it: a secret that is changed, or a client that is enabled again, is taken with the next
    attempt.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        tenant_id: str,
        client_id: str,
        client_secret: str | Callable[[], str],
        scope: str = "",
        resource: str = "",
        now: Callable[[], float] = elapsed,
    ) -> None:
        """Asks for nothing yet.

        Args:
            channel: To Argus; needs no token on its calls.
            tenant_id: Tenant of the client.
            client_id: Id of the client.
            client_secret: Its secret, or what reads it anew each time.
            scope: Space-separated scopes; empty: all that the client has.
            resource: What the token is for; empty: Argus itself.
            now: Seconds by a clock that nothing moves or stops.
        """
        self._stub: Any = TokenServiceStub(channel)
        self._tenant_id = tenant_id
        self._client_id = client_id
        self._secret = client_secret
        self._scope = scope
        self._resource = resource
        self._token = RenewingToken(self._issue, now=now)

    async def token(self) -> str:
        """A client token that is good for a moment yet.

        Raises:
            RenewalUnavailableError: None is to be had now.
        """
        return await self._token.token()

    def refused(self, token: str) -> None:
        """Says that a server did not take the token."""
        self._token.refused(token)

    async def close(self) -> None:
        """Gives no further token."""
        await self._token.close()

    async def _issue(self) -> Grant:
        secret = self._secret if isinstance(self._secret, str) else self._secret()
        request = token_service_pb2.IssueClientTokenRequest(
            parent=f"tenants/{self._tenant_id}",
            client_id=self._client_id,
            client_secret=secret,
            scope=self._scope,
            resource=self._resource,
        )
        try:
            answer = await self._stub.IssueClientToken(request, timeout=_DEADLINE)
        except grpc.RpcError as error:
            told = Told.by(error)
            raise TransientError(f"{told.code.name} {told.reason}".rstrip(), retry_after=told.retry_after) from error
        tokens = answer.tokens
        return Grant(access_token=tokens.access_token, expires_in=tokens.expires_in.ToTimedelta())
