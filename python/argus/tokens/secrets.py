"""Secrets of the installation as a whole: the key of the bucket hash, and that of identifiers' HMACs."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from argus.storage.postgres import Database
from argus.tokens import store
from argus.tokens.encryption import KeyEncryption

SecretName = Literal["bucket", "identifier_hmac"]

_NAMES: Final[tuple[SecretName, ...]] = ("bucket", "identifier_hmac")
_BYTES: Final = 32


class InstallationSecrets:
    """Made once for an installation, encrypted at rest, never shown."""

    def __init__(self, db: Database, now: Callable[[], datetime], kek: KeyEncryption) -> None:
        self._db = db
        self._now = now
        self._kek = kek
        self._known: dict[SecretName, bytes] = {}

    async def ensure(self) -> None:
        """Makes the secrets that there are none of yet, and reads them all.

        Raises:
            WrongKeyEncryptionKeyError: They are encrypted with another key-encryption key.
        """
        async with self._db.transaction() as tx:
            for name in _NAMES:
                ciphertext = self._kek.encrypt(secrets.token_bytes(_BYTES), place=_place(name))
                await store.insert_secret(tx, name, ciphertext=ciphertext, kek_id=self._kek.kek_id, at=self._now())
        for name in _NAMES:
            await self.get(name)

    async def get(self, name: SecretName) -> bytes:
        """The secret, 32 bytes.

        Raises:
            WrongKeyEncryptionKeyError: It is encrypted with another key-encryption key.
            LookupError: `ensure` was never called on this database.
        """
        if name not in self._known:
            found = await store.find_secret(self._db, name)
            if found is None:
                raise LookupError(f"the installation has no secret {name}")
            ciphertext, kek_id = found
            self._known[name] = self._kek.decrypt(ciphertext, kek_id=kek_id, place=_place(name))
        return self._known[name]

    async def reencrypt(self) -> None:
        """Encrypts the secrets with the present key-encryption key."""
        for name in _NAMES:
            ciphertext = self._kek.encrypt(await self.get(name), place=_place(name))
            async with self._db.transaction() as tx:
                await store.replace_secret(tx, name, ciphertext=ciphertext, kek_id=self._kek.kek_id)


def _place(name: SecretName) -> str:
    return f"installation_secrets/{name}"
