"""Serves `argus.v1.AccountService`."""

from typing import Any, Final

import grpc

from argus.accounts.model import Purpose
from argus.accounts.service import Links
from argus.base import ids
from argus.base.errors import RequestAlreadyDoneError
from argus.flows.accounts.asking import Asking
from argus.flows.accounts.invitation import Invitation
from argus.flows.accounts.not_me import NotMe
from argus.flows.accounts.recovery import Recovery
from argus.flows.accounts.registration import Registration
from argus.flows.accounts.verification import Verification
from argus.flows.login import Logins
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.rpc.converters import termination_state, user_message
from argus.users.model import MAX_DISPLAY_NAME, MAX_IDENTIFIER
from argus.users.service import Users
from argus.v1 import account_service_pb2 as pb
from argus.v1 import account_service_pb2_grpc, types_pb2

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_TOKEN: Final = 128
_MAX_LOCALE: Final = 35
_MAX_PASSWORD: Final = 4096
_PURPOSES: Final[dict[Purpose, pb.LinkPurpose.ValueType]] = {
    "recovery": pb.LINK_PURPOSE_RECOVERY,
    "registration": pb.LINK_PURPOSE_REGISTRATION,
    "verification": pb.LINK_PURPOSE_VERIFICATION,
    "invitation": pb.LINK_PURPOSE_INVITATION,
    "handover": pb.LINK_PURPOSE_RECOVERY,
    "not_me": pb.LINK_PURPOSE_NOT_ME,
}


