"""Sends what waits for webhooks: any number of processes, each delivery with one of them at a time.

A delivery is taken for two minutes (SKIP LOCKED), sent, and closed by whoever took it last. A process that dies in
between leaves it to be sent again under the same `webhook-id`: at least once, and twice only where nobody can know
whether it has arrived.
"""

import asyncio
import time
from datetime import timedelta
from typing import Final

import structlog

from argus.audit.service import Audit
from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.flows.notifying.payloads import event_body
from argus.notifications.channels.model import Channel, ChannelNotFoundError
from argus.notifications.channels.service import Channels
from argus.notifications.deliveries.model import Delivery
from argus.notifications.deliveries.service import Deliveries
from argus.notifications.endpoints.webhooks import GONE, SENT, Message, WebhookSender
from argus.notifications.wordings.model import LOCALES
from argus.notifications.wordings.service import Wordings
from argus.storage.postgres import Database

_AT_A_TIME: Final = 32
_OF_A_CHANNEL: Final = 4
_PAUSE_SECONDS: Final = 0.5
_LAST_WORDS_SECONDS: Final = 3.0
FAILED: Final = "FAILED"
"""Outcome of a try that failed in Argus itself; the log says why."""

# Of no use another time.
_FINAL: Final = frozenset({"EVENT_GONE", "CHANNEL_GONE"})
_log = structlog.get_logger(__name__)


class Courier:
    """The worker that sends events; any number of processes run one."""

    def __init__(
        self,
        db: Database,
        deliveries: Deliveries,
        channels: Channels,
        wordings: Wordings,
        audit: Audit,
        sender: WebhookSender,
        *,
        now: Now,
    ) -> None:
        self._db = db
        self._deliveries = deliveries
        self._channels = channels
        self._wordings = wordings
        self._audit = audit
        self._sender = sender
        self._now = now
        self._running: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Sends what is due until it is cancelled; then what is on its way has a moment to arrive.

        Raises:
            UnavailableError: PostgreSQL is away; what is left stays due.
        """
        try:
            while True:
                begun = await self._begin()
                is_full = len(self._running) >= _AT_A_TIME
                if not begun or is_full:
                    await self._wait(None if is_full else _PAUSE_SECONDS)
        finally:
            if self._running:
                await asyncio.wait(self._running, timeout=_LAST_WORDS_SECONDS)
                for one in self._running:
                    one.cancel()

    async def run_due(self) -> int:
        """Sends all that is due now; says how many tries that were.

        Raises:
            UnavailableError: PostgreSQL is away; what is left stays due.
        """
        seen = 0
        while begun := await self._begin():
            seen += begun
            await asyncio.gather(*self._running)
        return seen

    async def send_once(self, channel: Channel, delivery: Delivery) -> str:
        """Tries to send an event over a channel; says what came of it."""
        event = await self._audit.find(delivery.tenant_id, delivery.event_id, time=delivery.event_time)
        if event is None:
            return "EVENT_GONE"
        wording = None
        if channel.use_templates:
            locale = channel.locale or LOCALES[0]
            wording = await self._wordings.find(channel.tenant_id, "webhook", event.type, locale)
        body = event_body(event, wording, tenant=channel.tenant_id)
        return await self.post(channel, message_id=event.event_id, body=body)

    async def post(self, channel: Channel, *, message_id: str, body: str) -> str:
        """Sends a body to a webhook once; says what came of it."""
        message = Message(
            url=channel.url,
            message_id=message_id,
            time=self._now(),
            body=body,
            secrets=await self._channels.secrets(channel.tenant_id, channel.channel_id),
        )
        return await self._sender.send(message)

    async def _begin(self) -> int:
        """Takes what is due, and begins to send it; says how much."""
        counts = list(self._running.values())
        busy = {one for one in counts if counts.count(one) >= _OF_A_CHANNEL}
        room = _AT_A_TIME - len(self._running)
        taken = await self._deliveries.take(size=room, each=_OF_A_CHANNEL, busy=busy) if room > 0 else ()
        for one in taken:
            task = asyncio.create_task(self._deliver(one), name=f"delivery {one.delivery_id}")
            self._running[task] = one.channel_id
            task.add_done_callback(self._forget)
        return len(taken)

    async def _wait(self, seconds: float | None) -> None:
        if not self._running:
            await asyncio.sleep(seconds or _PAUSE_SECONDS)
            return
        await asyncio.wait(self._running, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.pop(task, None)
        if not task.cancelled():
            task.exception()  # it was logged

    async def _deliver(self, delivery: Delivery) -> None:
        started = time.perf_counter()
        try:
            outcome = await self._outcome(delivery)
            await self._close(delivery, outcome, timedelta(seconds=time.perf_counter() - started))
        except UnavailableError as error:
            # It stays taken, and is due again when its time is over.
            _log.warning("delivery.unavailable", delivery=delivery.delivery_id, component=error.component)
        except Exception:  # noqa: BLE001  # whatever is wrong with it must not hold the others up
            _log.exception("delivery.failed", delivery=delivery.delivery_id)

    async def _outcome(self, delivery: Delivery) -> str:
        try:
            return await self._attempt(delivery)
        except UnavailableError:
            raise
        except Exception:  # noqa: BLE001  # a failure as any other: tried again, and shown where those are
            _log.exception("delivery.failed", delivery=delivery.delivery_id)
            return FAILED

    async def _attempt(self, delivery: Delivery) -> str:
        try:
            channel = await self._channels.get(delivery.tenant_id, delivery.channel_id)
        except ChannelNotFoundError:
            return "CHANNEL_GONE"
        return await self.send_once(channel, delivery)

    async def _close(self, delivery: Delivery, outcome: str, duration: timedelta) -> None:
        origin = Origin(tenant_id=delivery.tenant_id, actor="system:notifications", request_id=new_id())
        is_sent = outcome == SENT
        if not is_sent:
            _log.warning("delivery.delayed", delivery=delivery.delivery_id, tries=delivery.tries, reason=outcome)
        async with self._db.transaction(origin, now=self._now()) as tx:
            await self._channels.hold(tx, delivery.tenant_id, delivery.channel_id)
            is_ours = await self._deliveries.note(
                tx, delivery, outcome=outcome, duration=duration, is_sent=is_sent, is_final=outcome in _FINAL
            )
            if is_sent:
                await self._channels.note_success(tx, delivery.tenant_id, delivery.channel_id)
            elif is_ours and outcome not in _FINAL:
                await self._channels.note_failure(
                    tx, delivery.tenant_id, delivery.channel_id, reason=outcome, is_gone=outcome == GONE
                )
