"""Serves `argus.v1.SelfService`."""

from typing import Any, Final

import grpc

from argus.base.errors import RequestAlreadyDoneError
from argus.flows.known_devices import KnownDevice
from argus.flows.self.security_events import SecurityEvent, SecurityEventPage
from argus.flows.self.service import SelfService
from argus.rpc import validate
from argus.rpc.converters import CREDENTIAL_KINDS, termination_state, user_message
from argus.rpc.device_messages import described, known_device_message, traits_message
from argus.rpc.notification_messages import preference_messages, said_preferences
from argus.rpc.oneself import Recognition
from argus.rpc.own_credentials import OwnCredentialRpcs
from argus.rpc.session_messages import device_message, ended_message, location_message, session_message
from argus.sessions.service import MAX_CATEGORY, MAX_DISPLAY_NAME
from argus.v1 import credential_service_pb2, self_service_pb2_grpc, types_pb2
from argus.v1 import self_service_pb2 as pb

Context = grpc.aio.ServicerContext[Any, Any]

_DISPLAY_NAME: Final = "device.display_name"
_CATEGORY: Final = "device.category"


class SelfServicer(self_service_pb2_grpc.SelfServiceServicer):
    """Serves `argus.v1.SelfService`."""

    def __init__(self, service: SelfService, recognize: Recognition) -> None:
        self._service = service
        self._recognize = recognize
        self._credentials = OwnCredentialRpcs(service.credentials, recognize)

    async def GetSelf(self, request: pb.GetSelfRequest, context: Context) -> pb.GetSelfResponse:
        """Reads who the user is."""
        oneself, _ = await self._recognize(request)
        session = await self._service.sessions.current(oneself)
        return pb.GetSelfResponse(
            user=user_message(await self._service.user(oneself)),
            session=session_message(session, current=oneself.session),
        )

    async def UpdateSelf(self, request: pb.UpdateSelfRequest, context: Context) -> pb.UpdateSelfResponse:
        """Changes the language that the user is written to in."""
        validate.mask(request.update_mask, {"locale"})
        oneself, origin = await self._recognize(request)
        try:
            user = await self._service.set_locale(oneself, request.user.locale, etag=request.user.etag, origin=origin)
        except RequestAlreadyDoneError:
            user = await self._service.user(oneself)
        return pb.UpdateSelfResponse(user=user_message(user))

    async def ListOwnSessions(self, request: pb.ListOwnSessionsRequest, context: Context) -> pb.ListOwnSessionsResponse:
        """Lists the user's sessions."""
        oneself, _ = await self._recognize(request)
        page = await self._service.sessions.page(
            oneself,
            size=validate.page_size(request.page_size),
            page_token=request.page_token,
            with_ended=request.show_ended,
        )
        shown = [session_message(one, current=oneself.session) for one in page.sessions]
        return pb.ListOwnSessionsResponse(sessions=shown, next_page_token=page.next_page_token)

    async def UpdateOwnSession(
        self, request: pb.UpdateOwnSessionRequest, context: Context
    ) -> pb.UpdateOwnSessionResponse:
        """Changes what the user calls a session's device."""
        name = validate.own_session(request.session.name, "session.name")
        paths = validate.mask(request.update_mask, {_DISPLAY_NAME, _CATEGORY})
        device = request.session.device
        display_name = validate.text(device.display_name, f"session.{_DISPLAY_NAME}", MAX_DISPLAY_NAME)
        category = validate.text(device.category, f"session.{_CATEGORY}", MAX_CATEGORY)
        oneself, origin = await self._recognize(request)
        try:
            session = await self._service.sessions.describe(
                oneself,
                name,
                display_name=display_name if _DISPLAY_NAME in paths else None,
                category=category if _CATEGORY in paths else None,
                etag=request.session.etag,
                origin=origin,
            )
        except RequestAlreadyDoneError:
            session = await self._service.sessions.get(oneself, name)
        return pb.UpdateOwnSessionResponse(session=session_message(session, current=oneself.session))

    async def TerminateOwnSession(
        self, request: pb.TerminateOwnSessionRequest, context: Context
    ) -> pb.TerminateOwnSessionResponse:
        """Ends one session."""
        name = validate.own_session(request.name, "name")
        oneself, origin = await self._recognize(request)
        ended = await self._service.sessions.terminate(oneself, name, origin=origin)
        if ended.session is not None:
            session = session_message(ended.session, current=oneself.session)
        else:
            session_id = name.rpartition("/")[2]
            session = ended_message(
                oneself.tenant_id, oneself.user_id, session_id, at=ended.end_time, reason=ended.reason
            )
        return pb.TerminateOwnSessionResponse(
            session=session, state=termination_state(ended.state), operation=ended.operation
        )

    async def TerminateOwnSessions(
        self, request: pb.TerminateOwnSessionsRequest, context: Context
    ) -> pb.TerminateOwnSessionsResponse:
        """Ends all other sessions, or all."""
        oneself, origin = await self._recognize(request)
        ended = await self._service.sessions.terminate_all(oneself, with_current=request.include_current, origin=origin)
        return pb.TerminateOwnSessionsResponse(
            ended_count=ended.count, state=termination_state(ended.state), operation=ended.operation
        )

    async def ListOwnSessionEvents(
        self, request: pb.ListOwnSessionEventsRequest, context: Context
    ) -> pb.ListOwnSessionEventsResponse:
        """Lists what happened to one session."""
        name = validate.own_session(request.parent, "parent")
        oneself, _ = await self._recognize(request)
        page = await self._service.events.page_of_session(
            oneself, name, size=validate.page_size(request.page_size), page_token=request.page_token
        )
        return pb.ListOwnSessionEventsResponse(events=_events(page), next_page_token=page.next_page_token)

    async def ListOwnSecurityEvents(
        self, request: pb.ListOwnSecurityEventsRequest, context: Context
    ) -> pb.ListOwnSecurityEventsResponse:
        """Lists what concerns the user's safety."""
        oneself, _ = await self._recognize(request)
        page = await self._service.events.page(
            oneself, size=validate.page_size(request.page_size), page_token=request.page_token
        )
        return pb.ListOwnSecurityEventsResponse(events=_events(page), next_page_token=page.next_page_token)

    async def GetOwnPreferences(
        self, request: pb.GetOwnPreferencesRequest, context: Context
    ) -> pb.GetOwnPreferencesResponse:
        """Says which notices the user gets."""
        oneself, _ = await self._recognize(request)
        found = await self._service.notices.all(oneself)
        return pb.GetOwnPreferencesResponse(preferences=preference_messages(found))

    async def UpdateOwnPreferences(
        self, request: pb.UpdateOwnPreferencesRequest, context: Context
    ) -> pb.UpdateOwnPreferencesResponse:
        """Changes which notices the user gets."""
        oneself, origin = await self._recognize(request)
        said = said_preferences(request.preferences)
        try:
            found = await self._service.notices.choose(oneself, said, origin=origin)
        except RequestAlreadyDoneError:
            found = await self._service.notices.all(oneself)
        return pb.UpdateOwnPreferencesResponse(preferences=preference_messages(found))

    async def ListOwnDevices(self, request: pb.ListOwnDevicesRequest, context: Context) -> pb.ListOwnDevicesResponse:
        """Lists the user's devices."""
        oneself, _ = await self._recognize(request)
        page = await self._service.devices.page(
            oneself, size=validate.page_size(request.page_size), page_token=request.page_token
        )
        current = await self._service.devices.current(oneself)
        shown = [_device(one, current=current) for one in page.devices]
        return pb.ListOwnDevicesResponse(devices=shown, next_page_token=page.next_page_token)

    async def UpdateOwnDevice(self, request: pb.UpdateOwnDeviceRequest, context: Context) -> pb.UpdateOwnDeviceResponse:
        """Changes what the user calls a device, or its group."""
        name = validate.own_device(request.device.name, "device.name")
        display_name, category = described(request)
        oneself, origin = await self._recognize(request)
        try:
            known = await self._service.devices.describe(
                oneself,
                name,
                display_name=display_name,
                category=category,
                etag=request.device.etag,
                origin=origin,
            )
        except RequestAlreadyDoneError:
            known = await self._service.devices.get(oneself, name)
        return pb.UpdateOwnDeviceResponse(device=known_device_message(known))

    async def TrustOwnDevice(self, request: pb.TrustOwnDeviceRequest, context: Context) -> pb.TrustOwnDeviceResponse:
        """Trusts a device for a time, or no longer."""
        device_id = validate.own_id(request.device_id, "device_id")
        has_time = request.HasField("trusted_for")
        trusted_for = validate.duration(request.trusted_for, "trusted_for") if has_time else None
        oneself, origin = await self._recognize(request)
        try:
            known = await self._service.devices.trust(oneself, device_id, trusted_for=trusted_for, origin=origin)
        except RequestAlreadyDoneError:
            known = await self._service.devices.get(oneself, device_id)
        return pb.TrustOwnDeviceResponse(device=known_device_message(known))

    async def ListOwnDeviceEvents(
        self, request: pb.ListOwnDeviceEventsRequest, context: Context
    ) -> pb.ListOwnDeviceEventsResponse:
        """Lists what happened to one device."""
        device_id = validate.own_id(request.device_id, "device_id")
        oneself, _ = await self._recognize(request)
        page = await self._service.events.page_of_device(
            oneself, device_id, size=validate.page_size(request.page_size), page_token=request.page_token
        )
        return pb.ListOwnDeviceEventsResponse(events=_events(page), next_page_token=page.next_page_token)

    async def ForgetOwnDevice(self, request: pb.ForgetOwnDeviceRequest, context: Context) -> pb.ForgetOwnDeviceResponse:
        """Forgets a device."""
        device_id = validate.own_id(request.device_id, "device_id")
        oneself, origin = await self._recognize(request)
        try:
            ended = await self._service.devices.forget(oneself, device_id, origin=origin)
        except RequestAlreadyDoneError:
            state = await self._service.devices.ends_state(oneself)
            return pb.ForgetOwnDeviceResponse(state=termination_state(state))
        return pb.ForgetOwnDeviceResponse(ended_count=ended.count, state=termination_state(ended.state))

    async def ListOwnCredentials(
        self, request: pb.ListOwnCredentialsRequest, context: Context
    ) -> pb.ListOwnCredentialsResponse:
        """Lists what the user proves itself with."""
        return await self._credentials.list(request)

    async def ChangeOwnPassword(
        self, request: pb.ChangeOwnPasswordRequest, context: Context
    ) -> pb.ChangeOwnPasswordResponse:
        """Changes the user's password."""
        return await self._credentials.change_password(request)

    async def UpdateOwnCredential(
        self, request: pb.UpdateOwnCredentialRequest, context: Context
    ) -> pb.UpdateOwnCredentialResponse:
        """Renames a credential."""
        return await self._credentials.update(request)

    async def DeleteOwnCredential(
        self, request: pb.DeleteOwnCredentialRequest, context: Context
    ) -> pb.DeleteOwnCredentialResponse:
        """Deletes a credential."""
        return await self._credentials.delete(request)

    async def StartOwnTotpEnrolment(
        self, request: pb.StartOwnTotpEnrolmentRequest, context: Context
    ) -> pb.StartOwnTotpEnrolmentResponse:
        """Makes a secret for an authenticator app."""
        return await self._credentials.start_totp(request)

    async def ConfirmOwnTotpEnrolment(
        self, request: pb.ConfirmOwnTotpEnrolmentRequest, context: Context
    ) -> pb.ConfirmOwnTotpEnrolmentResponse:
        """Enrols an authenticator app."""
        return await self._credentials.confirm_totp(request)

    async def ReplaceOwnRecoveryCodes(
        self, request: pb.ReplaceOwnRecoveryCodesRequest, context: Context
    ) -> pb.ReplaceOwnRecoveryCodesResponse:
        """Makes new recovery codes."""
        return await self._credentials.replace_recovery_codes(request)

    async def StartOwnPasskeyEnrolment(
        self, request: pb.StartOwnPasskeyEnrolmentRequest, context: Context
    ) -> pb.StartOwnPasskeyEnrolmentResponse:
        """Makes creation options for a passkey."""
        return await self._credentials.start_passkey(request)

    async def ConfirmOwnPasskeyEnrolment(
        self, request: pb.ConfirmOwnPasskeyEnrolmentRequest, context: Context
    ) -> pb.ConfirmOwnPasskeyEnrolmentResponse:
        """Registers a passkey."""
        return await self._credentials.confirm_passkey(request)


