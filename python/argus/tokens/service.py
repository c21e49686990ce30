"""What can be done with signing keys."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from argus.base import ids, pages
from argus.base.errors import InvalidFieldError, PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.storage.postgres import Database, Transaction
from argus.tokens import store
from argus.tokens.kek.command import KeyEncryptionUnavailableError
from argus.tokens.kek.service import KeyEncryptionKeys
from argus.tokens.model import (
    KEY_USES,
    Algorithm,
    KeyMaterial,
    KeyNotFoundError,
    KeyRingFullError,
    KeyUse,
    RefreshAlgorithm,
    SigningKey,
    UnreadableSecretError,
    UsableKey,
)
from argus.tokens.ring import RETENTION, Ring, generate, place
from argus.tokens.secrets import InstallationSecrets

__all__ = ["InstallationSecrets", "SigningKeys"]

log = structlog.get_logger(__name__)


class SigningKeys:
    """The signing keys of all tenants: pending, active, retiring, retired; or revoked at any time."""

    def __init__(
        self,
        db: Database,
        now: Callable[[], datetime],
        keks: KeyEncryptionKeys,
        *,
        jwks_max_age: timedelta = timedelta(minutes=10),
        rotation_period: timedelta = timedelta(days=90),
        refresh_algorithm: RefreshAlgorithm = "EdDSA",
    ) -> None:
        """Keeps signing keys.

        Args:
            db: Where they are kept.
            now: The time.
            keks: What they are encrypted with.
            jwks_max_age: How long verifiers may go without looking for new keys: so long a key is published unused.
            rotation_period: How long a key signs until `advance_due` makes the next one, for tenants that have no
                period of their own; 0: until it is told to.
            refresh_algorithm: What new keys of refresh tokens are made for; those that are there stay what they are.
        """
        self._db = db
        self._now = now
        self._keks = keks
        self._refresh_ids = db.reads("keys", lambda tenants: store.active_of_use(db, tenants, "refresh_id"))
        self._jwks_max_age = jwks_max_age
        self._rotation_period = rotation_period
        self._algorithms: dict[KeyUse, Algorithm] = {
            "access": "RS256",
            "refresh": refresh_algorithm,
            "refresh_id": "HS256",
        }

    async def generate_ring(self, *, rsa_bits: int = 2048) -> Sequence[KeyMaterial]:
        """A key for each use; made before a transaction, so that none waits for it."""
        await self._keks.ensure()
        return [await self._generate(use, rsa_bits=rsa_bits) for use in KEY_USES]

    async def create_ring(
        self, tx: Transaction, tenant_id: str, material: Sequence[KeyMaterial] | None = None
    ) -> Sequence[SigningKey]:
        """Gives a new tenant its first keys, active at once, within `tx`."""
        bits = await self._lock(tx, tenant_id)
        now = self._now()
        return [
            await Ring(tx, self._keks, tenant_id, one.use, now=now).add(one, active_time=now)
            for one in material or await self.generate_ring(rsa_bits=bits)
        ]

    async def get(self, tenant_id: str, kid: str) -> SigningKey:
        """The key.

        Raises:
            KeyNotFoundError: The tenant has no such one.
        """
        key = await store.find(self._db, tenant_id, kid)
        if key is None:
            raise KeyNotFoundError(kid)
        return key

    async def rotate(self, tenant_id: str, use: KeyUse, immediate: bool, origin: Origin) -> SigningKey:  # noqa: FBT001
        """Makes a new key that takes over from the active one, at once or after the key set's max-age.

        Raises:
            InvalidFieldError: There is no such tenant.
            KeyRingFullError: There are as many keys of that use as there may be.
            RequestAlreadyDoneError: The request was carried out before.
        """
        material = await self._generate(use, rsa_bits=await self._bits(tenant_id))
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await self._lock(tx, tenant_id)
            key = await Ring(tx, self._keks, tenant_id, use, now=now).add(
                material, active_time=now if immediate else now + self._jwks_max_age
            )
            # Last, because the id of a refresh-id key is chosen under the lock.
            await tx.claim(ids.key_name(tenant_id, key.kid), now=now)
            tx.record(Event(type="key.rotated", data={"key": key.kid, "use": use}), time=now)
        return key

    async def revoke(self, tenant_id: str, kid: str, origin: Origin, *, comment: str = "") -> SigningKey:
        """Pulls a key in an emergency; where it was the active one, a new one takes its place at once.

        One that has retired stays as it is: nothing that it signed can be good any more.

        Raises:
            KeyNotFoundError: The tenant has no such key.
            RequestAlreadyDoneError: The request was carried out before.
        """
        found = await self.get(tenant_id, kid)
        use, successor = found.use, None
        # One that does not sign needs no successor: then a provider that is away holds up nothing.
        if found.state == "active":
            successor = await self._generate(use, rsa_bits=await self._bits(tenant_id))
            # A provider may be slow to unwrap what encrypts it: not while others wait for this transaction.
            await self._keks.ensure()
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.key_name(tenant_id, kid), now=now)
            await self._lock(tx, tenant_id)
            key = await store.find(tx, tenant_id, kid)
            if key is None:
                raise KeyNotFoundError(kid)
            if key.state in {"revoked", "retired"}:
                return key
            ring = Ring(tx, self._keks, tenant_id, use, now=now)
            revoked = await ring.revoke(key, comment=comment)
            if not await ring.has("active"):
                # It has become the active one meanwhile.
                successor = successor or await self._generate(use, rsa_bits=await self._bits(tenant_id))
                await ring.add(successor, active_time=now, is_emergency=True)
        return revoked

    async def advance_due(self) -> int:
        """Takes keys to the stage that their time has come for, and makes the next ones of old ones; says how many.

        To be called often, by every process: who comes second finds nothing left to do.
        """
        now = self._now()
        ended_before = {use: now - kept for use, kept in RETENTION.items()}
        due = await store.due(self._db, now=now, ended_before=ended_before)
        for tenant_id, use in due:
            origin = _system(tenant_id)
            async with self._db.transaction(origin, now=now) as tx:
                await self._lock(tx, tenant_id)
                await Ring(tx, self._keks, tenant_id, use, now=now).advance()
        return len(due) + await self._renew(now)

    async def require_encryption(self) -> None:
        """Makes sure that this process knows the key-encryption key that encrypts now; asks no provider.

        Raises:
            WrongKeyEncryptionKeyError: It is not among those of the settings.
            KeyEncryptionUnavailableError: It was not unwrapped yet.
        """
        await self._keks.require_known()

    @property
    def known_encryption(self) -> frozenset[str]:
        """Ids of the key-encryption keys that this process can decrypt with now."""
        return self._keks.known

    async def usable(self, tenant_id: str) -> Sequence[UsableKey]:
        """Keys that sign, verify or must be refused by name; of one that can't be read it is said why."""
        now = self._now()
        return [
            await self._usable(key, ciphertext, kek_id)
            for key, ciphertext, kek_id in await store.usable(self._db, tenant_id)
            if not _is_forgotten(key, now)
        ]

    async def active_refresh_id_key(self, tenant_id: str) -> int:
        """Number (claim `jk`) of the key that new families take.

        Raises:
            LookupError: The tenant has none: it was made without keys.
        """
        kid = await self._refresh_ids(tenant_id)
        if kid is None:
            raise LookupError(f"tenant {tenant_id} has no active refresh-id key")
        return int(kid)

    async def list(self, tenant_id: str, *, page_size: int, page_token: str = "") -> tuple[Sequence[SigningKey], str]:
        """A page of keys, newest first, and the token of the next one ("": this is the last)."""
        kind = f"keys:{tenant_id}"
        before = _position(kind, page_token) if page_token else None
        found = await store.page(self._db, tenant_id, before=before, limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        last = found[page_size - 1]
        return found[:page_size], pages.encode_page(kind, (last.create_time.isoformat(), last.use, last.kid))

    async def _usable(self, key: SigningKey, ciphertext: bytes, kek_id: str) -> UsableKey:
        if not kek_id:
            return UsableKey(key=key, private_key=b"")
        where = place(key.tenant_id, key.use, key.kid)
        try:
            private_key = await self._keks.decrypt_now(ciphertext, kek_id=kek_id, place=where)
        except (UnreadableSecretError, KeyEncryptionUnavailableError) as error:
            return UsableKey(key=key, private_key=b"", fault=error)
        return UsableKey(key=key, private_key=private_key)

    async def _renew(self, now: datetime) -> int:
        """Gives rings whose active key is old their next one."""
        made = 0
        for tenant_id, use in await store.aged(self._db, now=now, period=self._rotation_period):
            try:
                made += await self._add_next(tenant_id, use, now)
            except KeyRingFullError as error:
                # One ring that is full keeps no other from its next key.
                log.warning("key.not_renewed", tenant_id=tenant_id, use=use, cause=str(error))
        return made

    async def _add_next(self, tenant_id: str, use: KeyUse, now: datetime) -> bool:
        material = await self._generate(use, rsa_bits=await self._bits(tenant_id))
        async with self._db.transaction(_system(tenant_id), now=now) as tx:
            await self._lock(tx, tenant_id)
            ring = Ring(tx, self._keks, tenant_id, use, now=now)
            if await ring.has("pending"):
                return False
            await ring.add(material, active_time=now + self._jwks_max_age)
        return True

    async def _generate(self, use: KeyUse, *, rsa_bits: int) -> KeyMaterial:
        return await generate(use, self._algorithms[use], rsa_bits=rsa_bits)

    async def _bits(self, tenant_id: str) -> int:
        bits = await store.rsa_bits(self._db, tenant_id)
        if bits is None:
            raise InvalidFieldError("parent", "is not a tenant")
        return bits

    async def _lock(self, tx: Transaction, tenant_id: str) -> int:
        bits = await store.lock_tenant(tx, tenant_id)
        if bits is None:
            raise InvalidFieldError("parent", "is not a tenant")
        return bits


def _is_forgotten(key: SigningKey, now: datetime) -> bool:
    """It was revoked so long ago that its tokens are refused for their age."""
    return key.state == "revoked" and key.end_time is not None and key.end_time + RETENTION[key.use] <= now


def _system(tenant_id: str) -> Origin:
    return Origin(tenant_id=tenant_id, actor="system:keys", request_id="")


def _position(kind: str, page_token: str) -> tuple[datetime, str, str]:
    key = pages.decode_page(kind, page_token)
    try:
        created, use, kid = key
        return datetime.fromisoformat(created), use, kid
    except ValueError:
        raise PageTokenInvalidError from None
