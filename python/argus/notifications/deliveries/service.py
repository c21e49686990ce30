"""What can be done with deliveries."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from argus.base.clock import Now
from argus.base.errors import PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.pages import decode_page, encode_page
from argus.notifications.deliveries import store
from argus.notifications.deliveries.model import (
    KEPT,
    LEASE,
    LONGEST_WAIT,
    Attempt,
    Delivery,
    DeliveryNotDeadError,
    DeliveryNotFoundError,
    DeliveryPage,
    DeliveryState,
    Told,
)
from argus.storage.postgres import Database, Transaction

_SYSTEM: Final = "system:notifications"
_BATCH: Final = 500


class Deliveries:
    """The deliveries of all tenants."""

    def __init__(self, db: Database, *, now: Now) -> None:
        self._db = db
        self._now = now

    async def fan_out(self, tx: Transaction, events: Sequence[Told]) -> None:
        """Leaves events to be sent to the webhooks that want them, once `tx` is committed."""
        await store.fan_out(tx, events, lasts=LONGEST_WAIT)

    async def take(self, *, size: int, each: int, busy: Collection[str]) -> Sequence[Delivery]:
        """Deliveries that are due, at most `each` of a channel, for this process alone until `LEASE` is over."""
        now = self._now()
        return await store.take(self._db, now=now, until=now + LEASE, size=size, each=each, busy=busy)

    async def note(
        self, tx: Transaction, delivery: Delivery, *, outcome: str, duration: timedelta, is_sent: bool, is_final: bool
    ) -> bool:
        """Says what came of a try that `take` has begun; False: somebody else has taken it since.

        Args:
            tx: Where.
            delivery: As it was taken.
            outcome: What came of it.
            duration: How long it took.
            is_sent: It has arrived.
            is_final: Another try is of no use.
        """
        now = self._now()
        await store.log_attempt(tx, delivery, outcome=outcome, duration=duration)
        following = None if is_sent or is_final else delivery.next_try(now=now)
        state: DeliveryState = "sent" if is_sent else "waiting" if following else "dead"
        is_ours = await store.finish(
            tx, delivery, state=state, reason="" if is_sent else outcome, attempt_time=following or now
        )
        if is_ours and state == "dead":
            tx.record(_dead(delivery, outcome), time=now)
        return is_ours

    async def get(self, tenant_id: str, delivery_id: str) -> tuple[Delivery, Sequence[Attempt]]:
        """A delivery and its tries.

        Raises:
            DeliveryNotFoundError: There is none of that id.
        """
        delivery = await store.find(self._db, tenant_id, delivery_id)
        if delivery is None:
            raise DeliveryNotFoundError(delivery_id)
        return delivery, await store.attempts(self._db, tenant_id, delivery_id)

    async def page(
        self,
        tenant_id: str,
        *,
        state: DeliveryState | None = None,
        channel_id: str | None = None,
        size: int,
        page_token: str = "",
    ) -> DeliveryPage:
        """Deliveries of a tenant, newest first.

        Raises:
            PageTokenInvalidError: The token is of another list.
        """
        kind = f"deliveries:{tenant_id}:{state}:{channel_id}"
        before = _position(kind, page_token) if page_token else None
        found = await store.page(self._db, tenant_id, state=state, channel_id=channel_id, before=before, limit=size + 1)
        shown = found[:size]
        token = ""
        if len(found) > size:
            token = encode_page(kind, (shown[-1].create_time.astimezone(UTC).isoformat(), shown[-1].delivery_id))
        return DeliveryPage(deliveries=shown, next_page_token=token)

    async def revive(self, tx: Transaction, tenant_id: str, delivery_id: str) -> Delivery:
        """Makes a dead letter wait again, within `tx`; as it was before.

        Raises:
            DeliveryNotFoundError: There is none of that id.
            DeliveryNotDeadError: It is no dead letter.
        """
        # Users before deliveries, as where a user is deleted: else the mail would wait again for one that is gone.
        await store.hold_reader(tx, tenant_id, delivery_id)
        delivery = await store.lock(tx, tenant_id, delivery_id)
        if delivery is None:
            raise DeliveryNotFoundError(delivery_id)
        if delivery.state != "dead":
            raise DeliveryNotDeadError(delivery_id, delivery.state)
        now = self._now()
        await store.revive(tx, delivery, at=now, expire_time=now + LONGEST_WAIT)
        tx.record(Event(type="delivery.retried", user_id=delivery.user_id, data={"delivery": delivery_id}), time=now)
        return delivery

    async def hasten(self, tx: Transaction, tenant_id: str, channel_id: str) -> None:
        """Makes all that waits for a channel due now, within `tx`."""
        await store.hasten(tx, tenant_id, channel_id, at=self._now())

    async def give_up(self, tx: Transaction, tenant_id: str, channel_id: str, *, reason: str) -> None:
        """Makes dead letters of all that waits for a channel, within `tx`."""
        await store.give_up(tx, tenant_id, channel_id, reason=reason)

    async def forget_channel(self, tx: Transaction, tenant_id: str, channel_id: str) -> None:
        """Deletes what waits for a channel that goes away, and its dead letters, within `tx`."""
        await store.delete_of_channel(tx, tenant_id, channel_id)

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Deletes the dead letters of a user that is deleted, within `tx`."""
        await store.delete_mails_of_user(tx, tenant_id, user_id)

    async def log_mail(
        self,
        tx: Transaction,
        *,
        tenant_id: str,
        mail_id: str,
        template: str,
        channel_id: str,
        user_id: str | None,
        create_time: datetime,
        attempts: int,
        failure: str,
        kept: Mapping[str, Any] | None,
    ) -> None:
        """Keeps what became of a mail; of a dead letter what is needed to send it again.

        Args:
            tx: Where.
            tenant_id: Tenant.
            mail_id: Id of the mail.
            template: Which one.
            channel_id: The tenant's own mail server; empty: the installation's.
            user_id: Whom it is about.
            create_time: When it was written.
            attempts: How often it was tried.
            failure: Why it was given up; empty: it was sent.
            kept: The mail, where it can be sent again.
        """
        now = self._now()
        delivery = Delivery(
            tenant_id=tenant_id,
            delivery_id=mail_id,
            channel_id=channel_id,
            subject=f"mail.{template}",
            event_id="",
            event_time=create_time,
            user_id=user_id,
            mail=kept,
            state="dead" if failure else "sent",
            reason=failure,
            create_time=create_time,
            expire_time=create_time + KEPT,
            attempt_time=now,
            attempts=attempts,
            tries=0,
        )
        await store.log_mail(tx, delivery)

    async def tidy(self) -> None:
        """Gives up what has waited for too long, and forgets what is older than the log."""
        now = self._now()
        given_up = forgotten = _BATCH
        while given_up == _BATCH:
            async with self._db.transaction(now=now) as tx:
                expired = await store.give_up_expired(tx, now=now, size=_BATCH)
                for one in expired:
                    tx.record(_dead(one, one.reason), time=now, origin=_origin(one.tenant_id))
            given_up = len(expired)
        while forgotten == _BATCH:
            async with self._db.transaction() as tx:
                forgotten = await store.forget(tx, before=now - KEPT, size=_BATCH)


def _origin(tenant_id: str) -> Origin:
    return Origin(tenant_id=tenant_id, actor=_SYSTEM, request_id="")


def _dead(delivery: Delivery, reason: str) -> Event:
    return Event(
        type="delivery.dead",
        outcome="failure",
        reason=reason,
        user_id=delivery.user_id,
        data={"delivery": delivery.delivery_id, "channel": delivery.channel_id, "subject": delivery.subject},
    )


def _position(kind: str, token: str) -> tuple[datetime, str]:
    key = decode_page(kind, token)
    try:
        time, delivery_id = key
        return datetime.fromisoformat(time), delivery_id
    except ValueError:
        raise PageTokenInvalidError from None
