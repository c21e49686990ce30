"""What a channel is, and what can go wrong with one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from argus.base.errors import ArgusError, Code, InvalidFieldError
from argus.base.events import EVENT_TYPES
from argus.base.ids import etag
from argus.v1.errors_pb2 import ErrorReason

ChannelKind = Literal["webhook", "smtp"]
ChannelState = Literal["active", "paused", "disabled"]

MAX_CHANNELS: Final = 20
MAX_DISPLAY_NAME: Final = 100
MAX_USERNAME: Final = 200
NOUNS: Final = ("session", "device", "user")
"""What webhooks can be told of: events whose types begin with one of these."""
TOLD_TYPES: Final = frozenset(one for one in EVENT_TYPES if one.partition(".")[0] in NOUNS)
"""The types of those events."""
MAX_OVERLAP: Final = timedelta(days=7)
DEFAULT_OVERLAP: Final = timedelta(hours=24)
"""How long a secret goes on signing beside the one that took its place."""
PAUSED_AFTER: Final = timedelta(hours=24)
"""How long every try must have failed until a channel is paused."""


class ChannelNotFoundError(ArgusError):
    """There is no such channel."""

    def __init__(self, channel_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            ErrorReason.ERROR_REASON_CHANNEL_NOT_FOUND,
            f"channel {channel_id} was not found",
            channelId=channel_id,
        )


class TooManyChannelsError(ArgusError):
    """The tenant has as many channels as it may have."""

    def __init__(self) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED,
            ErrorReason.ERROR_REASON_TOO_MANY_CHANNELS,
            f"the tenant has {MAX_CHANNELS} channels, which is all that it may have; delete one",
            limit=MAX_CHANNELS,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFields:
    """What an administrator says about a channel.

    Attributes:
        url: Where it leads.
        event_types: Of a webhook: types of events, or "noun.*".
        use_templates: Of a webhook: its body is made by the tenant's template for the type, where there is one.
        locale: Language of those templates.
        username: Of a mail server: who signs in there.
        sender: Of a mail server: address that mails come from.
        state: Active or disabled.
    """

    display_name: str = ""
    url: str = ""
    event_types: Sequence[str] = ()
    use_templates: bool = False
    locale: str = ""
    username: str = ""
    sender: str = ""
    state: ChannelState = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel; see `ChannelFields`.

    Attributes:
        pause_reason: What the last try came to before it was paused.
        failing_since_time: The first failure since something arrived last; None: the last try was good.
    """

    tenant_id: str
    channel_id: str
    kind: ChannelKind
    display_name: str
    url: str
    event_types: Sequence[str]
    use_templates: bool
    locale: str
    username: str
    sender: str
    state: ChannelState
    pause_reason: str
    pause_time: datetime | None
    failing_since_time: datetime | None
    last_success_time: datetime | None
    create_time: datetime
    revision: int

    @property
    def name(self) -> str:
        """Resource name."""
        return channel_name(self.tenant_id, self.channel_id)

    @property
    def etag(self) -> str:
        """Changes with what an administrator can change."""
        return etag(self.revision)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSecret:
    """A secret of a channel, encrypted.

    Attributes:
        expire_time: Until when it signs beside the one that took its place; None: it is the newest.
    """

    secret_id: str
    ciphertext: bytes = field(repr=False)
    kek_id: str
    expire_time: datetime | None


def channel_name(tenant_id: str, channel_id: str) -> str:
    """Resource name of a channel; empty where it has no id."""
    return f"tenants/{tenant_id}/channels/{channel_id}" if channel_id else ""


def secret_place(tenant_id: str, channel_id: str, secret_id: str) -> str:
    """What a secret is bound to when it is encrypted."""
    return f"channel_secrets/{tenant_id}/{channel_id}/{secret_id}"


def check_fields(kind: ChannelKind, fields: ChannelFields, paths: Sequence[str]) -> None:
    """Raises `InvalidFieldError`, naming the field, for what can't be said about a channel (`url` apart)."""
    if len(fields.display_name) > MAX_DISPLAY_NAME or not fields.display_name.isprintable():
        raise InvalidFieldError("channel.display_name", f"must have at most {MAX_DISPLAY_NAME} printable characters")
    if kind == "webhook":
        for name in ("username", "sender"):
            if getattr(fields, name):
                raise InvalidFieldError(f"channel.{name}", "is of mail servers; a webhook is signed")
        if "event_types" in paths:
            _check_types(fields.event_types)
        return
    for name in ("event_types", "use_templates", "locale"):
        if getattr(fields, name):
            raise InvalidFieldError(f"channel.{name}", "is of webhooks")
    if "sender" in paths and not _is_address(fields.sender):
        raise InvalidFieldError("channel.sender", 'must be a bare address such as "accounts@example.com"')
    if len(fields.username) > MAX_USERNAME or not fields.username.isprintable():
        raise InvalidFieldError("channel.username", f"must have at most {MAX_USERNAME} printable characters")


def _check_types(event_types: Sequence[str]) -> None:
    if not event_types:
        raise InvalidFieldError("channel.event_types", f"must name what is to be told, {NOUNS[0]}.* say")
    allowed = {*TOLD_TYPES, *(f"{noun}.*" for noun in NOUNS)}
    for place, one in enumerate(event_types):
        if one not in allowed:
            nouns = ", ".join(NOUNS)
            raise InvalidFieldError(
                f"channel.event_types[{place}]", f"must be the type of an event of {nouns}, or one of these and .*"
            )


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and local and domain) and not any(character in text for character in ' <>,;\r\n"')
