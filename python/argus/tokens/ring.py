"""The life of the keys of one ring: those of one tenant for one use."""

import asyncio
import json
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from argus import _core
from argus.base.events import Event
from argus.base.limits import CLOCK_LEEWAY, LONGEST_ACCESS_LIFE, LONGEST_SESSION
from argus.storage.postgres import Transaction
from argus.tokens import store
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.model import (
    EMERGENCY_REFRESH_ID_KEYS,
    MOST_KEYS,
    MOST_REFRESH_ID_KEYS,
    Algorithm,
    KeyMaterial,
    KeyRingFullError,
    KeyState,
    KeyUse,
    SigningKey,
)

RETENTION: Final[dict[KeyUse, timedelta]] = {
    "access": LONGEST_ACCESS_LIFE + CLOCK_LEEWAY,
    "refresh": LONGEST_SESSION + CLOCK_LEEWAY,
    "refresh_id": LONGEST_SESSION + CLOCK_LEEWAY,
}
"""How long a key that no longer signs is kept: as long as a token of it can be good."""

_HMAC_BYTES: Final = 32
# What is published of access keys; one that was pulled or has retired is not.
_KEPT: Final[frozenset[KeyState]] = frozenset({"pending", "active", "retiring"})


def place(tenant_id: str, use: str, kid: str) -> str:
    """What a private half is bound to when it is encrypted."""
    return f"signing_keys/{tenant_id}/{use}/{kid}"


async def generate(use: KeyUse, algorithm: Algorithm, *, rsa_bits: int) -> KeyMaterial:
    """A new key; the slow ones are made in a thread."""
    if algorithm == "HS256":
        private_key = secrets.token_bytes(_HMAC_BYTES)
        return KeyMaterial(use=use, algorithm=algorithm, bits=0, kid="", public_jwk=None, private_key=private_key)
    if algorithm == "RS256":
        private_key = await asyncio.to_thread(_core.generate_rsa_key, rsa_bits)
    else:
        private_key = _core.generate_ed25519_key()
    kid, public_jwk = _core.public_jwk(private_key)
    return KeyMaterial(
        use=use,
        algorithm=algorithm,
        bits=rsa_bits if algorithm == "RS256" else 0,
        kid=kid,
        public_jwk=json.loads(public_jwk),
        private_key=private_key,
    )


class Ring:
    """The keys of one tenant for one use, within a transaction that has locked the tenant."""

    def __init__(self, tx: Transaction, keks: KeyEncryptionKeys, tenant_id: str, use: KeyUse, *, now: datetime) -> None:
        self._tx = tx
        self._keks = keks
        self._tenant_id = tenant_id
        self._use = use
        self._now = now

    async def add(self, material: KeyMaterial, *, active_time: datetime, is_emergency: bool = False) -> SigningKey:
        """Adds a new key: pending until `active_time`, active at once if that has come.

        Args:
            material: The key.
            active_time: When it signs from.
            is_emergency: It takes the place of one that was pulled.

        Raises:
            KeyRingFullError: There are as many as there may be.
        """
        if not is_emergency:
            await self._require_room()
        kid = await self._free_id(is_emergency=is_emergency) if self._use == "refresh_id" else material.kid
        key = SigningKey(
            tenant_id=self._tenant_id,
            kid=kid,
            use=self._use,
            algorithm=material.algorithm,
            bits=material.bits,
            state="pending",
            public_jwk=material.public_jwk,
            create_time=self._now,
            active_time=active_time,
        )
        ciphertext, kek_id = await self._keks.encrypt(
            self._tx, material.private_key, place=place(self._tenant_id, self._use, kid)
        )
        await store.insert(self._tx, key, ciphertext=ciphertext, kek_id=kek_id)
        self._record("key.created", key)
        return await self._activate(key) if active_time <= self._now else key

    async def advance(self) -> None:
        """Takes every key to the stage that its time has come for."""
        for key in await self._keys("pending"):
            if key.active_time <= self._now:
                await self._activate(key)
        for key in await self._keys("retiring"):
            if key.retire_time is not None and key.retire_time + RETENTION[self._use] <= self._now:
                await self._change(replace(key, state="retired", end_time=self._now))
                # Nothing that it signed can be good any more: what is not there can't be stolen.
                await store.erase_private(self._tx, key)
        for key in await self._keys("revoked"):
            if self._is_useless(key):
                await store.erase_private(self._tx, key)

    async def revoke(self, key: SigningKey, *, comment: str) -> SigningKey:
        """Pulls a key."""
        revoked = replace(key, state="revoked", retire_time=key.retire_time or self._now, end_time=self._now)
        await store.update(self._tx, revoked)
        if self._is_useless(revoked):
            await store.erase_private(self._tx, revoked)
        self._record("key.revoked", revoked, comment=comment)
        return revoked

    async def has(self, state: KeyState) -> bool:
        """A key is in this stage."""
        return bool(await self._keys(state))

    def _is_useless(self, key: SigningKey) -> bool:
        """Nobody needs more than the name of a key that was pulled.

        But one of refresh tokens: those that it signed lead to a step-up, and are known by its signature.
        """
        if self._use != "refresh":
            return True
        return key.end_time is not None and key.end_time + RETENTION[self._use] <= self._now

    async def _activate(self, key: SigningKey) -> SigningKey:
        # One key of a ring is active at a time, and the schema holds it: the old one goes first.
        for before in await self._keys("active"):
            await self._change(replace(before, state="retiring", retire_time=self._now))
        return await self._change(replace(key, state="active", active_time=self._now))

    async def _change(self, key: SigningKey) -> SigningKey:
        await store.update(self._tx, key)
        self._record("key.state_changed", key)
        return key

    async def _keys(self, state: KeyState) -> list[SigningKey]:
        keys = [key for key in await store.of_use(self._tx, self._tenant_id, self._use) if key.state == state]
        return sorted(keys, key=lambda key: (key.active_time, key.create_time, key.kid))

    async def _require_room(self) -> None:
        keys = await store.of_use(self._tx, self._tenant_id, self._use)
        kept = [key for key in keys if key.state in _KEPT]
        if len(kept) >= MOST_KEYS[self._use]:
            raise self._full(kept[0])

    async def _free_id(self, *, is_emergency: bool) -> str:
        """The id after the newest one's; where all were given, the oldest that no token can name any more."""
        keys = await store.of_use(self._tx, self._tenant_id, self._use)
        taken = {int(key.kid) for key in keys}
        newest = int(keys[-1].kid) if keys else -1
        if len(taken) < MOST_REFRESH_ID_KEYS - (0 if is_emergency else EMERGENCY_REFRESH_ID_KEYS):
            following = ((newest + step) % MOST_REFRESH_ID_KEYS for step in range(1, MOST_REFRESH_ID_KEYS + 1))
            return str(next(one for one in following if one not in taken))
        for key in keys:
            if key.end_time is not None and (key.retire_time or key.end_time) + RETENTION[self._use] <= self._now:
                await store.delete(self._tx, key)
                return key.kid
        for key in keys if is_emergency else ():
            if key.state == "revoked":
                # What it made is refused under another key's name, too.
                await store.delete(self._tx, key)
                return key.kid
        raise self._full(keys[0])

    def _full(self, oldest: SigningKey) -> KeyRingFullError:
        return KeyRingFullError(self._use, oldest, kept=RETENTION[self._use])

    def _record(self, event: str, key: SigningKey, *, comment: str = "") -> None:
        data = {"key": key.kid, "use": key.use, "state": key.state} | ({"comment": comment} if comment else {})
        self._tx.record(Event(type=event, data=data), time=self._now)
