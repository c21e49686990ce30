"""Leaves events to be sent to the webhooks that want them, in the transaction in which they happen."""

from argus.notifications.channels.model import TOLD_TYPES
from argus.notifications.deliveries.model import Told
from argus.notifications.deliveries.service import Deliveries
from argus.plans.service import Plans
from argus.storage.postgres import Transaction


class FanOut:
    """An event and what is to be sent of it are committed together, or not at all."""

    def __init__(self, deliveries: Deliveries, plans: Plans) -> None:
        self._deliveries = deliveries
        self._plans = plans

    async def post(self, tx: Transaction) -> None:
        """Adds what is to be sent of the events that `tx` has recorded."""
        told = [
            Told(
                tenant_id=one.origin.tenant_id,
                event_id=one.event_id,
                type=one.event.type,
                time=one.time,
                user_id=one.event.user_id,
            )
            for one in tx.recorded
            if one.event.type in TOLD_TYPES and (await self._plans.of(one.origin.tenant_id)).tells(one.event.type)
        ]
        if told:
            await self._deliveries.fan_out(tx, told)
