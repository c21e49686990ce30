"""A valid request for every RPC about notifications and about what has been, made of a world."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from argus.base.clock import now
from argus.v1 import notification_service_pb2 as notifications
from argus.v1 import self_service_pb2 as self_service
from argus.v1 import session_service_pb2 as sessions

if TYPE_CHECKING:
    from tests.support.world import World

TEMPLATE: Final = notifications.Template(
    notice="new_device", medium=notifications.TEMPLATE_MEDIUM_MAIL, locale="en", subject="Hello", text="{{ device }}"
)
PREFERENCES: Final = (notifications.Preference(notice="new_device", mail=True),)


def create_channel(parent: str) -> notifications.CreateChannelRequest:
    """A webhook."""
    # Nobody is there (RFC 2606).
    channel = notifications.Channel(
        kind=notifications.CHANNEL_KIND_WEBHOOK, url="https://hooks.example.invalid/", event_types=["user.imported"]
    )
    return notifications.CreateChannelRequest(parent=parent, channel=channel)


def _timestamp(time: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made


NOTIFICATION_REQUESTS: Final[dict[str, Callable[[World], Message]]] = {
    "CreateChannel": lambda w: create_channel(w.tenant),
    "GetChannel": lambda w: notifications.GetChannelRequest(name=w.channel),
    "ListChannels": lambda w: notifications.ListChannelsRequest(parent=w.tenant),
    "UpdateChannel": lambda w: notifications.UpdateChannelRequest(
        channel=notifications.Channel(name=w.channel, display_name="Changed"),
        update_mask=FieldMask(paths=["display_name"]),
    ),
    "DeleteChannel": lambda w: notifications.DeleteChannelRequest(name=w.channel),
    "RotateChannelSecret": lambda w: notifications.RotateChannelSecretRequest(name=w.channel),
    "ResumeChannel": lambda w: notifications.ResumeChannelRequest(name=w.channel),
    "TestChannel": lambda w: notifications.TestChannelRequest(name=w.channel),
    "ListDeliveries": lambda w: notifications.ListDeliveriesRequest(parent=w.tenant),
    # There is none: of those that there are, tests/flows/test_webhooks.py holds what is so.
    "GetDelivery": lambda w: notifications.GetDeliveryRequest(name=f"{w.tenant}/deliveries/none"),
    "RetryDelivery": lambda w: notifications.RetryDeliveryRequest(name=f"{w.tenant}/deliveries/none"),
    "SetTemplate": lambda w: notifications.SetTemplateRequest(parent=w.tenant, template=TEMPLATE),
    "ListTemplates": lambda w: notifications.ListTemplatesRequest(parent=w.tenant),
    "DeleteTemplate": lambda w: notifications.DeleteTemplateRequest(parent=w.tenant, template=TEMPLATE),
    "PreviewTemplate": lambda w: notifications.PreviewTemplateRequest(parent=w.tenant, template=TEMPLATE),
    "GetPreferences": lambda w: notifications.GetPreferencesRequest(name=w.user),
    "UpdatePreferences": lambda w: notifications.UpdatePreferencesRequest(name=w.user, preferences=PREFERENCES),
    "GetOwnPreferences": lambda w: self_service.GetOwnPreferencesRequest(access_token=w.access_token),
    "UpdateOwnPreferences": lambda w: self_service.UpdateOwnPreferencesRequest(
        access_token=w.access_token, preferences=PREFERENCES
    ),
    "ListSecurityEvents": lambda w: sessions.ListSecurityEventsRequest(parent=w.user),
    "GetSessionAt": lambda w: sessions.GetSessionAtRequest(name=w.session, time=_timestamp(now(w.clock))),
}
