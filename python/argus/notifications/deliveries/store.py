"""Deliveries in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.types.json import Jsonb

from argus.notifications.deliveries.model import Attempt, Delivery, DeliveryState, Told
from argus.storage.addresses import ADDRESSES_OF_USER
from argus.storage.columns import columns
from argus.storage.postgres import Database, Transaction

_NAMES: Final = (
    "tenant_id, delivery_id, channel_id, subject, event_id, event_time, user_id, mail, state, reason, create_time, "
    "expire_time, attempt_time, attempts, tries"
)
_OF_D: Final = (
    "d.tenant_id, d.delivery_id, d.channel_id, d.subject, d.event_id, d.event_time, d.user_id, d.mail, d.state, "
    "d.reason, d.create_time, d.expire_time, d.attempt_time, d.attempts, d.tries"
)


async def fan_out(tx: Transaction, events: Sequence[Told], *, lasts: timedelta) -> None:
    """Adds a delivery for each webhook that wants to be told of an event, as `tx` sees the webhooks."""
    rows = [(one.tenant_id, one.event_id, one.type, one.time, one.user_id) for one in events]
    await tx.execute(
        """INSERT INTO deliveries (tenant_id, delivery_id, channel_id, subject, event_id, event_time, user_id, state,
                                   create_time, expire_time, attempt_time)
           SELECT w.tenant_id, w.event_id || c.channel_id, c.channel_id, w.type, w.event_id, w.time, w.user_id,
                  'waiting', w.time, w.time + %s, w.time
             FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::text[])
                  AS w (tenant_id, event_id, type, time, user_id)
             JOIN channels c ON c.tenant_id = w.tenant_id AND c.kind = 'webhook' AND c.state <> 'disabled'
              AND (w.type = ANY (c.event_types) OR split_part(w.type, '.', 1) || '.*' = ANY (c.event_types))""",
        (lasts, *columns(rows)),
    )


async def take(
    db: Database, *, now: datetime, until: datetime, size: int, each: int, busy: Collection[str]
) -> list[Delivery]:
    """Deliveries that are due, which nobody else takes before `until`; their tries are in the log from now on.

    Args:
        db: Where they are.
        now: The time.
        until: When they may be taken again, if nobody says what came of them.
        size: Most deliveries.
        each: Most of one channel: one that is slow must not hold up the others.
        busy: Channels to leave alone.
    """
    async with db.transaction() as tx:
        rows = await tx.fetch_all(
            f"""WITH due AS (
                    SELECT w.tenant_id, w.delivery_id FROM channels c
                     CROSS JOIN LATERAL (
                           SELECT tenant_id, delivery_id FROM deliveries
                            WHERE tenant_id = c.tenant_id AND channel_id = c.channel_id AND state = 'waiting'
                              AND attempt_time <= %(now)s
                            ORDER BY attempt_time, delivery_id LIMIT %(each)s FOR UPDATE SKIP LOCKED) w
                     WHERE c.kind = 'webhook' AND c.state = 'active' AND c.channel_id <> ALL (%(busy)s)
                     LIMIT %(size)s)
                UPDATE deliveries d SET attempts = d.attempts + 1, tries = d.tries + 1, attempt_time = %(until)s
                  FROM due WHERE d.tenant_id = due.tenant_id AND d.delivery_id = due.delivery_id
                RETURNING {_OF_D}""",
            {"now": now, "until": until, "size": size, "each": each, "busy": list(busy)},
        )
        taken = [Delivery(**row) for row in rows]
        if taken:
            await tx.execute(
                """INSERT INTO delivery_attempts (tenant_id, delivery_id, attempt, time)
                   SELECT * FROM unnest(%s::text[], %s::text[], %s::integer[], %s::timestamptz[])""",
                columns([(one.tenant_id, one.delivery_id, one.attempts, now) for one in taken]),
            )
    return taken


async def finish(
    tx: Transaction, delivery: Delivery, *, state: DeliveryState, reason: str, attempt_time: datetime
) -> bool:
    """Says what came of a delivery; False: somebody else has taken it since, and it is theirs to say."""
    written = await tx.execute(
        """UPDATE deliveries SET state = %s, reason = %s, attempt_time = %s
            WHERE tenant_id = %s AND delivery_id = %s AND attempts = %s AND state = 'waiting'""",
        (state, reason, attempt_time, delivery.tenant_id, delivery.delivery_id, delivery.attempts),
    )
    return written == 1


async def log_attempt(tx: Transaction, delivery: Delivery, *, outcome: str, duration: timedelta) -> None:
    """Says in the log what came of a try."""
    await tx.execute(
        """UPDATE delivery_attempts SET outcome = %s, duration = %s
            WHERE tenant_id = %s AND delivery_id = %s AND attempt = %s""",
        (outcome, duration, delivery.tenant_id, delivery.delivery_id, delivery.attempts),
    )


async def find(db: Database | Transaction, tenant_id: str, delivery_id: str) -> Delivery | None:
    """The delivery, if there is one of that id."""
    row = await db.fetch_one(
        f"SELECT {_NAMES} FROM deliveries WHERE tenant_id = %s AND delivery_id = %s", (tenant_id, delivery_id)
    )
    return None if row is None else Delivery(**row)


async def hold_reader(tx: Transaction, tenant_id: str, delivery_id: str) -> None:
    """Keeps the user that a mail is to from being deleted until the transaction ends."""
    await tx.fetch_one(
        """SELECT u.user_id FROM deliveries d JOIN users u USING (tenant_id)
            WHERE d.tenant_id = %s AND d.delivery_id = %s AND d.mail IS NOT NULL
              AND u.user_id IN (SELECT d.user_id UNION ALL
                                SELECT i.user_id FROM identifiers i
                                 WHERE i.tenant_id = d.tenant_id AND i.canonical = lower(d.mail ->> 'to'))
              FOR SHARE OF u""",
        (tenant_id, delivery_id),
    )


async def lock(tx: Transaction, tenant_id: str, delivery_id: str) -> Delivery | None:
    """The delivery, which nobody else can change until the transaction ends."""
    row = await tx.fetch_one(
        f"SELECT {_NAMES} FROM deliveries WHERE tenant_id = %s AND delivery_id = %s FOR UPDATE",
        (tenant_id, delivery_id),
    )
    return None if row is None else Delivery(**row)


async def attempts(db: Database, tenant_id: str, delivery_id: str) -> list[Attempt]:
    """The tries of a delivery, in order."""
    rows = await db.fetch_all(
        """SELECT time, outcome, duration FROM delivery_attempts
            WHERE tenant_id = %s AND delivery_id = %s ORDER BY attempt""",
        (tenant_id, delivery_id),
    )
    return [Attempt(**row) for row in rows]


async def page(
    db: Database,
    tenant_id: str,
    *,
    state: DeliveryState | None,
    channel_id: str | None,
    before: tuple[datetime, str] | None,
    limit: int,
) -> list[Delivery]:
    """Deliveries of a tenant (in a state, of a channel), newest first, after the position `before`."""
    conditions, values = "", [tenant_id]
    for column, value in (("state", state), ("channel_id", channel_id)):
        if value is not None:
            conditions += f" AND {column} = %s"
            values.append(value)
    following = "" if before is None else " AND (create_time, delivery_id) < (%s, %s)"
    sql: Any = (
        f"SELECT {_NAMES} FROM deliveries WHERE tenant_id = %s{conditions}{following}"
        " ORDER BY create_time DESC, delivery_id DESC LIMIT %s"
    )
    rows = await db.fetch_page(sql, (*values, *(before or ()), limit))
    return [Delivery(**row) for row in rows]


async def revive(tx: Transaction, delivery: Delivery, *, at: datetime, expire_time: datetime) -> None:
    """Makes a dead letter wait again, with as many tries as a new one."""
    await tx.execute(
        """UPDATE deliveries SET state = 'waiting', reason = '', attempt_time = %s, expire_time = %s, tries = 0
            WHERE tenant_id = %s AND delivery_id = %s""",
        (at, expire_time, delivery.tenant_id, delivery.delivery_id),
    )


async def hasten(tx: Transaction, tenant_id: str, channel_id: str, *, at: datetime) -> None:
    """Makes all that waits for a channel due now; what is being sent stays with who sends it."""
    await tx.execute(
        """UPDATE deliveries SET attempt_time = %s, tries = 0
            WHERE tenant_id = %s AND channel_id = %s AND state = 'waiting' AND attempt_time > %s
              AND NOT EXISTS (SELECT 1 FROM delivery_attempts a
                               WHERE a.tenant_id = deliveries.tenant_id AND a.delivery_id = deliveries.delivery_id
                                 AND a.attempt = deliveries.attempts AND a.outcome = '')""",
        (at, tenant_id, channel_id, at),
    )


async def give_up(tx: Transaction, tenant_id: str, channel_id: str, *, reason: str) -> None:
    """Makes dead letters of all that waits for a channel."""
    await tx.execute(
        """UPDATE deliveries SET state = 'dead', reason = %s
            WHERE tenant_id = %s AND channel_id = %s AND state = 'waiting'""",
        (reason, tenant_id, channel_id),
    )


async def delete_of_channel(tx: Transaction, tenant_id: str, channel_id: str) -> None:
    """Deletes what waits for a channel that goes away; the log stays."""
    await tx.execute(
        "DELETE FROM deliveries WHERE tenant_id = %s AND channel_id = %s AND state <> 'sent'", (tenant_id, channel_id)
    )


async def delete_mails_of_user(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Deletes the dead letters of a user, and those to its addresses that are nobody's.

    That others were sent stays in the log, without an address.
    """
    await tx.execute(
        f"""DELETE FROM deliveries WHERE tenant_id = %s AND mail IS NOT NULL
               AND (user_id = %s OR user_id IS NULL AND lower(mail ->> 'to') IN {ADDRESSES_OF_USER})""",
        (tenant_id, user_id, tenant_id, user_id),
    )


