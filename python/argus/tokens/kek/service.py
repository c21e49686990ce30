"""What encrypts keys at rest."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from argus.storage.postgres import Database, Transaction
from argus.tokens.encryption import KEY_BYTES, KeyEncryption, kek_id_of
from argus.tokens.kek import store
from argus.tokens.kek.command import KeyEncryptionUnavailableError, KeyWrapping
from argus.tokens.model import WrongKeyEncryptionKeyError

_CURRENT: Final = "this database"


class KeyEncryptionKeys:
    """The key-encryption keys of the installation: one encrypts, those before it only decrypt.

    Which one encrypts is said by PostgreSQL, not by the settings of a process: a new one in the settings is known, and
    used from the moment on that `argus keys reencrypt` chooses it. So processes with old and new settings can run side
    by side meanwhile.
    """

    def __init__(
        self,
        db: Database,
        now: Callable[[], datetime],
        own: bytes | KeyWrapping,
        *,
        previous: Sequence[bytes] = (),
        previous_wrapping: KeyWrapping | None = None,
    ) -> None:
        """Takes what the settings say.

        `own_id` is the id of the key itself (None: a provider wraps it), `previous_ids` are those of the ones before.

        Args:
            db: Where wrapped keys are kept, and which one encrypts.
            now: The time.
            own: The key itself, or who wraps the keys that Argus makes.
            previous: Keys that were in its place before.
            previous_wrapping: Who was in its place before.

        Raises:
            ValueError: A key has another length than 32 bytes.
        """
        self._db = db
        self._now = now
        self._own = own if isinstance(own, bytes) else None
        self._wrapping = None if isinstance(own, bytes) else own
        self._unwrapping = [one for one in (self._wrapping, previous_wrapping) if one is not None]
        keys = [*([self._own] if self._own is not None else []), *previous]
        self.own_id = None if self._own is None else kek_id_of(self._own)
        self.previous_ids = frozenset(map(kek_id_of, previous))
        self._ciphers = {kek_id_of(key): KeyEncryption(key) for key in keys}
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        """Without the keys."""
        return f"KeyEncryptionKeys({', '.join(self._ciphers)})"

    async def ensure(self) -> str:
        """Chooses the first key of a new installation, and makes sure that the one that encrypts is known; its id.

        Raises:
            WrongKeyEncryptionKeyError: It is not among those of the settings.
            KeyEncryptionUnavailableError: The provider that wraps it is away, or refuses.
        """
        chosen = await store.current(self._db)
        if chosen is None:
            kek_id, wrapped = await self._new()
            async with self._db.transaction() as tx:
                if await store.choose_first(tx, kek_id, at=self._now()) and wrapped is not None:
                    await store.insert_wrapped(tx, kek_id, wrapped, at=self._now())
            # Another server may have been the first.
            chosen = await store.current(self._db) or ""
        await self._cipher(chosen, _CURRENT)
        return chosen

    async def encrypt(self, tx: Transaction, plaintext: bytes, *, place: str) -> tuple[bytes, str]:
        """Ciphertext, and the id of the key that it is under; to be written by the same transaction.

        Args:
            tx: Until it ends, no other key is chosen.
            plaintext: What to keep.
            place: Where it is kept; it can be decrypted for that place alone.
        """
        chosen = await store.hold_current(tx)
        if chosen is None:
            raise LookupError("no key-encryption key was chosen: `ensure` was never called on this database")
        return (await self._cipher(chosen, _CURRENT)).encrypt(plaintext, place=place), chosen

    async def decrypt(self, ciphertext: bytes, *, kek_id: str, place: str) -> bytes:
        """What `encrypt` was given.

        Raises:
            UnreadableSecretError: It is under a key that is not known, was encrypted for another place, or is damaged.
            KeyEncryptionUnavailableError: The provider that wraps its key is away, or refuses.
        """
        return (await self._cipher(kek_id, place)).decrypt(ciphertext, place=place)

    async def decrypt_now(self, ciphertext: bytes, *, kek_id: str, place: str) -> bytes:
        """The same without asking a provider: nobody waits for a program.

        Raises:
            UnreadableSecretError: As `decrypt`.
            KeyEncryptionUnavailableError: Its key was not unwrapped yet; `learn` will.
        """
        return (await self._cipher(kek_id, place, asks=False)).decrypt(ciphertext, place=place)

    @property
    def known(self) -> frozenset[str]:
        """Ids of the keys that can decrypt now."""
        return frozenset(self._ciphers)

    async def require_known(self) -> None:
        """Makes sure that the key that encrypts is known already, without asking a provider.

        Raises:
            WrongKeyEncryptionKeyError: It is not among those of the settings.
            KeyEncryptionUnavailableError: It was not unwrapped yet.
        """
        await self._cipher(await store.current(self._db) or "", _CURRENT, asks=False)

    async def learn(self) -> None:
        """Unwraps the keys that are there and not known yet, before something under them is needed in a hurry.

        Raises:
            KeyEncryptionUnavailableError: The provider is away, or refuses.
        """
        for kek_id, wrapped in (await store.wrapped(self._db)).items():
            if kek_id not in self._ciphers:
                await self._unwrap(kek_id, wrapped)

    async def replace(self) -> str:
        """Chooses the key of the settings, or a new one that the provider wraps; its id.

        Everything that is written from now on is under it.
        """
        kek_id, wrapped = await self._new()
        async with self._db.transaction() as tx:
            if wrapped is not None:
                await store.insert_wrapped(tx, kek_id, wrapped, at=self._now())
            await store.choose(tx, kek_id, at=self._now())
        return kek_id

    async def is_replaceable(self) -> bool:
        """Whether `replace` would bring another one: not if the settings hold the key that encrypts already."""
        return self.own_id is None or self.own_id != await self.current()

    async def is_own(self, kek_id: str) -> bool:
        """Whether it is a key that the provider of the settings wraps, not the one before it."""
        wrapped = (await store.wrapped(self._db)).get(kek_id)
        if self._wrapping is None or wrapped is None:
            return False
        try:
            key = await self._wrapping.unwrap(wrapped)
        except KeyEncryptionUnavailableError:
            return False
        return len(key) == KEY_BYTES and kek_id_of(key) == kek_id

    async def current(self) -> str | None:
        """Id of the key that encrypts; None: no server was started yet."""
        return await store.current(self._db)

    async def require(self, kek_id: str, what: str) -> None:
        """Makes sure that a key is known.

        Args:
            kek_id: Its id.
            what: What is under it, for the message.

        Raises:
            WrongKeyEncryptionKeyError: It is not among those of the settings.
            KeyEncryptionUnavailableError: The provider that wraps it is away, or refuses.
        """
        await self._cipher(kek_id, what)

    async def forget_unused(self) -> int:
        """Deletes wrapped keys that nothing is under any more; says how many."""
        async with self._db.transaction() as tx:
            return await store.delete_unused(tx)

    async def _new(self) -> tuple[str, str | None]:
        """Id of the key to choose, known from now on; and what to keep of it."""
        key = self._own if self._own is not None else secrets.token_bytes(KEY_BYTES)
        kek_id = kek_id_of(key)
        wrapped = None
        if self._wrapping is not None:
            wrapped = await self._wrapping.wrap(key)
            # A key that can't be had back would lose everything: it is asked for while nothing is under it.
            if await self._wrapping.unwrap(wrapped) != key:
                raise KeyEncryptionUnavailableError("the key-encryption command does not unwrap what it has wrapped")
        self._ciphers[kek_id] = KeyEncryption(key)
        return kek_id, wrapped

    async def _cipher(self, kek_id: str, what: str, *, asks: bool = True) -> KeyEncryption:
        if kek_id not in self._ciphers:
            wrapped = (await store.wrapped(self._db)).get(kek_id)
            if wrapped is None:
                raise WrongKeyEncryptionKeyError(what, kek_id=kek_id, known=tuple(self._ciphers))
            if not self._unwrapping:
                kek_id = f"{kek_id} (wrapped by a command)"
                raise WrongKeyEncryptionKeyError(what, kek_id=kek_id, known=tuple(self._ciphers))
            if not asks:
                raise KeyEncryptionUnavailableError(f"the key-encryption key {kek_id} was not unwrapped yet")
            await self._unwrap(kek_id, wrapped)
        return self._ciphers[kek_id]

    async def _unwrap(self, kek_id: str, wrapped: str) -> None:
        async with self._lock:
            failures = []
            for provider in self._unwrapping if kek_id not in self._ciphers else ():
                try:
                    key = await provider.unwrap(wrapped)
                except KeyEncryptionUnavailableError as error:
                    failures.append(error.detail)
                    continue
                if len(key) == KEY_BYTES and kek_id_of(key) == kek_id:
                    self._ciphers[kek_id] = KeyEncryption(key)
                    return
                failures.append("the key-encryption command has unwrapped another key than the one that was wrapped")
            if failures:
                raise KeyEncryptionUnavailableError("; ".join(failures))
