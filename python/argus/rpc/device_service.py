"""Serves `argus.v1.DeviceService`."""

from typing import Any

import grpc

from argus.base.errors import InvalidFieldError, RequestAlreadyDoneError
from argus.flows.explain_trust import Explained, ExplainTrust
from argus.flows.known_devices import KnownDevices
from argus.flows.notifying.payloads import event_message
from argus.rpc import validate
from argus.rpc.context import current_caller, origin_of
from argus.rpc.converters import termination_state
from argus.rpc.device_messages import described, known_device_message, statement_of
from argus.rpc.validate import to_timestamp
from argus.v1 import device_service_pb2 as pb
from argus.v1 import device_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class DeviceServicer(device_service_pb2_grpc.DeviceServiceServicer):
    """Serves `argus.v1.DeviceService`."""

    def __init__(self, devices: KnownDevices, explain_trust: ExplainTrust) -> None:
        self._devices = devices
        self._explain_trust = explain_trust

    async def GetDevice(self, request: pb.GetDeviceRequest, context: Context) -> pb.GetDeviceResponse:
        """Reads one device."""
        name = validate.device(request.name, "name")
        return pb.GetDeviceResponse(device=known_device_message(await self._devices.get(*name)))

    async def ListDevices(self, request: pb.ListDevicesRequest, context: Context) -> pb.ListDevicesResponse:
        """Lists the devices of a user."""
        tenant_id, user_id = validate.user(request.parent, "parent")
        page = await self._devices.page(
            tenant_id, user_id, size=validate.page_size(request.page_size), page_token=request.page_token
        )
        shown = [known_device_message(one) for one in page.devices]
        return pb.ListDevicesResponse(devices=shown, next_page_token=page.next_page_token)

    async def UpdateDevice(self, request: pb.UpdateDeviceRequest, context: Context) -> pb.UpdateDeviceResponse:
        """Changes what a device is called, or its group."""
        name = validate.device(request.device.name, "device.name")
        display_name, category = described(request)
        try:
            known = await self._devices.describe(
                *name,
                display_name=display_name,
                category=category,
                etag=request.device.etag,
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError:
            known = await self._devices.get(*name)
        return pb.UpdateDeviceResponse(device=known_device_message(known))

    async def TrustDevice(self, request: pb.TrustDeviceRequest, context: Context) -> pb.TrustDeviceResponse:
        """Trusts a device for a time, or no longer."""
        name = validate.device(request.name, "name")
        has_time = request.HasField("trusted_for")
        trusted_for = validate.duration(request.trusted_for, "trusted_for") if has_time else None
        try:
            known = await self._devices.trust(*name, trusted_for=trusted_for, origin=origin_of(request))
        except RequestAlreadyDoneError:
            known = await self._devices.get(*name)
        return pb.TrustDeviceResponse(device=known_device_message(known))

    async def ForgetDevice(self, request: pb.ForgetDeviceRequest, context: Context) -> pb.ForgetDeviceResponse:
        """Forgets a device, and ends the sessions on it."""
        tenant_id, user_id, device_id = validate.device(request.name, "name")
        try:
            ended = await self._devices.forget(tenant_id, user_id, device_id, origin=origin_of(request))
        except RequestAlreadyDoneError:
            state = await self._devices.ends_state(tenant_id, user_id)
            return pb.ForgetDeviceResponse(state=termination_state(state))
        return pb.ForgetDeviceResponse(ended_count=ended.count, state=termination_state(ended.state))

    async def ListDeviceEvents(
        self, request: pb.ListDeviceEventsRequest, context: Context
    ) -> pb.ListDeviceEventsResponse:
        """Lists what happened to a device."""
        name = validate.device(request.parent, "parent")
        events, following = await self._devices.events(
            *name, size=validate.page_size(request.page_size), page_token=request.page_token
        )
        return pb.ListDeviceEventsResponse(events=[event_message(one) for one in events], next_page_token=following)

    async def ReportPosture(self, request: pb.ReportPostureRequest, context: Context) -> pb.ReportPostureResponse:
        """Takes in what a service has found out about a device."""
        name = validate.device(request.name, "name")
        statement = statement_of(request.posture, "posture", reporter=current_caller().client_id)
        try:
            known = await self._devices.report(*name, statement, origin=origin_of(request))
        except RequestAlreadyDoneError:
            known = await self._devices.get(*name)
        return pb.ReportPostureResponse(device=known_device_message(known))

    async def ExplainTrust(self, request: pb.ExplainTrustRequest, context: Context) -> pb.ExplainTrustResponse:
        """Says how far a device or a session is trusted, and why."""
        match request.WhichOneof("subject"):
            case "device":
                name = validate.device(request.device, "device")
                return _explained(await self._explain_trust.device(*name))
            case "session":
                name = validate.session(request.session, "session")
                return _explained(await self._explain_trust.session(*name))
            case _:
                raise InvalidFieldError("subject", "is required: a device or a session")


def _explained(explained: Explained) -> pb.ExplainTrustResponse:
    return pb.ExplainTrustResponse(
        score=explained.rating.score,
        terms=[
            pb.TrustTerm(code=one.code, weight=one.weight, seen=one.seen, cap=one.cap) for one in explained.rating.terms
        ],
        rate_time=to_timestamp(explained.time),
        missed_floors=[
            pb.TrustFloorMissed(scope=floor.about, floor=max(floor.step_up_below, floor.deny_below), denies=denies)
            for floor in explained.missed
            for denies in [explained.rating.score + 0.5 < floor.deny_below]
        ],
    )
