"""Serves `argus.v1.NotificationService`."""

from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import grpc

from argus.base.errors import RequestAlreadyDoneError
from argus.flows.notifying.desk import NotificationDesk
from argus.notifications.channels.model import DEFAULT_OVERLAP
from argus.notifications.channels.service import Channels
from argus.notifications.deliveries.service import Deliveries
from argus.notifications.preferences.service import Preferences
from argus.notifications.wordings.model import check, examples, render
from argus.notifications.wordings.service import Wordings
from argus.rpc import validate
from argus.rpc.context import origin_of
from argus.rpc.notification_messages import (
    channel_fields,
    channel_kind,
    channel_message,
    delivery_message,
    delivery_state,
    preference_messages,
    said_preferences,
    template_message,
    wording,
)
from argus.users.service import Users
from argus.v1 import notification_service_pb2 as pb
from argus.v1 import notification_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]

_MAX_PASSWORD: Final = 500
_MAX_VALUE: Final = 1000
_CHANGEABLE: Final = frozenset(
    {"display_name", "url", "event_types", "use_templates", "locale", "username", "sender", "state"}
)


class NotificationServicer(notification_service_pb2_grpc.NotificationServiceServicer):
    """Serves `argus.v1.NotificationService`."""

    def __init__(
        self,
        channels: Channels,
        deliveries: Deliveries,
        wordings: Wordings,
        preferences: Preferences,
        desk: NotificationDesk,
        users: Users,
    ) -> None:
        self._channels = channels
        self._deliveries = deliveries
        self._wordings = wordings
        self._preferences = preferences
        self._desk = desk
        self._users = users

    async def CreateChannel(self, request: pb.CreateChannelRequest, context: Context) -> pb.CreateChannelResponse:
        """Makes a channel."""
        tenant_id = validate.tenant(request.parent, "parent")
        password = validate.text(request.password, "password", _MAX_PASSWORD)
        kind, fields = channel_kind(request.channel), channel_fields(request.channel)
        channel, secret = await self._channels.create(
            tenant_id, kind, fields, password=password, origin=origin_of(request)
        )
        shown = "" if request.validate_only else secret
        return pb.CreateChannelResponse(channel=channel_message(channel), secret=shown)

    async def GetChannel(self, request: pb.GetChannelRequest, context: Context) -> pb.GetChannelResponse:
        """Reads a channel."""
        channel = await self._channels.get(*validate.channel(request.name, "name"))
        return pb.GetChannelResponse(channel=channel_message(channel))

    async def ListChannels(self, request: pb.ListChannelsRequest, context: Context) -> pb.ListChannelsResponse:
        """Lists a tenant's channels."""
        found = await self._channels.list(validate.tenant(request.parent, "parent"))
        return pb.ListChannelsResponse(channels=[channel_message(one) for one in found])

    async def UpdateChannel(self, request: pb.UpdateChannelRequest, context: Context) -> pb.UpdateChannelResponse:
        """Changes a channel."""
        name = validate.channel(request.channel.name, "channel.name")
        password = validate.text(request.password, "password", _MAX_PASSWORD)
        try:
            channel = await self._desk.update(
                *name,
                channel_fields(request.channel),
                paths=validate.mask(request.update_mask, _CHANGEABLE),
                password=password,
                etag=request.channel.etag,
                origin=origin_of(request),
            )
        except RequestAlreadyDoneError:
            channel = await self._channels.get(*name)
        return pb.UpdateChannelResponse(channel=channel_message(channel))

    async def DeleteChannel(self, request: pb.DeleteChannelRequest, context: Context) -> pb.DeleteChannelResponse:
        """Deletes a channel."""
        with suppress(RequestAlreadyDoneError):
            await self._desk.delete(*validate.channel(request.name, "name"), origin=origin_of(request))
        return pb.DeleteChannelResponse()

    async def RotateChannelSecret(
        self, request: pb.RotateChannelSecretRequest, context: Context
    ) -> pb.RotateChannelSecretResponse:
        """Gives a webhook a new secret."""
        overlap: timedelta = DEFAULT_OVERLAP
        if request.HasField("overlap"):
            overlap = validate.duration(request.overlap, "overlap")
        secret, until = await self._channels.rotate_secret(
            *validate.channel(request.name, "name"), overlap=overlap, origin=origin_of(request)
        )
        shown = "" if request.validate_only else secret
        return pb.RotateChannelSecretResponse(secret=shown, previous_expire_time=validate.to_timestamp(until))

    async def ResumeChannel(self, request: pb.ResumeChannelRequest, context: Context) -> pb.ResumeChannelResponse:
        """Goes on with a paused channel."""
        name = validate.channel(request.name, "name")
        try:
            channel = await self._desk.resume(*name, origin=origin_of(request))
        except RequestAlreadyDoneError:
            channel = await self._channels.get(*name)
        return pb.ResumeChannelResponse(channel=channel_message(channel))

    async def TestChannel(self, request: pb.TestChannelRequest, context: Context) -> pb.TestChannelResponse:
        """Tries a channel once."""
        outcome, duration = await self._desk.test(*validate.channel(request.name, "name"))
        return pb.TestChannelResponse(outcome=outcome, duration=validate.to_duration(duration))

    async def ListDeliveries(self, request: pb.ListDeliveriesRequest, context: Context) -> pb.ListDeliveriesResponse:
        """Lists what was or is to be sent."""
        tenant_id = validate.tenant(request.parent, "parent")
        channel_id = validate.channel(request.channel, "channel")[1] if request.channel else None
        page = await self._deliveries.page(
            tenant_id,
            state=delivery_state(request.state),
            channel_id=channel_id,
            size=validate.page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListDeliveriesResponse(
            deliveries=[delivery_message(one) for one in page.deliveries], next_page_token=page.next_page_token
        )

    async def GetDelivery(self, request: pb.GetDeliveryRequest, context: Context) -> pb.GetDeliveryResponse:
        """Reads one delivery with its tries."""
        delivery, attempts = await self._deliveries.get(*validate.delivery(request.name, "name"))
        return pb.GetDeliveryResponse(delivery=delivery_message(delivery, attempts))

    async def RetryDelivery(self, request: pb.RetryDeliveryRequest, context: Context) -> pb.RetryDeliveryResponse:
        """Sends a dead letter again."""
        delivery = await self._desk.retry(*validate.delivery(request.name, "name"), origin=origin_of(request))
        return pb.RetryDeliveryResponse(delivery=delivery_message(delivery))

    async def SetTemplate(self, request: pb.SetTemplateRequest, context: Context) -> pb.SetTemplateResponse:
        """Says a notice in words of the tenant's own."""
        tenant_id, said = validate.tenant(request.parent, "parent"), wording(request.template)
        with suppress(RequestAlreadyDoneError):
            await self._wordings.set(tenant_id, said, origin=origin_of(request))
        return pb.SetTemplateResponse(template=template_message(said))

    async def ListTemplates(self, request: pb.ListTemplatesRequest, context: Context) -> pb.ListTemplatesResponse:
        """Lists a tenant's own templates."""
        found, following = await self._wordings.page(
            validate.tenant(request.parent, "parent"),
            size=validate.page_size(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListTemplatesResponse(templates=[template_message(one) for one in found], next_page_token=following)

    async def DeleteTemplate(self, request: pb.DeleteTemplateRequest, context: Context) -> pb.DeleteTemplateResponse:
        """Says a notice in Argus's words again."""
        tenant_id, said = validate.tenant(request.parent, "parent"), wording(request.template)
        with suppress(RequestAlreadyDoneError):
            await self._wordings.delete(tenant_id, said, origin=origin_of(request))
        return pb.DeleteTemplateResponse()

    async def PreviewTemplate(self, request: pb.PreviewTemplateRequest, context: Context) -> pb.PreviewTemplateResponse:
        """Renders a template with example values."""
        validate.tenant(request.parent, "parent")
        said = wording(request.template)
        check(said)
        known = examples(said)
        values = {one.name: validate.text(one.value, "variables", _MAX_VALUE) for one in request.variables}
        rendered = render(said, {**known, **{name: values[name] for name in values if name in known}})
        return pb.PreviewTemplateResponse(
            subject=rendered.subject, text=rendered.text, html=rendered.html, known_variables=sorted(known)
        )

    async def GetPreferences(self, request: pb.GetPreferencesRequest, context: Context) -> pb.GetPreferencesResponse:
        """Says which notices a user gets."""
        name = validate.user(request.name, "name")
        await self._users.get(*name)
        return pb.GetPreferencesResponse(preferences=preference_messages(await self._preferences.of(*name)))

    async def UpdatePreferences(
        self, request: pb.UpdatePreferencesRequest, context: Context
    ) -> pb.UpdatePreferencesResponse:
        """Changes which notices a user gets."""
        name, said = validate.user(request.name, "name"), said_preferences(request.preferences)
        await self._users.get(*name)
        try:
            found = await self._preferences.update(*name, said, origin=origin_of(request))
        except RequestAlreadyDoneError:
            found = await self._preferences.of(*name)
        return pb.UpdatePreferencesResponse(preferences=preference_messages(found))