async def give_up_expired(tx: Transaction, *, now: datetime, size: int) -> list[Delivery]:
    """Makes dead letters of what has waited for too long; returns them."""
    rows = await tx.fetch_all(
        f"""UPDATE deliveries SET state = 'dead', reason = CASE reason WHEN '' THEN 'EXPIRED' ELSE reason END
             WHERE (tenant_id, delivery_id) IN (
                   SELECT tenant_id, delivery_id FROM deliveries WHERE state = 'waiting' AND expire_time <= %s
                    ORDER BY expire_time LIMIT %s FOR UPDATE SKIP LOCKED)
            RETURNING {_NAMES}""",
        (now, size),
    )
    return [Delivery(**row) for row in rows]


async def forget(tx: Transaction, *, before: datetime, size: int) -> int:
    """Deletes what is older than the log; says how many rows."""
    return await tx.execute(
        """DELETE FROM deliveries WHERE (tenant_id, delivery_id) IN (
               SELECT tenant_id, delivery_id FROM deliveries WHERE create_time < %s AND state <> 'waiting'
                ORDER BY create_time LIMIT %s FOR UPDATE SKIP LOCKED)""",
        (before, size),
    )


async def log_mail(tx: Transaction, delivery: Delivery) -> None:
    """Keeps what became of a mail, in the place of what was kept of it before."""
    await tx.execute(
        """INSERT INTO deliveries (tenant_id, delivery_id, channel_id, subject, event_time, user_id, mail, state,
                                   reason, create_time, expire_time, attempt_time, attempts)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
           ON CONFLICT (tenant_id, delivery_id) DO UPDATE
               SET state = excluded.state, reason = excluded.reason, mail = excluded.mail,
                   attempts = deliveries.attempts + excluded.attempts, attempt_time = excluded.attempt_time""",
        (
            delivery.tenant_id,
            delivery.delivery_id,
            delivery.channel_id,
            delivery.subject,
            delivery.event_time,
            delivery.user_id,
            None if delivery.mail is None else Jsonb(dict(delivery.mail)),
            delivery.state,
            delivery.reason,
            delivery.create_time,
            delivery.expire_time,
            delivery.attempt_time,
            delivery.attempts,
        ),
    )
