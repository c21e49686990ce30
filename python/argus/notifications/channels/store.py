"""Channels and their secrets in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from argus.notifications.channels.model import Channel, ChannelSecret
from argus.storage.postgres import Database, Transaction

# Who sends much need not write each time that it arrived.
_OFTEN: Final = timedelta(seconds=10)
_COLUMNS: Final = """tenant_id, channel_id, kind, display_name, url, event_types, use_templates, locale, username,
       sender, state, pause_reason, pause_time, failing_since_time, last_success_time, create_time, revision"""


async def find(db: Database | Transaction, tenant_id: str, channel_id: str) -> Channel | None:
    """The channel, if there is one of that id."""
    row = await db.fetch_one(
        f"SELECT {_COLUMNS} FROM channels WHERE tenant_id = %s AND channel_id = %s", (tenant_id, channel_id)
    )
    return None if row is None else _channel(row)


async def lock(tx: Transaction, tenant_id: str, channel_id: str) -> Channel | None:
    """The channel, which nobody else can change until the transaction ends."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM channels WHERE tenant_id = %s AND channel_id = %s FOR NO KEY UPDATE",
        (tenant_id, channel_id),
    )
    return None if row is None else _channel(row)


async def of_tenant(db: Database | Transaction, tenant_id: str) -> list[Channel]:
    """All channels of a tenant, by id."""
    rows = await db.fetch_all(f"SELECT {_COLUMNS} FROM channels WHERE tenant_id = %s ORDER BY channel_id", (tenant_id,))
    return [_channel(row) for row in rows]


async def insert(tx: Transaction, channel: Channel) -> None:
    """Adds a channel."""
    await tx.execute(
        """INSERT INTO channels (tenant_id, channel_id, kind, display_name, url, event_types, use_templates, locale,
               username, sender, state, create_time) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
        (
            channel.tenant_id,
            channel.channel_id,
            channel.kind,
            channel.display_name,
            channel.url,
            list(channel.event_types),
            channel.use_templates,
            channel.locale,
            channel.username,
            channel.sender,
            channel.state,
            channel.create_time,
        ),
    )


async def update(tx: Transaction, channel: Channel) -> None:
    """Writes what can change."""
    await tx.execute(
        """UPDATE channels SET display_name = %s, url = %s, event_types = %s, use_templates = %s, locale = %s,
               username = %s, sender = %s, state = %s, pause_reason = %s, pause_time = %s, failing_since_time = %s,
               revision = %s
            WHERE tenant_id = %s AND channel_id = %s""",
        (
            channel.display_name,
            channel.url,
            list(channel.event_types),
            channel.use_templates,
            channel.locale,
            channel.username,
            channel.sender,
            channel.state,
            channel.pause_reason,
            channel.pause_time,
            channel.failing_since_time,
            channel.revision,
            channel.tenant_id,
            channel.channel_id,
        ),
    )


async def delete(tx: Transaction, tenant_id: str, channel_id: str) -> None:
    """Deletes a channel and its secrets."""
    await tx.execute("DELETE FROM channels WHERE tenant_id = %s AND channel_id = %s", (tenant_id, channel_id))


async def succeeded(tx: Transaction, tenant_id: str, channel_id: str, *, at: datetime) -> None:
    """Something has arrived."""
    await tx.execute(
        """UPDATE channels SET last_success_time = GREATEST(last_success_time, %s), failing_since_time = NULL
            WHERE tenant_id = %s AND channel_id = %s
              AND (failing_since_time IS NOT NULL OR last_success_time IS NULL OR last_success_time < %s)""",
        (at, tenant_id, channel_id, at - _OFTEN),
    )


async def failed(tx: Transaction, tenant_id: str, channel_id: str, *, at: datetime) -> datetime | None:
    """A try has failed; since when all have. None: there is no such channel any more."""
    row = await tx.fetch_one(
        """UPDATE channels SET failing_since_time = COALESCE(failing_since_time, %s)
            WHERE tenant_id = %s AND channel_id = %s RETURNING failing_since_time""",
        (at, tenant_id, channel_id),
    )
    return None if row is None else row["failing_since_time"]


async def pause(tx: Transaction, tenant_id: str, channel_id: str, *, reason: str, at: datetime) -> bool:
    """Pauses an active channel; False: it was not active."""
    return (
        await tx.execute(
            """UPDATE channels SET state = 'paused', pause_reason = %s, pause_time = %s
                WHERE tenant_id = %s AND channel_id = %s AND state = 'active'""",
            (reason, at, tenant_id, channel_id),
        )
        == 1
    )


async def secrets(db: Database, tenant_id: str, channel_id: str, *, now: datetime) -> Sequence[ChannelSecret]:
    """The secrets that are good now, the newest first."""
    rows = await db.fetch_all(
        """SELECT secret_id, ciphertext, kek_id, expire_time FROM channel_secrets
            WHERE tenant_id = %s AND channel_id = %s AND (expire_time IS NULL OR expire_time > %s)
            ORDER BY expire_time DESC NULLS FIRST""",
        (tenant_id, channel_id, now),
    )
    return [ChannelSecret(**{**row, "ciphertext": bytes(row["ciphertext"])}) for row in rows]


async def replace_secret(
    tx: Transaction, tenant_id: str, channel_id: str, secret: ChannelSecret, *, at: datetime, until: datetime
) -> None:
    """Adds the newest secret; the one before goes on until `until`, and those before it are over."""
    await tx.execute(
        """DELETE FROM channel_secrets
            WHERE tenant_id = %s AND channel_id = %s AND (expire_time IS NOT NULL OR %s <= %s)""",
        (tenant_id, channel_id, until, at),
    )
    await tx.execute(
        "UPDATE channel_secrets SET expire_time = %s WHERE tenant_id = %s AND channel_id = %s",
        (until, tenant_id, channel_id),
    )
    await tx.execute(
        """INSERT INTO channel_secrets (tenant_id, channel_id, secret_id, ciphertext, kek_id, create_time)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        (tenant_id, channel_id, secret.secret_id, secret.ciphertext, secret.kek_id, at),
    )


def _channel(row: dict[str, Any]) -> Channel:
    return Channel(**row)
