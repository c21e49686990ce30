"""The part of `argus.v1.SelfService` that is about credentials."""

from typing import Final

from argus.base.errors import RequestAlreadyDoneError
from argus.credentials.model import CredentialUserNotFoundError
from argus.credentials.passkeys.model import MAX_PASSKEY_NAME
from argus.credentials.totp.model import qr_svg
from argus.credentials.webauthn.model import MAX_RESPONSE
from argus.flows.self.oneself import Oneself
from argus.flows.self.own_credentials import OwnCredentials
from argus.flows.termination import Terminations
from argus.rpc import validate
from argus.rpc.converters import credential_message, termination_state
from argus.rpc.oneself import Recognition
from argus.rpc.passkeys import passkey_message
from argus.v1 import credential_service_pb2, types_pb2
from argus.v1 import self_service_pb2 as pb

_MAX_CODE: Final = 32
_MAX_NAME: Final = 100


class OwnCredentialRpcs:
    """The RPCs about credentials."""

    def __init__(self, credentials: OwnCredentials, recognize: Recognition) -> None:
        self._credentials = credentials
        self._recognize = recognize

    async def list(self, request: pb.ListOwnCredentialsRequest) -> pb.ListOwnCredentialsResponse:
        """Lists what the user proves itself with."""
        oneself, _ = await self._recognize(request)
        found, following = await self._credentials.page(
            oneself, size=validate.page_size(request.page_size), page_token=request.page_token
        )
        left = await self._credentials.recovery_codes_left(oneself)
        shown = [credential_message(one, recovery_codes_left=left) for one in found]
        return pb.ListOwnCredentialsResponse(credentials=shown, next_page_token=following)

    async def change_password(self, request: pb.ChangeOwnPasswordRequest) -> pb.ChangeOwnPasswordResponse:
        """Changes the user's password."""
        oneself, origin = await self._recognize(request)
        try:
            credential, ended = await self._credentials.change_password(
                oneself, request.password, keep_others=request.keep_other_sessions, origin=origin
            )
        except RequestAlreadyDoneError:
            found = await self._credentials.password(oneself)
            if found is None:
                raise CredentialUserNotFoundError(oneself.user_id) from None
            credential, ended = found, await self._ended_before(oneself, keep_others=request.keep_other_sessions)
        return pb.ChangeOwnPasswordResponse(
            credential=credential_message(credential), ended_count=_count(ended), sessions_state=_state(ended)
        )

    async def update(self, request: pb.UpdateOwnCredentialRequest) -> pb.UpdateOwnCredentialResponse:
        """Renames a credential."""
        name = validate.own_credential(request.name, "name")
        display_name = validate.text(request.display_name, "display_name", _MAX_NAME)
        oneself, origin = await self._recognize(request)
        try:
            credential = await self._credentials.rename(oneself, name, display_name, origin=origin)
        except RequestAlreadyDoneError:
            credential = await self._credentials.get(oneself, name)
        left = await self._credentials.recovery_codes_left(oneself)
        return pb.UpdateOwnCredentialResponse(credential=credential_message(credential, recovery_codes_left=left))

    async def delete(self, request: pb.DeleteOwnCredentialRequest) -> pb.DeleteOwnCredentialResponse:
        """Deletes a credential."""
        name = validate.own_credential(request.name, "name")
        oneself, origin = await self._recognize(request)
        try:
            ended = await self._credentials.delete(
                oneself, name, keep_others=request.keep_other_sessions, origin=origin
            )
        except RequestAlreadyDoneError:  # then it is gone, as was asked
            ended = await self._ended_before(oneself, keep_others=request.keep_other_sessions)
        return pb.DeleteOwnCredentialResponse(ended_count=_count(ended), sessions_state=_state(ended))

    async def start_totp(self, request: pb.StartOwnTotpEnrolmentRequest) -> pb.StartOwnTotpEnrolmentResponse:
        """Makes a secret for an authenticator app."""
        name = validate.text(request.display_name, "display_name", _MAX_NAME)
        oneself, _ = await self._recognize(request)
        pending = await self._credentials.begin_totp(oneself, display_name=name)
        return pb.StartOwnTotpEnrolmentResponse(
            enrolment_id=pending.enrolment_id,
            secret=pending.secret,
            uri=pending.uri,
            qr_svg=qr_svg(pending.uri),
            expire_time=validate.to_timestamp(pending.expire_time),
        )

    async def confirm_totp(self, request: pb.ConfirmOwnTotpEnrolmentRequest) -> pb.ConfirmOwnTotpEnrolmentResponse:
        """Enrols an authenticator app."""
        enrolment_id = validate.own_id(request.enrolment_id, "enrolment_id")
        code = validate.text(request.code, "code", _MAX_CODE, required=True)
        oneself, origin = await self._recognize(request)
        credential, ended = await self._credentials.confirm_totp(
            oneself, enrolment_id, code, keep_others=request.keep_other_sessions, origin=origin
        )
        return pb.ConfirmOwnTotpEnrolmentResponse(
            credential=credential_message(credential), ended_count=_count(ended), sessions_state=_state(ended)
        )

    async def replace_recovery_codes(
        self, request: pb.ReplaceOwnRecoveryCodesRequest
    ) -> pb.ReplaceOwnRecoveryCodesResponse:
        """Makes new recovery codes."""
        oneself, origin = await self._recognize(request)
        credential, codes = await self._credentials.replace_recovery_codes(oneself, origin=origin)
        message = credential_message(credential, recovery_codes_left=len(codes))
        return pb.ReplaceOwnRecoveryCodesResponse(credential=message, codes=codes)

    async def start_passkey(self, request: pb.StartOwnPasskeyEnrolmentRequest) -> pb.StartOwnPasskeyEnrolmentResponse:
        """Makes creation options for a passkey."""
        is_second = request.use == credential_service_pb2.PASSKEY_USE_SECOND_FACTOR
        oneself, _ = await self._recognize(request)
        begun = await self._credentials.begin_passkey(
            oneself, use="second_factor" if is_second else "sign_in", is_conditional=request.conditional
        )
        return pb.StartOwnPasskeyEnrolmentResponse(
            options_json=begun.options_json,
            enrolment_id=begun.enrolment_id,
            expire_time=validate.to_timestamp(begun.expire_time),
        )

    async def confirm_passkey(
        self, request: pb.ConfirmOwnPasskeyEnrolmentRequest
    ) -> pb.ConfirmOwnPasskeyEnrolmentResponse:
        """Registers a passkey."""
        enrolment_id = validate.own_id(request.enrolment_id, "enrolment_id")
        response_json = validate.text(request.response_json, "response_json", MAX_RESPONSE, required=True)
        display_name = validate.text(request.display_name, "display_name", MAX_PASSKEY_NAME)
        oneself, origin = await self._recognize(request)
        passkey, ended = await self._credentials.confirm_passkey(
            oneself,
            enrolment_id,
            response_json,
            display_name=display_name,
            keep_others=request.keep_other_sessions,
            origin=origin,
        )
        return pb.ConfirmOwnPasskeyEnrolmentResponse(
            passkey=passkey_message(passkey), ended_count=_count(ended), sessions_state=_state(ended)
        )

    async def _ended_before(self, oneself: Oneself, *, keep_others: bool) -> Terminations | None:
        """The ends of an earlier request, as far as they have come."""
        if keep_others:
            return None
        return Terminations(count=0, state=await self._credentials.ends_state(oneself))


def _count(ended: Terminations | None) -> int:
    return 0 if ended is None else ended.count


def _state(ended: Terminations | None) -> types_pb2.TerminationState.ValueType:
    return types_pb2.TERMINATION_STATE_UNSPECIFIED if ended is None else termination_state(ended.state)
