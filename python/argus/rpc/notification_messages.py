"""Channels, deliveries, templates and preferences, between messages and features."""

from collections.abc import Mapping, Sequence
from typing import Final

from argus.base.errors import InvalidFieldError
from argus.notifications.channels.model import (
    MAX_DISPLAY_NAME,
    MAX_USERNAME,
    Channel,
    ChannelFields,
    ChannelKind,
    ChannelState,
    channel_name,
)
from argus.notifications.deliveries.model import Attempt, Delivery, DeliveryState
from argus.notifications.endpoints.addresses import MAX_URL
from argus.notifications.preferences.model import Preference
from argus.notifications.wordings.model import LOCALES, MAX_SUBJECT, MAX_TEXT, Medium, Wording
from argus.rpc import validate
from argus.v1 import notification_service_pb2 as pb

_MAX_NAME: Final = 100
_MAX_TYPES: Final = 100
_MAX_ADDRESS: Final = 254
_KINDS: Final[dict[ChannelKind, pb.ChannelKind.ValueType]] = {
    "webhook": pb.CHANNEL_KIND_WEBHOOK,
    "smtp": pb.CHANNEL_KIND_SMTP,
}
_STATES: Final[dict[ChannelState, pb.ChannelState.ValueType]] = {
    "active": pb.CHANNEL_STATE_ACTIVE,
    "paused": pb.CHANNEL_STATE_PAUSED,
    "disabled": pb.CHANNEL_STATE_DISABLED,
}
_DELIVERY_STATES: Final[dict[DeliveryState, pb.DeliveryState.ValueType]] = {
    "waiting": pb.DELIVERY_STATE_WAITING,
    "sent": pb.DELIVERY_STATE_SENT,
    "dead": pb.DELIVERY_STATE_DEAD,
}
_MEDIA: Final[dict[Medium, pb.TemplateMedium.ValueType]] = {
    "mail": pb.TEMPLATE_MEDIUM_MAIL,
    "webhook": pb.TEMPLATE_MEDIUM_WEBHOOK,
}


def channel_message(channel: Channel) -> pb.Channel:
    """A channel, without its secrets."""
    return pb.Channel(
        name=channel.name,
        kind=_KINDS[channel.kind],
        display_name=channel.display_name,
        url=channel.url,
        event_types=channel.event_types,
        use_templates=channel.use_templates,
        locale=channel.locale,
        username=channel.username,
        sender=channel.sender,
        state=_STATES[channel.state],
        pause_reason=channel.pause_reason,
        pause_time=validate.to_timestamp(channel.pause_time),
        failing_since_time=validate.to_timestamp(channel.failing_since_time),
        last_success_time=validate.to_timestamp(channel.last_success_time),
        create_time=validate.to_timestamp(channel.create_time),
        etag=channel.etag,
    )


def channel_kind(message: pb.Channel) -> ChannelKind:
    """The kind that a request says."""
    kind = next((one for one, number in _KINDS.items() if number == message.kind), None)
    if kind is None:
        raise InvalidFieldError("channel.kind", "must be WEBHOOK or SMTP")
    return kind


def channel_fields(message: pb.Channel) -> ChannelFields:
    """What a request says about a channel."""
    if len(message.event_types) > _MAX_TYPES:
        raise InvalidFieldError("channel.event_types", f"must have at most {_MAX_TYPES} items")
    if message.locale not in ("", *LOCALES):
        raise InvalidFieldError("channel.locale", f"must be one of {', '.join(LOCALES)}")
    return ChannelFields(
        display_name=validate.text(message.display_name, "channel.display_name", MAX_DISPLAY_NAME),
        url=validate.text(message.url, "channel.url", MAX_URL),
        event_types=tuple(dict.fromkeys(message.event_types)),
        use_templates=message.use_templates,
        locale=message.locale,
        username=validate.text(message.username, "channel.username", MAX_USERNAME),
        sender=validate.text(message.sender, "channel.sender", _MAX_ADDRESS),
        state=_wanted_state(message.state),
    )


def delivery_message(delivery: Delivery, attempts: Sequence[Attempt] = ()) -> pb.Delivery:
    """A delivery, and its tries."""
    is_waiting = delivery.state == "waiting"
    return pb.Delivery(
        name=delivery.name,
        channel=channel_name(delivery.tenant_id, delivery.channel_id),
        subject=delivery.subject,
        event_id=delivery.event_id,
        state=_DELIVERY_STATES[delivery.state],
        reason=delivery.reason,
        attempt_count=delivery.attempts,
        create_time=validate.to_timestamp(delivery.create_time),
        next_attempt_time=validate.to_timestamp(delivery.attempt_time if is_waiting else None),
        user_id=delivery.user_id or "",
        attempts=[
            pb.DeliveryAttempt(
                time=validate.to_timestamp(one.time),
                outcome=one.outcome,
                duration=None if one.duration is None else validate.to_duration(one.duration),
            )
            for one in attempts
        ],
    )


def delivery_state(number: int) -> DeliveryState | None:
    """The state that a request asks for; None: any."""
    state = next((one for one, value in _DELIVERY_STATES.items() if value == number), None)
    if number and state is None:
        raise InvalidFieldError("state", "must be WAITING, SENT or DEAD")
    return state


def template_message(wording: Wording) -> pb.Template:
    """A template."""
    return pb.Template(
        notice=wording.notice,
        medium=_MEDIA[wording.medium],
        locale=wording.locale,
        subject=wording.subject,
        text=wording.text,
        html=wording.html,
    )


def wording(message: pb.Template) -> Wording:
    """The template that a request says."""
    medium = next((one for one, number in _MEDIA.items() if number == message.medium), None)
    if medium is None:
        raise InvalidFieldError("template.medium", "must be MAIL or WEBHOOK")
    return Wording(
        notice=validate.text(message.notice, "template.notice", _MAX_NAME, required=True),
        medium=medium,
        locale=validate.text(message.locale, "template.locale", _MAX_NAME, required=True),
        subject=validate.text(message.subject, "template.subject", MAX_SUBJECT),
        text=validate.text(message.text, "template.text", MAX_TEXT),
        html=validate.text(message.html, "template.html", MAX_TEXT),
    )


def preference_messages(preferences: Sequence[Preference]) -> list[pb.Preference]:
    """Which notices a user gets."""
    return [pb.Preference(notice=one.notice, mail=one.mail, required=one.required) for one in preferences]


def said_preferences(messages: Sequence[pb.Preference]) -> Mapping[str, bool]:
    """Which notices a request wants, by name."""
    if not 0 < len(messages) <= _MAX_NAME:
        raise InvalidFieldError("preferences", f"must have 1 to {_MAX_NAME} items")
    return {one.notice: one.mail for one in messages}


def _wanted_state(number: int) -> ChannelState:
    if number == pb.CHANNEL_STATE_DISABLED:
        return "disabled"
    if number in (pb.CHANNEL_STATE_UNSPECIFIED, pb.CHANNEL_STATE_ACTIVE):
        return "active"
    raise InvalidFieldError("channel.state", "must be ACTIVE or DISABLED; only Argus pauses a channel")
