"""The change of the key-encryption key: everything that is encrypted at rest goes under the new one."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from argus.base.events import Event
from argus.base.origin import Origin
from argus.storage.postgres import Database, Transaction
from argus.tokens import reencryption_store as store
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.reencryption_store import Encrypted
from argus.tokens.ring import place
from argus.tokens.secrets import secret_place

_BATCH: Final = 100
_PAUSE_SECONDS: Final = 0.1

Progress = Callable[[int, int], None]
"""Is told how many of how many things are done."""


class _Replace(Protocol):
    """Writes one thing that was encrypted anew; how many were written."""

    async def __call__(self, tx: Transaction, old: Encrypted, *, ciphertext: bytes, kek_id: str) -> int: ...


def _by_itself(tenant_id: str) -> Origin:
    return Origin(tenant_id=tenant_id, actor="system:keys", request_id="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reencrypted:
    """What came of it.

    Attributes:
        kek_id: The key-encryption key that everything is under.
        is_new: It was chosen by this run.
        keys: Signing keys that were encrypted anew.
        secrets: Installation secrets, secrets of authenticator apps and of channels, that were encrypted anew.
        forgotten: Wrapped key-encryption keys that nothing is under any more, and that were deleted.
    """

    kek_id: str
    is_new: bool
    keys: int
    secrets: int
    forgotten: int


class Reencryption:
    """Brings everything under one key-encryption key, while servers run.

    Each thing is under one key or the other at any moment, and says under which: to interrupt a run leaves nothing half
    done, and the next one goes on with what is left. Any number may run at once: one chooses the key, and each tells of
    what it has written itself.
    """

    def __init__(self, db: Database, now: Callable[[], datetime], keks: KeyEncryptionKeys) -> None:
        self._db = db
        self._now = now
        self._keks = keks

    async def __call__(
        self, on_progress: Progress = lambda _done, _all: None, *, origin_of: Callable[[str], Origin] = _by_itself
    ) -> Reencrypted:
        """Chooses the key of the settings (or has the provider wrap a new one), and brings everything under it.

        Where a provider's change is under way, or was not finished, it goes on with that and makes no further key.

        Args:
            on_progress: Is told how many of how many things are done.
            origin_of: On whose behalf, for the audit of a tenant; it stands in that of the system tenant.

        Raises:
            UnreadableSecretError: Something can't be decrypted; all that comes before it is done.
            KeyEncryptionUnavailableError: The provider is away, or refuses.
        """
        kek_id, is_new = await self._choose()
        counted = await store.count_by_kek(self._db)
        left = sum(number for under, number in counted.items() if under != kek_id)
        keys, secrets = 0, await self._secrets()
        on_progress(secrets, left)
        position: tuple[str, ...] = ("", "", "")
        while batch := await store.old_keys(self._db, after=position, limit=_BATCH):
            position = batch[-1].key
            keys += await self._each(batch, lambda key: place(*key), store.replace_key)
            on_progress(secrets + keys, max(left, secrets + keys))
        position = ("", "")
        while batch := await store.old_totp_secrets(self._db, after=position, limit=_BATCH):
            position = batch[-1].key
            secrets += await self._each(batch, lambda key: f"totp_secrets/{key[0]}/{key[1]}", store.replace_totp_secret)
            on_progress(secrets + keys, max(left, secrets + keys))
        position = ("", "", "")
        while batch := await store.old_channel_secrets(self._db, after=position, limit=_BATCH):
            position = batch[-1].key
            secrets += await self._each(
                batch, lambda key: f"channel_secrets/{'/'.join(key)}", store.replace_channel_secret
            )
            on_progress(secrets + keys, max(left, secrets + keys))
        forgotten = await self._keks.forget_unused()
        if is_new or keys or secrets:
            data = {"kek": kek_id, "keys": str(keys), "secrets": str(secrets)}
            for tenant_id in await store.system_tenants(self._db):
                event = Event(type="key.encrypted_anew", data=data)
                await self._db.record(origin_of(tenant_id), event, self._now())
        return Reencrypted(kek_id=kek_id, is_new=is_new, keys=keys, secrets=secrets, forgotten=forgotten)

    async def _choose(self) -> tuple[str, bool]:
        """The key that everything is to be under, and whether it was chosen here."""
        before = await self._keks.current()
        async with self._db.transaction() as tx:
            # Asked for again and again: a provider may take longer than a statement may.
            while not await store.try_hold_choice(tx):  # noqa: ASYNC110 - it is PostgreSQL that knows
                await asyncio.sleep(_PAUSE_SECONDS)
            if await self._is_chosen(before):
                return await self._keks.ensure(), False
            return await self._keks.replace(), True

    async def _is_chosen(self, before: str | None) -> bool:
        """Whether the key that encrypts is the one to bring everything under.

        Args:
            before: The one that did when this run began.
        """
        if not await self._keks.is_replaceable():
            return True
        if self._keks.own_id is not None or (current := await self._keks.current()) is None:
            return False
        return (current != before or await store.is_anything_left(self._db)) and await self._keks.is_own(current)

    async def _secrets(self) -> int:
        old = await store.old_secrets(self._db)
        return await self._each(old, lambda key: secret_place(key[0]), store.replace_secret)

    async def _each(
        self, batch: Sequence[Encrypted], place_of: Callable[[tuple[str, ...]], str], replace: _Replace
    ) -> int:
        """Encrypts some things anew, each in a transaction of its own; how many were written."""
        written = 0
        for old in batch:
            where = place_of(old.key)
            plaintext = await self._keks.decrypt(old.ciphertext, kek_id=old.kek_id, place=where)
            async with self._db.transaction() as tx:
                ciphertext, kek_id = await self._keks.encrypt(tx, plaintext, place=where)
                written += await replace(tx, old, ciphertext=ciphertext, kek_id=kek_id)
        return written
