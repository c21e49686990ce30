"""Serves `argus.v1.CredentialService`."""

from contextlib import suppress
from typing import Any, Final

import grpc

from argus.base.errors import RequestAlreadyDoneError
from argus.credentials.model import CredentialUserNotFoundError
from argus.credentials.recovery_codes.service import RecoveryCodes
from argus.credentials.service import Passwords
from argus.credentials.totp.model import qr_svg
from argus.flows.factor_changes import FactorChanges
from argus.flows.user_lifecycle import UserLifecycle
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.rpc.converters import credential_message, termination_state
from argus.rpc.passkeys import PasskeyRpcs
from argus.users.model import MAX_DISPLAY_NAME
from argus.users.service import Users
from argus.v1 import credential_service_pb2 as pb
from argus.v1 import credential_service_pb2_grpc, types_pb2

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_ID: Final = 64
_MAX_CODE: Final = 32


class CredentialServicer(credential_service_pb2_grpc.CredentialServiceServicer):
    """Serves `argus.v1.CredentialService`."""

    def __init__(
        self,
        users: Users,
        passwords: Passwords,
        recovery_codes: RecoveryCodes,
        changes: FactorChanges,
        lifecycle: UserLifecycle,
        passkeys: PasskeyRpcs,
    ) -> None:
        self._users = users
        self._passwords = passwords
        self._recovery_codes = recovery_codes
        self._changes = changes
        self._lifecycle = lifecycle
        self._passkeys = passkeys

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
        left = await self._recovery_codes.left(tenant_id, user_id)
        return pb.ListCredentialsResponse(
            credentials=[credential_message(one, recovery_codes_left=left) for one in credentials],
            next_page_token=following,
        )

    async def DeleteCredential(
        self, request: pb.DeleteCredentialRequest, context: Context
    ) -> pb.DeleteCredentialResponse:
        """Deletes a credential."""
        tenant_id, user_id, credential_id = validate.credential(request.name, "name")
        with suppress(RequestAlreadyDoneError):  # then it is gone, as was asked
            await self._passwords.delete(tenant_id, user_id, credential_id, origin=origin_of(request))
        return pb.DeleteCredentialResponse()

    async def StartTotpEnrolment(
        self, request: pb.StartTotpEnrolmentRequest, context: Context
    ) -> pb.StartTotpEnrolmentResponse:
        """Makes a secret for an authenticator app."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        name = validate.text(request.display_name, "display_name", MAX_DISPLAY_NAME)
        pending = await self._changes.begin_totp(tenant_id, user_id, display_name=name)
        return pb.StartTotpEnrolmentResponse(
            enrolment_id=pending.enrolment_id,
            secret=pending.secret,
            uri=pending.uri,
            qr_svg=qr_svg(pending.uri),
            expire_time=validate.to_timestamp(pending.expire_time),
        )

    async def ConfirmTotpEnrolment(
        self, request: pb.ConfirmTotpEnrolmentRequest, context: Context
    ) -> pb.ConfirmTotpEnrolmentResponse:
        """Enrols an authenticator app."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        enrolment_id = validate.text(request.enrolment_id, "enrolment_id", _MAX_ID, required=True)
        code = validate.text(request.code, "code", _MAX_CODE, required=True)
        credential = await self._changes.confirm_totp(tenant_id, user_id, enrolment_id, code, origin=origin_of(request))
        return pb.ConfirmTotpEnrolmentResponse(credential=credential_message(credential))

    async def ReplaceRecoveryCodes(
        self, request: pb.ReplaceRecoveryCodesRequest, context: Context
    ) -> pb.ReplaceRecoveryCodesResponse:
        """Makes new recovery codes."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        credential, codes = await self._changes.replace_recovery_codes(tenant_id, user_id, origin=origin_of(request))
        return pb.ReplaceRecoveryCodesResponse(
            credential=credential_message(credential, recovery_codes_left=len(codes)), codes=codes
        )

    async def StartPasskeyEnrolment(
        self, request: pb.StartPasskeyEnrolmentRequest, context: Context
    ) -> pb.StartPasskeyEnrolmentResponse:
        """Makes creation options for a passkey."""
        return await self._passkeys.start(request)

    async def ConfirmPasskeyEnrolment(
        self, request: pb.ConfirmPasskeyEnrolmentRequest, context: Context
    ) -> pb.ConfirmPasskeyEnrolmentResponse:
        """Registers a passkey."""
        return await self._passkeys.confirm(request)

    async def ListPasskeys(self, request: pb.ListPasskeysRequest, context: Context) -> pb.ListPasskeysResponse:
        """Lists a user's passkeys."""
        return await self._passkeys.list(request)

    async def UpdatePasskey(self, request: pb.UpdatePasskeyRequest, context: Context) -> pb.UpdatePasskeyResponse:
        """Renames a passkey."""
        return await self._passkeys.update(request)

    async def GetPasskeySignals(
        self, request: pb.GetPasskeySignalsRequest, context: Context
    ) -> pb.GetPasskeySignalsResponse:
        """Reads what browsers are to tell authenticators."""
        return await self._passkeys.signals(request)

    async def GetPasskeyRules(self, request: pb.GetPasskeyRulesRequest, context: Context) -> pb.GetPasskeyRulesResponse:
        """Reads a tenant's rules for passkeys."""
        return await self._passkeys.rules(request)

    async def UpdatePasskeyRules(
        self, request: pb.UpdatePasskeyRulesRequest, context: Context
    ) -> pb.UpdatePasskeyRulesResponse:
        """Changes a tenant's rules for passkeys."""
        return await self._passkeys.update_rules(request)