def _events(page: SecurityEventPage) -> list[pb.SecurityEvent]:
    return [_event(one) for one in page.events]


def _event(event: SecurityEvent) -> pb.SecurityEvent:
    session = event.session
    return pb.SecurityEvent(
        name=event.event_id,
        kind=pb.SecurityEventKind.Value(f"SECURITY_EVENT_KIND_{event.kind}"),
        time=validate.to_timestamp(event.time),
        session=event.session_name,
        current=event.is_current,
        device=device_message(session) if session else None,
        location=location_message(session.place) if session else None,
        ip_address=event.ip_address,
        client_id=event.client_id,
        end_reason=types_pb2.EndReason.ValueType(event.end_reason or 0),
        by_user=event.by_user,
        credential_kind=_credential_kind(event),
    )


def _credential_kind(event: SecurityEvent) -> credential_service_pb2.CredentialKind.ValueType:
    if not event.credential_kind:
        return credential_service_pb2.CREDENTIAL_KIND_UNSPECIFIED
    return CREDENTIAL_KINDS[event.credential_kind]


def _device(known: KnownDevice, *, current: str | None) -> pb.OwnDevice:
    device = known.device
    return pb.OwnDevice(
        device=traits_message(device),
        create_time=validate.to_timestamp(device.create_time),
        last_seen_time=validate.to_timestamp(device.last_seen_time),
        current=device.device_id == current,
        details=known_device_message(known),
    )
