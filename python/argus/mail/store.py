"""Mails that wait, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from psycopg.types.json import Jsonb

from argus.mail.model import MailMessage, QueuedMail
from argus.storage.addresses import ADDRESSES_OF_USER
from argus.storage.postgres import Database, Transaction

_COLUMNS: Final = """tenant_id, mail_id, template, locale, user_id, recipient, variables, link_id, code_id, create_time,
       expire_time, attempts"""


async def insert(
    tx: Transaction, tenant_id: str, mail_id: str, message: MailMessage, *, at: datetime, expire_time: datetime
) -> None:
    """Adds a mail."""
    await tx.execute(
        """INSERT INTO mails (tenant_id, mail_id, template, locale, user_id, recipient, variables, link_id, code_id,
               create_time, expire_time, attempt_time)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            tenant_id,
            mail_id,
            message.template,
            message.locale,
            message.user_id,
            message.to,
            Jsonb(dict(message.variables)),
            message.link_id,
            message.code_id,
            at,
            expire_time,
            at,
        ),
    )


async def take(db: Database, *, now: datetime, until: datetime, size: int) -> Sequence[QueuedMail]:
    """Mails that are due, which nobody else takes before `until`."""
    async with db.transaction() as tx:
        rows = await tx.fetch_all(
            f"""UPDATE mails SET attempts = attempts + 1, attempt_time = %s
                 WHERE (tenant_id, mail_id) IN (
                       SELECT tenant_id, mail_id FROM mails WHERE attempt_time <= %s
                        ORDER BY attempt_time LIMIT %s FOR UPDATE SKIP LOCKED)
                RETURNING {_COLUMNS}""",
            (until, now, size),
        )
    return [QueuedMail(**row) for row in rows]


async def postpone(db: Database, mail: QueuedMail, *, until: datetime) -> None:
    """Leaves a mail for later."""
    async with db.transaction() as tx:
        await tx.execute(
            "UPDATE mails SET attempt_time = %s WHERE tenant_id = %s AND mail_id = %s",
            (until, mail.tenant_id, mail.mail_id),
        )


async def remove(tx: Transaction, mail: QueuedMail) -> bool:
    """Forgets a mail that was sent or given up; False: it was forgotten before."""
    deleted = await tx.execute(
        "DELETE FROM mails WHERE tenant_id = %s AND mail_id = %s", (mail.tenant_id, mail.mail_id)
    )
    return deleted == 1


async def delete_of_user(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Deletes the mails that wait for a user, and those to its addresses that are nobody's."""
    await tx.execute(
        f"""DELETE FROM mails WHERE tenant_id = %s
               AND (user_id = %s OR user_id IS NULL AND lower(recipient) IN {ADDRESSES_OF_USER})""",
        (tenant_id, user_id, tenant_id, user_id),
    )
