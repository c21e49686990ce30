"""Serves what of `argus.v1.TokenService` the engine does not answer alone."""

from typing import Any, Final

import grpc

from argus.flows.client_token import ClientTokens
from argus.flows.revoke import ANY_CLIENT_SCOPE, RevokeToken
from argus.rpc import validate
from argus.rpc.context import current_caller, origin_of
from argus.v1 import token_service_pb2 as pb
from argus.v1 import token_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_SECRET: Final = 128


class TokenServicer(token_service_pb2_grpc.TokenServiceServicer):
    """Serves `argus.v1.TokenService`; the hot RPCs go to `flows.hot.HotCalls` as bytes."""

    def __init__(self, revoke_token: RevokeToken, client_tokens: ClientTokens) -> None:
        self._revoke_token = revoke_token
        self._client_tokens = client_tokens

    async def RevokeToken(self, request: pb.RevokeTokenRequest, context: Context) -> pb.RevokeTokenResponse:
        """Ends the session of a token."""
        caller = current_caller()
        await self._revoke_token.revoke(
            validate.presented_token(request.token, "token"),
            caller_id=caller.client_id,
            may_any=ANY_CLIENT_SCOPE in caller.scopes,
            origin=origin_of(request),
        )
        return pb.RevokeTokenResponse()

    async def IssueClientToken(
        self, request: pb.IssueClientTokenRequest, context: Context
    ) -> pb.IssueClientTokenResponse:
        """Gives a service its client token."""
        tenant_id = validate.tenant(request.parent, "parent")
        client_id = validate.slug(request.client_id, "client_id")
        tokens = await self._client_tokens.issue(
            tenant_id,
            client_id,
            validate.text(request.client_secret, "client_secret", _MAX_SECRET, required=True),
            scopes=validate.scope(request.scope, "scope"),
            resource=validate.resource(request.resource, "resource"),
            peer=current_caller().peer or None,
            origin=origin_of(request, tenant_id=tenant_id),
        )
        return pb.IssueClientTokenResponse(tokens=tokens)
