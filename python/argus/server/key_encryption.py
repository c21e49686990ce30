"""The key-encryption keys that the settings name."""

from collections.abc import Callable
from datetime import datetime

from argus.base import clock as clocks
from argus.base.settings import Settings
from argus.storage.postgres import Database
from argus.storage.requirements import Finding
from argus.tokens.inspection import inspect_keys
from argus.tokens.kek.command import WrappingCommand
from argus.tokens.kek.service import KeyEncryptionKeys


def key_encryption_keys(settings: Settings, db: Database, now: Callable[[], datetime]) -> KeyEncryptionKeys:
    """Makes them; nothing is asked yet.

    Args:
        settings: All settings; `check_servable` has been called where they came from outside.
        db: Where wrapped ones are kept.
        now: The time.
    """
    timeout = settings.key_encryption_timeout
    key = settings.key_encryption_bytes()
    previous = settings.key_encryption_command_previous
    return KeyEncryptionKeys(
        db,
        now,
        WrappingCommand(settings.key_encryption_command, timeout=timeout) if key is None else key,
        previous=settings.previous_key_encryption_bytes(),
        previous_wrapping=WrappingCommand(previous, timeout=timeout) if previous else None,
    )


async def inspect(settings: Settings) -> list[Finding]:
    """What `argus doctor` says about keys; needs a PostgreSQL that answers, with the schema of this release."""
    now = clocks.now(clocks.Clock())
    async with Database.open(settings.database_url.get_secret_value(), max_size=2) as db:
        keks = key_encryption_keys(settings, db, lambda: now)
        return await inspect_keys(db, keks, now=now, period=settings.key_rotation_period)
