"""What `argus recover` needs: less than a server, and not even a Redis that is there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from argus._core import Clock, Keyspace
from argus.base import clock as clocks
from argus.base.settings import Settings
from argus.flows.delivery import Deliveries
from argus.flows.recover import Recover
from argus.server.key_encryption import key_encryption_keys
from argus.sessions.ending_store import EndingStore
from argus.sessions.live_store import LiveSessions
from argus.sessions.outbox_store import OutboxStore
from argus.sessions.restore_store import RestoreStore
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database
from argus.storage.redis import Redis
from argus.tenants.service import Tenants
from argus.tokens.secrets import InstallationSecrets


@asynccontextmanager
async def open_recovery(settings: Settings, *, clock: Clock) -> AsyncIterator[Recover]:
    """Opens PostgreSQL, and Redis at its first use.

    Args:
        settings: All settings.
        clock: The time.

    Raises:
        UnavailableError: PostgreSQL is away.
        UnreadableSecretError: The database was made with another key-encryption key, or something in it is damaged.
        KeyEncryptionUnavailableError: The provider of key-encryption keys is away, or refuses.
    """

    def now() -> datetime:
        return clocks.now(clock)

    async with Database.open(settings.database_url.get_secret_value(), timeout=settings.database_timeout) as db:
        secrets = InstallationSecrets(db, now, key_encryption_keys(settings, db, now))
        keyspace = Keyspace(await secrets.get("bucket"))
        redis = Redis(
            settings.redis_url.get_secret_value(),
            clock=clock,
            ca_file=settings.redis_ca_file,
            timeout=settings.redis_timeout,
        )
        located = await redis.locate()
        # No lease is asked for: what is written only ends. Where too few sentinels agree Redis counts
        # as away, and the servers do it.
        if located is not None and located.is_agreed:
            redis.move_to(located.address)
        outbox, restore = OutboxStore(db), RestoreStore(db, redis, keyspace)
        live = LiveSessions(redis, keyspace, now=now)
        deliveries = Deliveries(db, SessionStore(db), EndingStore(db), live, outbox, restore, now=now)
        try:
            yield Recover(db, Tenants(db, now, settings.base_url), outbox, deliveries, restore, now=now)
        finally:
            await redis.close()