class AccountServicer(account_service_pb2_grpc.AccountServiceServicer):
    """Serves `argus.v1.AccountService`."""

    def __init__(
        self,
        asking: Asking,
        recovery: Recovery,
        registration: Registration,
        verification: Verification,
        invitation: Invitation,
        not_me: NotMe,
        links: Links,
        logins: Logins,
        users: Users,
    ) -> None:
        self._logins = logins
        self._asking = asking
        self._recovery = recovery
        self._registration = registration
        self._verification = verification
        self._invitation = invitation
        self._not_me = not_me
        self._links = links
        self._users = users

    async def StartRecovery(self, request: pb.StartRecoveryRequest, context: Context) -> pb.StartRecoveryResponse:
        """Sends a link to set a new password."""
        tenant_id = validate.tenant(request.parent, "parent")
        identifier = validate.text(request.identifier, "identifier", MAX_IDENTIFIER, required=True)
        await self._asking.recovery(tenant_id, identifier, locale=_locale(request.locale), origin=origin_of(request))
        return pb.StartRecoveryResponse()

    async def CompleteRecovery(
        self, request: pb.CompleteRecoveryRequest, context: Context
    ) -> pb.CompleteRecoveryResponse:
        """Sets a new password by a link's token."""
        tenant_id = validate.tenant(request.parent, "parent")
        ends = await self._recovery.complete(
            tenant_id, _token(request.token), _password(request.password), origin=origin_of(request)
        )
        state = termination_state(ends.state) if ends else types_pb2.TERMINATION_STATE_UNSPECIFIED
        return pb.CompleteRecoveryResponse(sessions_state=state)

    async def StartRegistration(
        self, request: pb.StartRegistrationRequest, context: Context
    ) -> pb.StartRegistrationResponse:
        """Sends a link to register."""
        tenant_id = validate.tenant(request.parent, "parent")
        email = validate.text(request.email, "email", MAX_IDENTIFIER, required=True)
        await self._asking.registration(tenant_id, email, locale=_locale(request.locale), origin=origin_of(request))
        return pb.StartRegistrationResponse()

    async def CompleteRegistration(
        self, request: pb.CompleteRegistrationRequest, context: Context
    ) -> pb.CompleteRegistrationResponse:
        """Makes a user by a link's token."""
        tenant_id = validate.tenant(request.parent, "parent")
        user = await self._registration.complete(
            tenant_id,
            _token(request.token),
            _password(request.password),
            display_name=validate.text(request.display_name, "display_name", MAX_DISPLAY_NAME),
            origin=origin_of(request),
        )
        return pb.CompleteRegistrationResponse(user=user_message(user))

    async def StartVerification(
        self, request: pb.StartVerificationRequest, context: Context
    ) -> pb.StartVerificationResponse:
        """Sends a link to verify an address."""
        tenant_id = validate.tenant(request.parent, "parent")
        email = validate.text(request.email, "email", MAX_IDENTIFIER, required=True)
        await self._asking.verification(tenant_id, email, locale=_locale(request.locale), origin=origin_of(request))
        return pb.StartVerificationResponse()

    async def CompleteVerification(
        self, request: pb.CompleteVerificationRequest, context: Context
    ) -> pb.CompleteVerificationResponse:
        """Verifies an address by a link's token."""
        tenant_id = validate.tenant(request.parent, "parent")
        email = await self._verification.complete(tenant_id, _token(request.token), origin=origin_of(request))
        return pb.CompleteVerificationResponse(email=email)

    async def SendEmailCode(self, request: pb.SendEmailCodeRequest, context: Context) -> pb.SendEmailCodeResponse:
        """Sends a one-time code for a login."""
        tenant_id = validate.tenant(request.parent, "parent")
        login_token = validate.text(request.login_token, "login_token", _MAX_TOKEN, required=True)
        login = await self._logins.of_token(tenant_id, login_token)
        await self._asking.email_code(login, locale=_locale(request.locale), origin=origin_of(request))
        return pb.SendEmailCodeResponse()

    async def InviteUser(self, request: pb.InviteUserRequest, context: Context) -> pb.InviteUserResponse:
        """Makes a user and sends it a link."""
        tenant_id = validate.tenant(request.parent, "parent")
        try:
            user = await self._invitation.invite(
                tenant_id,
                validate.text(request.email, "email", MAX_IDENTIFIER, required=True),
                display_name=validate.text(request.display_name, "display_name", MAX_DISPLAY_NAME),
                locale=_locale(request.locale),
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError as done:
            _, user_id = ids.parse_name("user", done.name) or ("", "")
            user = await self._users.get(tenant_id, user_id)
        return pb.InviteUserResponse(user=user_message(user))

    async def AcceptInvitation(
        self, request: pb.AcceptInvitationRequest, context: Context
    ) -> pb.AcceptInvitationResponse:
        """Sets a first password by a link's token."""
        tenant_id = validate.tenant(request.parent, "parent")
        await self._invitation.accept(
            tenant_id, _token(request.token), _password(request.password), origin=origin_of(request)
        )
        return pb.AcceptInvitationResponse()

    async def ReportDevice(self, request: pb.ReportDeviceRequest, context: Context) -> pb.ReportDeviceResponse:
        """Says by a link's token that it was somebody else on a new device."""
        tenant_id = validate.tenant(request.parent, "parent")
        done = await self._not_me.complete(tenant_id, _token(request.token), origin=origin_of(request))
        return pb.ReportDeviceResponse(
            sessions_state=termination_state(done.ends.state), password_closed=done.password_closed
        )

    async def GetAccountLink(self, request: pb.GetAccountLinkRequest, context: Context) -> pb.GetAccountLinkResponse:
        """Says what a link's token is good for."""
        tenant_id = validate.tenant(request.parent, "parent")
        link = await self._links.open(tenant_id, _token(request.token), *_PURPOSES, origin=origin_of(request))
        return pb.GetAccountLinkResponse(
            purpose=_PURPOSES[link.purpose], email=link.address, expire_time=validate.to_timestamp(link.expire_time)
        )


def _token(text: str) -> str:
    return validate.text(text, "token", _MAX_TOKEN, required=True)


def _password(text: str) -> str:
    return validate.text(text, "password", _MAX_PASSWORD, required=True)


def _locale(text: str) -> str:
    return validate.text(text, "locale", _MAX_LOCALE)
