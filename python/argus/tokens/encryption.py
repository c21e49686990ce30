"""Encryption of keys at rest."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from argus.base.ids import sha256
from argus.tokens.model import DamagedSecretError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID_CHARACTERS: Final = 16


class KeyEncryption:
    """AES-256-GCM under one key-encryption key; what is encrypted is bound to where it is kept."""

    def __init__(self, key: bytes) -> None:
        """Takes the key.

        Raises:
            ValueError: It has another length than 32 bytes.
        """
        self.kek_id = kek_id_of(key)
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        """Without the key."""
        return f"KeyEncryption({self.kek_id})"

    def encrypt(self, plaintext: bytes, *, place: str) -> bytes:
        """Nonce and ciphertext.

        Args:
            plaintext: What to keep.
            place: Where it is kept; it can be decrypted for that place alone.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plaintext, place.encode())

    def decrypt(self, ciphertext: bytes, *, place: str) -> bytes:
        """What `encrypt` was given.

        Raises:
            DamagedSecretError: It was encrypted for another place, or is damaged.
        """
        try:
            return self._cipher.decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise DamagedSecretError(place, kek_id=self.kek_id) from None


def kek_id_of(key: bytes) -> str:
    """Names a key without telling it.

    Raises:
        ValueError: It has another length than 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key-encryption key has {KEY_BYTES} bytes")
    return sha256(b"argus key-encryption key id\0" + key).hex()[:_ID_CHARACTERS]
