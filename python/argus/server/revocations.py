"""The reader of revocations, over a connection of its own."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argus._core import Clock
from argus.base import clock as clocks
from argus.base.settings import Settings
from argus.revocations.service import Revocations
from argus.revocations.store import RevocationStore
from argus.storage.postgres import Database
from argus.tokens.secrets import InstallationSecrets


@asynccontextmanager
async def open_revocations(
    settings: Settings, clock: Clock, db: Database, secrets: InstallationSecrets
) -> AsyncIterator[Revocations]:
    """What is over, for as long as the stores are open; nothing is read until somebody watches."""
    key = hmac.new(await secrets.get("identifier_hmac"), b"revocation tokens", hashlib.sha256).digest()
    url = settings.database_url.get_secret_value()
    async with Database.open(url, max_size=1, timeout=settings.database_timeout) as reader:
        yield Revocations(RevocationStore(db), RevocationStore(reader), key, now=lambda: clocks.now(clock))
