"""What administrators do about channels and what they send, where more than one thing changes with it."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from google.protobuf.json_format import MessageToJson

from argus.base.clock import Now
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.flows.notifying.courier import Courier
from argus.flows.notifying.outlets import Outlets
from argus.mail.model import MailDelayedError, MailMessage, MailRefusedError
from argus.mail.service import Mails
from argus.notifications.channels.model import Channel, ChannelFields, channel_name
from argus.notifications.channels.service import Channels
from argus.notifications.deliveries.model import Delivery
from argus.notifications.deliveries.service import Deliveries
from argus.notifications.endpoints.webhooks import SENT
from argus.storage.postgres import Database, Transaction
from argus.v1.events_pb2 import Event


class NotificationDesk:
    """Changes, deletes, resumes and tests channels, and sends dead letters again."""

    def __init__(
        self,
        db: Database,
        channels: Channels,
        deliveries: Deliveries,
        mails: Mails,
        courier: Courier,
        outlets: Outlets,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._channels = channels
        self._deliveries = deliveries
        self._mails = mails
        self._courier = courier
        self._outlets = outlets
        self._now = now

    async def delete(self, tenant_id: str, channel_id: str, *, origin: Origin) -> None:
        """Deletes a channel, and what waits for it.

        Raises:
            ChannelNotFoundError: There is none of that id.
            RequestAlreadyDoneError: The request was carried out before.
        """
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(channel_name(tenant_id, channel_id))
            await self._channels.delete(tx, tenant_id, channel_id)
            await self._deliveries.forget_channel(tx, tenant_id, channel_id)

    async def update(
        self,
        tenant_id: str,
        channel_id: str,
        fields: ChannelFields,
        *,
        paths: Collection[str],
        password: str = "",
        etag: str = "",
        origin: Origin,
    ) -> Channel:
        """Changes a channel; what waits is due now for one that is turned on, and given up for one that is turned off.

        Raises:
            ChannelNotFoundError: There is none of that id.
            EtagMismatchError: It changed since `etag` was read.
            InvalidFieldError: A field can't be so.
            EndpointRefusedError: Nothing is sent there.
            RequestAlreadyDoneError: The request was carried out before.
        """

        async def follow(tx: Transaction, channel: Channel) -> None:
            if "state" not in paths:
                return
            if channel.state == "disabled":
                await self._deliveries.give_up(tx, tenant_id, channel_id, reason="CHANNEL_DISABLED")
            else:
                await self._deliveries.hasten(tx, tenant_id, channel_id)

        return await self._channels.update(
            tenant_id, channel_id, fields, paths=paths, password=password, etag=etag, origin=origin, also=follow
        )

    async def resume(self, tenant_id: str, channel_id: str, *, origin: Origin) -> Channel:
        """Goes on with a paused channel: all that waits for it is due now.

        Raises:
            ChannelNotFoundError: There is none of that id.
            RequestAlreadyDoneError: The request was carried out before.
        """
        async with self._db.transaction(origin, now=self._now()) as tx:
            await tx.claim(channel_name(tenant_id, channel_id))
            channel = await self._channels.resume(tx, tenant_id, channel_id)
            await self._deliveries.hasten(tx, tenant_id, channel_id)
        return channel

    async def retry(self, tenant_id: str, delivery_id: str, *, origin: Origin) -> Delivery:
        """Sends a dead letter again.

        Raises:
            DeliveryNotFoundError: There is none of that id.
            DeliveryNotDeadError: It is no dead letter.
        """
        async with self._db.transaction(origin, now=self._now()) as tx:
            dead = await self._deliveries.revive(tx, tenant_id, delivery_id)
            if dead.mail is not None:
                fields: dict[str, Any] = dict(dead.mail)
                await self._mails.revive(tx, tenant_id, delivery_id, MailMessage(**fields))
        delivery, _ = await self._deliveries.get(tenant_id, delivery_id)
        return delivery

    async def test(self, tenant_id: str, channel_id: str) -> tuple[str, timedelta]:
        """Tries a channel once; what came of it, and how long it took.

        Raises:
            ChannelNotFoundError: There is none of that id.
        """
        channel = await self._channels.get(tenant_id, channel_id)
        begun = self._now()
        outcome = await (self._test_webhook(channel) if channel.kind == "webhook" else self._test_server(channel))
        return outcome, self._now() - begun

    async def _test_webhook(self, channel: Channel) -> str:
        event = Event(
            name=new_id(),
            type="channel.tested",
            actor="system:notifications",
            outcome="success",
            data={"channel": channel.channel_id},
        )
        event.time.FromDatetime(self._now())
        return await self._courier.post(channel, message_id=event.name, body=MessageToJson(event, indent=None))

    async def _test_server(self, channel: Channel) -> str:
        outlet = await self._outlets.outlet(channel)
        try:
            await outlet.carrier.greet()
        except (MailDelayedError, MailRefusedError) as error:
            return error.reason
        return SENT
