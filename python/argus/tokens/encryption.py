"""Encryption of keys at rest."""

import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from argus.base.ids import sha256
from argus.tokens.model import WrongKeyEncryptionKeyError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID_CHARACTERS: Final = 16


class KeyEncryption:
    """AES-256-GCM under the installation's key-encryption key; what is encrypted is bound to where it is kept."""

    def __init__(self, key: bytes, *, previous: Sequence[bytes] = ()) -> None:
        """Takes the key.

        Args:
            key: 32 bytes; encrypts and decrypts.
            previous: Keys that were in its place before; they only decrypt.

        Raises:
            ValueError: A key has another length.
        """
        keys = [key, *previous]
        if any(len(one) != KEY_BYTES for one in keys):
            raise ValueError(f"a key-encryption key has {KEY_BYTES} bytes")
        self.kek_id = _kek_id(key)
        self._ciphers = {_kek_id(one): AESGCM(one) for one in keys}

    def encrypt(self, plaintext: bytes, *, place: str) -> bytes:
        """Nonce and ciphertext.

        Args:
            plaintext: What to keep.
            place: Where it is kept; it can be decrypted for that place alone.
        """
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._ciphers[self.kek_id].encrypt(nonce, plaintext, place.encode())

    def decrypt(self, ciphertext: bytes, *, kek_id: str, place: str) -> bytes:
        """What `encrypt` was given.

        Raises:
            WrongKeyEncryptionKeyError: It was encrypted with another key, for another place, or is damaged.
        """
        cipher = self._ciphers.get(kek_id)
        if cipher is None:
            raise WrongKeyEncryptionKeyError(place, kek_id=kek_id, known=tuple(self._ciphers))
        try:
            return cipher.decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise WrongKeyEncryptionKeyError(place, kek_id=f"{kek_id} (damaged)", known=tuple(self._ciphers)) from None


def _kek_id(key: bytes) -> str:
    """Names a key without telling it."""
    return sha256(b"argus key-encryption key id\0" + key).hex()[:_ID_CHARACTERS]
