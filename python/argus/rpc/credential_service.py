"""Serves `argus.v1.CredentialService`."""

from contextlib import suppress
from typing import Any

import grpc

from argus.base.errors import RequestAlreadyDoneError
from argus.credentials.model import CredentialUserNotFoundError
from argus.credentials.service import Passwords
from argus.flows.user_lifecycle import UserLifecycle
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.rpc.converters import credential_message, termination_state
from argus.users.service import Users
from argus.v1 import credential_service_pb2 as pb
from argus.v1 import credential_service_pb2_grpc, types_pb2

Context = grpc.aio.ServicerContext[Any, Any]


class CredentialServicer(credential_service_pb2_grpc.CredentialServiceServicer):
    """Serves `argus.v1.CredentialService`."""

    def __init__(self, users: Users, passwords: Passwords, lifecycle: UserLifecycle) -> None:
        self._users = users
        self._passwords = passwords
        self._lifecycle = lifecycle

    async def SetPassword(self, request: pb.SetPasswordRequest, context: Context) -> pb.SetPasswordResponse:
        """Sets a user's password."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        try:
            credential, ends = await self._lifecycle.set_password(
                tenant_id,
                user_id,
                request.password,
                terminate_sessions=request.terminate_sessions,
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError:
            found = await self._passwords.find(tenant_id, user_id)
            if found is None:
                raise CredentialUserNotFoundError(user_id) from None
            credential, ends = found, None
        state = types_pb2.TERMINATION_STATE_UNSPECIFIED
        if request.terminate_sessions:
            reached = ends.state if ends else await self._lifecycle.ends_state(tenant_id, user_id)
            state = termination_state(reached)
        return pb.SetPasswordResponse(credential=credential_message(credential), sessions_state=state)

    async def ListCredentials(self, request: pb.ListCredentialsRequest, context: Context) -> pb.ListCredentialsResponse:
        """Lists a user's credentials, without their secrets."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        size = validate.page_size(request.page_size)
        await self._users.get(tenant_id, user_id)
        credentials, following = await self._passwords.list(
            tenant_id, user_id, page_size=size, page_token=request.page_token
        )
        return pb.ListCredentialsResponse(
            credentials=[credential_message(one) for one in credentials], next_page_token=following
        )

    async def DeleteCredential(
        self, request: pb.DeleteCredentialRequest, context: Context
    ) -> pb.DeleteCredentialResponse:
        """Deletes a credential."""
        tenant_id, user_id, credential_id = validate.credential(request.name, "name")
        with suppress(RequestAlreadyDoneError):  # then it is gone, as was asked
            await self._passwords.delete(tenant_id, user_id, credential_id, origin=origin_of(request))
        return pb.DeleteCredentialResponse()
