"""Secrets of the installation: the keys of the bucket hash, of identifiers' HMACs, of links and codes in mails."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from argus.storage.postgres import Database
from argus.tokens import store
from argus.tokens.kek.service import KeyEncryptionKeys

SecretName = Literal["bucket", "identifier_hmac", "mail_secrets"]

_NAMES: Final[tuple[SecretName, ...]] = ("bucket", "identifier_hmac", "mail_secrets")
_BYTES: Final = 32


class InstallationSecrets:
    """Made once for an installation, encrypted at rest, never shown."""

    def __init__(self, db: Database, now: Callable[[], datetime], keks: KeyEncryptionKeys) -> None:
        self._db = db
        self._now = now
        self._keks = keks
        self._known: dict[SecretName, bytes] = {}

    async def ensure(self) -> None:
        """Makes the secrets that there are none of yet, and reads them all.

        Raises:
            UnreadableSecretError: They are encrypted with another key-encryption key, or damaged.
        """
        async with self._db.transaction() as tx:
            for name in _NAMES:
                ciphertext, kek_id = await self._keks.encrypt(tx, secrets.token_bytes(_BYTES), place=secret_place(name))
                await store.insert_secret(tx, name, ciphertext=ciphertext, kek_id=kek_id, at=self._now())
        for name in _NAMES:
            await self.get(name)

    async def get(self, name: SecretName) -> bytes:
        """The secret, 32 bytes.

        Raises:
            UnreadableSecretError: It is encrypted with another key-encryption key, or damaged.
            LookupError: `ensure` was never called on this database.
        """
        if name not in self._known:
            found = await store.find_secret(self._db, name)
            if found is None:
                raise LookupError(f"the installation has no secret {name}")
            ciphertext, kek_id = found
            self._known[name] = await self._keks.decrypt(ciphertext, kek_id=kek_id, place=secret_place(name))
        return self._known[name]


def secret_place(name: str) -> str:
    """What a secret is bound to when it is encrypted."""
    return f"installation_secrets/{name}"
