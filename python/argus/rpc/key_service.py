"""Serves `argus.v1.KeyService`."""

from contextlib import suppress
from typing import Any, Final

import grpc

from argus.base import ids
from argus.base.errors import RequestAlreadyDoneError, UnavailableError
from argus.flows.snapshot import Snapshot
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.rpc.converters import key_message, key_use
from argus.tokens.service import SigningKeys
from argus.v1 import key_service_pb2 as pb
from argus.v1 import key_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_COMMENT: Final = 200


class KeyServicer(key_service_pb2_grpc.KeyServiceServicer):
    """Serves `argus.v1.KeyService`."""

    def __init__(self, signing_keys: SigningKeys, snapshot: Snapshot) -> None:
        self._signing_keys = signing_keys
        self._snapshot = snapshot

    async def ListKeys(self, request: pb.ListKeysRequest, context: Context) -> pb.ListKeysResponse:
        """Lists a tenant's keys, newest first."""
        tenant_id = validate.tenant(request.parent, "parent")
        size = validate.page_size(request.page_size)
        keys, following = await self._signing_keys.list(tenant_id, page_size=size, page_token=request.page_token)
        return pb.ListKeysResponse(keys=[key_message(one) for one in keys], next_page_token=following)

    async def RotateKey(self, request: pb.RotateKeyRequest, context: Context) -> pb.RotateKeyResponse:
        """Makes a new key the active one of its use."""
        tenant_id = validate.tenant(request.parent, "parent")
        use = key_use(request.use, "use")
        try:
            key = await self._signing_keys.rotate(tenant_id, use, request.immediate, origin_of(request))
        except RequestAlreadyDoneError as done:
            _, kid = ids.parse_name("key", done.name) or ("", "")
            key = await self._signing_keys.get(tenant_id, kid)
        await self._follow()
        return pb.RotateKeyResponse(key=key_message(key))

    async def RevokeKey(self, request: pb.RevokeKeyRequest, context: Context) -> pb.RevokeKeyResponse:
        """Pulls a key in an emergency."""
        tenant_id, kid = validate.key(request.name, "name")
        comment = validate.text(request.comment, "comment", _MAX_COMMENT)
        try:
            key = await self._signing_keys.revoke(tenant_id, kid, origin_of(request), comment=comment)
        except RequestAlreadyDoneError:
            key = await self._signing_keys.get(tenant_id, kid)
        await self._follow()
        return pb.RevokeKeyResponse(key=key_message(key))

    async def _follow(self) -> None:
        """This process signs by the new state before it answers; the others follow within a second."""
        # It stands in PostgreSQL whatever this process can read of it now.
        with suppress(UnavailableError):
            await self._snapshot.refresh()
