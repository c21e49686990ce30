"""Serves `argus.v1.ClientService`."""

from typing import Any, Final

import grpc

from argus.base.errors import InvalidFieldError, RequestAlreadyDoneError
from argus.clients.model import ClientFields
from argus.clients.service import Clients
from argus.flows.client_lifecycle import ClientLifecycle
from argus.rpc import validate
from argus.rpc.context import current_caller, origin_of
from argus.rpc.converters import ACR_PREFIX, client_message, termination_state
from argus.v1 import client_service_pb2 as pb
from argus.v1 import client_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_COMMENT: Final = 200
_CHANGEABLE: Final = frozenset({"display_name", "scopes", "resource", "max_asserted_acr", "disabled"})
_LEVELS: Final = {"": 1, **{f"{ACR_PREFIX}{level}": level for level in (1, 2, 3)}}


class ClientServicer(client_service_pb2_grpc.ClientServiceServicer):
    """Serves `argus.v1.ClientService`."""

    def __init__(self, clients: Clients, lifecycle: ClientLifecycle) -> None:
        self._clients = clients
        self._lifecycle = lifecycle

    async def CreateClient(self, request: pb.CreateClientRequest, context: Context) -> pb.CreateClientResponse:
        """Creates a client; a repeat is told that it was done, for the secret is in the first answer only."""
        tenant_id = validate.tenant(request.parent, "parent")
        client_id = validate.slug(request.client_id, "client_id")
        client, secret = await self._clients.create(
            tenant_id,
            client_id,
            _fields(request.client),
            grantable=current_caller().scopes,
            ceiling=await self._ceiling(),
            origin=origin_of(request),
        )
        return pb.CreateClientResponse(
            client=client_message(client), client_secret="" if request.validate_only else secret
        )

    async def _ceiling(self) -> int:
        caller = current_caller()
        return (await self._clients.get(caller.tenant_id, caller.client_id)).max_asserted_acr

    async def GetClient(self, request: pb.GetClientRequest, context: Context) -> pb.GetClientResponse:
        """Reads a client."""
        tenant_id, client_id = validate.client(request.name, "name")
        return pb.GetClientResponse(client=client_message(await self._clients.get(tenant_id, client_id)))

    async def ListClients(self, request: pb.ListClientsRequest, context: Context) -> pb.ListClientsResponse:
        """Lists the clients of a tenant by id."""
        tenant_id = validate.tenant(request.parent, "parent")
        size = validate.page_size(request.page_size)
        clients, following = await self._clients.list(tenant_id, page_size=size, page_token=request.page_token)
        return pb.ListClientsResponse(clients=[client_message(one) for one in clients], next_page_token=following)

    async def UpdateClient(self, request: pb.UpdateClientRequest, context: Context) -> pb.UpdateClientResponse:
        """Changes a client."""
        tenant_id, client_id = validate.client(request.client.name, "client.name")
        paths = validate.mask(request.update_mask, _CHANGEABLE)
        try:
            client = await self._clients.update(
                tenant_id,
                client_id,
                _fields(request.client),
                paths=paths,
                etag=request.client.etag,
                grantable=current_caller().scopes,
                ceiling=await self._ceiling(),
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError:
            client = await self._clients.get(tenant_id, client_id)
        return pb.UpdateClientResponse(client=client_message(client))

    async def DeleteClient(self, request: pb.DeleteClientRequest, context: Context) -> pb.DeleteClientResponse:
        """Deletes a client; its tokens and sessions end."""
        tenant_id, client_id = validate.client(request.name, "name")
        try:
            state = (await self._lifecycle.delete(tenant_id, client_id, origin=origin_of(request))).state
        except RequestAlreadyDoneError:  # then it is gone, as was asked
            state = await self._lifecycle.ends_state(tenant_id, client_id)
        return pb.DeleteClientResponse(sessions_state=termination_state(state))

    async def RotateClientSecret(
        self, request: pb.RotateClientSecretRequest, context: Context
    ) -> pb.RotateClientSecretResponse:
        """Gives a client a new secret; a repeat is told that it was done."""
        tenant_id, client_id = validate.client(request.name, "name")
        secret = await self._clients.rotate_secret(
            tenant_id,
            client_id,
            grantable=current_caller().scopes,
            ceiling=await self._ceiling(),
            origin=origin_of(request),
        )
        return pb.RotateClientSecretResponse(client_secret="" if request.validate_only else secret)

    async def TerminateClientSessions(
        self, request: pb.TerminateClientSessionsRequest, context: Context
    ) -> pb.TerminateClientSessionsResponse:
        """Ends all sessions and client tokens of a client."""
        tenant_id, client_id = validate.client(request.name, "name")
        comment = validate.text(request.comment, "comment", _MAX_COMMENT)
        try:
            not_before, ends = await self._lifecycle.terminate_sessions(
                tenant_id, client_id, comment=comment, origin=origin_of(request)
            )
            state = ends.state
        except RequestAlreadyDoneError:
            state = await self._lifecycle.ends_state(tenant_id, client_id)
            not_before = (await self._clients.get(tenant_id, client_id)).not_before
        return pb.TerminateClientSessionsResponse(
            not_before_time=validate.to_timestamp(not_before), sessions_state=termination_state(state)
        )


def _fields(client: pb.Client) -> ClientFields:
    if client.max_asserted_acr not in _LEVELS:
        raise InvalidFieldError("client.max_asserted_acr", f"must be {ACR_PREFIX}1, :2 or :3")
    return ClientFields(
        display_name=client.display_name,
        scopes=tuple(client.scopes),
        resource=client.resource,
        max_asserted_acr=_LEVELS[client.max_asserted_acr],
        disabled=client.disabled,
    )
