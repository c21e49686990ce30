"""What a delivery is, how long it is tried, and what can go wrong with one."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from argus.base.errors import ArgusError, Code
from argus.v1.errors_pb2 import ErrorReason

DeliveryState = Literal["waiting", "sent", "dead"]

LEASE: Final = timedelta(minutes=2)
"""How long a delivery is left to the process that has taken it; longer than sending may take."""
KEPT: Final = timedelta(days=30)
"""How long the log goes back."""
LONGEST_WAIT: Final = timedelta(days=3)
"""How long a delivery may wait, for a paused channel say, until it is given up."""
# As Standard Webhooks proposes: seconds first, then hours; a day in all.
_WAITS: Final = tuple(
    timedelta(seconds=one) for one in (5, 60, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 8 * 3600, 8 * 3600)
)
_SPREAD: Final = 0.1
_STEPS: Final = 1000


class DeliveryNotFoundError(ArgusError):
    """There is no such delivery, or it is older than the log."""

    def __init__(self, delivery_id: str) -> None:
        super().__init__(
            Code.NOT_FOUND,
            ErrorReason.ERROR_REASON_DELIVERY_NOT_FOUND,
            f"delivery {delivery_id} was not found; the log goes back {KEPT.days} days",
            deliveryId=delivery_id,
        )


class DeliveryNotDeadError(ArgusError):
    """Only a dead letter can be sent again."""

    def __init__(self, delivery_id: str, state: DeliveryState) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            ErrorReason.ERROR_REASON_DELIVERY_NOT_DEAD,
            f"delivery {delivery_id} is no dead letter: it is {state}",
            deliveryId=delivery_id,
            state=state.upper(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Something on its way over a channel.

    Attributes:
        channel_id: Empty: the installation's mail server.
        subject: Type of the event, or "mail." and the template.
        event_id: The event; empty: it is a mail.
        event_time: When it happened.
        mail: Of a mail that is a dead letter: what is needed to send it again.
        attempts: How often it was taken: whoever took it last says what comes of it.
        tries: The same since it was sent, or sent again, for the first time.
    """

    tenant_id: str
    delivery_id: str
    channel_id: str
    subject: str
    event_id: str
    event_time: datetime
    user_id: str | None
    mail: Mapping[str, Any] | None
    state: DeliveryState
    reason: str
    create_time: datetime
    expire_time: datetime
    attempt_time: datetime
    attempts: int
    tries: int

    @property
    def name(self) -> str:
        """Resource name."""
        return f"tenants/{self.tenant_id}/deliveries/{self.delivery_id}"

    def next_try(self, *, now: datetime) -> datetime | None:
        """When it is tried again after a failure, later after each and never all at the same instant; None: no more."""
        if self.tries > len(_WAITS):
            return None
        spread = zlib.crc32(f"{self.delivery_id}/{self.tries}".encode()) % _STEPS / _STEPS
        return now + _WAITS[self.tries - 1] * (1 + _SPREAD * spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try of a delivery.

    Attributes:
        outcome: "SENT", or why not; empty: whoever tried has not come to say.
    """

    time: datetime
    outcome: str
    duration: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event that channels may want to be told of."""

    tenant_id: str
    event_id: str
    type: str
    time: datetime
    user_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """Some deliveries of a list, and where it goes on; empty: nowhere."""

    deliveries: Sequence[Delivery]
    next_page_token: str
