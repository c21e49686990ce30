"""A tenant that has events sent to an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.field_mask_pb2 import FieldMask

from argus.v1 import notification_service_pb2 as pb
from argus.v1 import user_service_pb2 as users
from tests.support.own_stores import until

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.people import Person
    from tests.support.receivers import Receiver
    from tests.support.stack import Stack


@dataclass(frozen=True, slots=True)
class Hooked:
    """A webhook, and its tenant."""

    stack: Stack
    api: Api
    receiver: Receiver
    name: str
    secret: str

    @property
    def channel_id(self) -> str:
        """Id of the channel."""
        return self.name.rpartition("/")[2]

    async def channel(self) -> pb.Channel:
        """The channel as it stands now."""
        return (await self.api.notifications.GetChannel(pb.GetChannelRequest(name=self.name))).channel

    async def update(self, *paths: str, **fields: Any) -> pb.Channel:
        """Changes the channel."""
        request = pb.UpdateChannelRequest(
            channel=pb.Channel(name=self.name, **fields), update_mask=FieldMask(paths=paths or sorted(fields))
        )
        return (await self.api.notifications.UpdateChannel(request)).channel

    async def deliveries(self, state: pb.DeliveryState.ValueType = pb.DELIVERY_STATE_UNSPECIFIED) -> list[pb.Delivery]:
        """What was or is to be sent, newest first."""
        request = pb.ListDeliveriesRequest(parent=self.api.parent, channel=self.name, state=state, page_size=100)
        return list((await self.api.notifications.ListDeliveries(request)).deliveries)

    async def delivery(self, name: str) -> pb.Delivery:
        """One of them with its tries."""
        return (await self.api.notifications.GetDelivery(pb.GetDeliveryRequest(name=name))).delivery

    async def send_due(self) -> None:
        """Does now what the loops would do within a second."""
        await self.stack.argus.courier.run_due()

    async def settled(self) -> list[pb.Delivery]:
        """The deliveries, once none of them is on its way."""
        await until(self._is_settled)
        return await self.deliveries()

    async def _is_settled(self) -> bool:
        await self.send_due()
        details = [await self.delivery(one.name) for one in await self.deliveries()]
        return all(not one.attempts or one.attempts[-1].outcome for one in details)

    async def happen(self, person: Person, display_name: str = "Changed") -> None:
        """Makes one event: user.updated."""
        request = users.UpdateUserRequest(
            user=users.User(name=person.name, display_name=display_name), update_mask=FieldMask(paths=["display_name"])
        )
        await self.api.users.UpdateUser(request)


async def hooked(stack: Stack, api: Api, receiver: Receiver, *event_types: str, **fields: Any) -> Hooked:
    """Makes a webhook."""
    channel = pb.Channel(kind=pb.CHANNEL_KIND_WEBHOOK, url=receiver.url, event_types=event_types, **fields)
    made = await api.notifications.CreateChannel(pb.CreateChannelRequest(parent=api.parent, channel=channel))
    return Hooked(stack, api, receiver, made.channel.name, made.secret)
