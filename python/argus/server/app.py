"""Opens and closes Argus: stores, keys and functions first, then every part (`server.compose`)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Final

from argus._core import Clock, Lease
from argus.base import clock as clocks
from argus.base.settings import Settings
from argus.base.stopping import closing, end_with, within
from argus.server.compose import compose
from argus.server.engine import finish, open_engine
from argus.server.key_encryption import key_encryption_keys
from argus.server.parts import Argus
from argus.server.primary import open_primary
from argus.server.revocations import open_revocations
from argus.storage.postgres import Database
from argus.storage.redis import Redis
from argus.tokens.secrets import InstallationSecrets

__all__ = ["Argus", "open_argus"]

_LAST_WORDS: Final = timedelta(seconds=30)


@asynccontextmanager
async def open_argus(settings: Settings, *, clock: Clock) -> AsyncIterator[Argus]:
    """Opens the stores, loads keys and functions, and makes every part.

    Args:
        settings: All settings; `check_servable` has been called where they came from outside.
        clock: The time that every decision is made by.

    Raises:
        UnavailableError: A store is away.
        UnreadableSecretError: The database was made with another key-encryption key, or something in it is damaged.
        KeyEncryptionUnavailableError: The provider of key-encryption keys is away, or refuses.
    """
    async with AsyncExitStack() as stack:
        # Each part ends within a bound of its own, whatever became of the stores.
        database = Database.open(
            settings.database_url.get_secret_value(),
            max_size=settings.database_pool,
            timeout=settings.database_timeout,
        )
        db = await stack.enter_async_context(closing("postgresql", database))
        lease = Lease() if settings.redis is not None and settings.redis.service else None
        redis = Redis(
            settings.redis_url.get_secret_value(),
            clock=clock,
            ca_file=settings.redis_ca_file,
            timeout=settings.redis_timeout,
            lease=lease,
            metrics=db.metrics,
        )
        end_with(stack, "redis", redis.close)
        keks = key_encryption_keys(settings, db, lambda: clocks.now(clock))
        await keks.ensure()
        await keks.learn()
        secrets = InstallationSecrets(db, lambda: clocks.now(clock), keks)
        await secrets.ensure()
        engine = open_engine(settings, clock, lease)
        stack.callback(engine.close)
        primary = await stack.enter_async_context(
            closing("primary", open_primary(settings, clock, redis, engine, lease))
        )
        revocations = await stack.enter_async_context(
            closing("revocations", open_revocations(settings, clock, db, secrets))
        )
        argus = await compose(settings, clock, db, redis, engine, primary, lease, keks, secrets, revocations)
        end_with(stack, "hot calls", lambda: asyncio.to_thread(argus.hot.close))
        end_with(stack, "passwords", lambda: asyncio.to_thread(argus.passwords.close))
        await argus.redis.load_functions()
        await argus.snapshot.refresh()
        try:
            yield argus
        finally:
            await within(_LAST_WORDS, "effects", finish(settings, engine, argus.effects))
