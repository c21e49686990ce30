"""The change of the key-encryption key: everything that is encrypted at rest goes under the new one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from argus.base.events import Event
from argus.base.origin import Origin
from argus.storage.postgres import Database
from argus.tokens import reencryption_store as store
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.reencryption_store import Encrypted
from argus.tokens.ring import place
from argus.tokens.secrets import secret_place

_BATCH: Final = 100

Progress = Callable[[int, int], None]
"""Is told how many of how many things are done."""


def _by_itself(tenant_id: str) -> Origin:
    return Origin(tenant_id=tenant_id, actor="system:keys", request_id="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reencrypted:
    """What came of it.

    Attributes:
        kek_id: The key-encryption key that everything is under.
        is_new: It was chosen by this run.
        keys: Signing keys that were encrypted anew.
        secrets: Installation secrets that were encrypted anew.
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
    done, and the next one goes on with what is left. Any number may run at once.
    """

    def __init__(self, db: Database, now: Callable[[], datetime], keks: KeyEncryptionKeys) -> None:
        self._db = db
        self._now = now
        self._keks = keks

    async def __call__(
        self, on_progress: Progress = lambda _done, _all: None, *, origin_of: Callable[[str], Origin] = _by_itself
    ) -> Reencrypted:
        """Chooses the key of the settings (or has the provider wrap a new one), and brings everything under it.

        Args:
            on_progress: Is told how many of how many things are done.
            origin_of: On whose behalf, for the audit of a tenant; it stands in that of the system tenant.

        Raises:
            UnreadableSecretError: Something can't be decrypted; all that comes before it is done.
            KeyEncryptionUnavailableError: The provider is away, or refuses.
        """
        is_new = await self._keks.is_replaceable()
        kek_id = await (self._keks.replace() if is_new else self._keks.ensure())
        counted = await store.count_by_kek(self._db)
        left = sum(number for under, number in counted.items() if under != kek_id)
        keys, secrets = 0, await self._secrets()
        on_progress(secrets, left)
        position: tuple[str, ...] = ("", "", "")
        while batch := await store.old_keys(self._db, after=position, limit=_BATCH):
            position = batch[-1].key
            keys += await self._keys(batch)
            on_progress(secrets + keys, max(left, secrets + keys))
        forgotten = await self._keks.forget_unused()
        if is_new or keys or secrets:
            data = {"kek": kek_id, "keys": str(keys), "secrets": str(secrets)}
            for tenant_id in await store.system_tenants(self._db):
                event = Event(type="key.encrypted_anew", data=data)
                await self._db.record(origin_of(tenant_id), event, self._now())
        return Reencrypted(kek_id=kek_id, is_new=is_new, keys=keys, secrets=secrets, forgotten=forgotten)

    async def _keys(self, batch: Sequence[Encrypted]) -> int:
        written = 0
        for old in batch:
            tenant_id, use, kid = old.key
            where = place(tenant_id, use, kid)
            plaintext = await self._keks.decrypt(old.ciphertext, kek_id=old.kek_id, place=where)
            async with self._db.transaction() as tx:
                ciphertext, kek_id = await self._keks.encrypt(tx, plaintext, place=where)
                written += await store.replace_key(tx, old, ciphertext=ciphertext, kek_id=kek_id)
        return written

    async def _secrets(self) -> int:
        written = 0
        for old in await store.old_secrets(self._db):
            where = secret_place(old.key[0])
            plaintext = await self._keks.decrypt(old.ciphertext, kek_id=old.kek_id, place=where)
            async with self._db.transaction() as tx:
                ciphertext, kek_id = await self._keks.encrypt(tx, plaintext, place=where)
                written += await store.replace_secret(tx, old, ciphertext=ciphertext, kek_id=kek_id)
        return written
