"""What can be done with passwords."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from argus.base import ids, pages
from argus.base.errors import PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.settings import Settings
from argus.credentials import store
from argus.credentials.foreign.formats import accept, read
from argus.credentials.foreign.model import PasswordHash
from argus.credentials.hashing import HashingPool
from argus.credentials.model import (
    MAX_PASSWORD_BYTES,
    MIN_PASSWORD_ALONE,
    Composition,
    Credential,
    CredentialKind,
    CredentialNotFoundError,
    CredentialUserNotFoundError,
    PasswordCheck,
    check_password,
    forms,
    is_text,
    normalised,
)
from argus.credentials.password_history.service import PasswordHistory
from argus.storage.postgres import Database, Transaction

# No user has it: ids have 22 characters.
_NOBODY: Final = "-"
_SERVICE_WORDS: Final = ("argus",)


class Passwords:
    """The passwords of all users."""

    def __init__(self, db: Database, now: Callable[[], datetime], settings: Settings, *, secret: bytes) -> None:
        """Makes the service.

        Args:
            db: Database.
            now: Tells the time.
            settings: Those of the hashing pool.
            secret: Of the installation: draws whose hash the check of an identifier costs as much as that nobody has.
        """
        self._db = db
        self._secret = secret
        self._now = now
        self._pool = HashingPool.of(settings)
        self.history = PasswordHistory(db, self._pool)

    @property
    def hashes_done(self) -> int:
        """Hashes computed since the start; what shows that unknown users cost the same."""
        return self._pool.hashes_done

    def close(self) -> None:
        """Ends the pool's threads."""
        self._pool.close()

    async def check(self, tenant_id: str, user_id: str | None, password: str, *, identifier: str) -> PasswordCheck:
        """Whether this is the user's password.

        For a user that does not exist or has no password the same is read, a hash that costs as much as that of
        another user is computed, and nothing is written for a right one yet, so that neither the answer nor its time
        tells (ADR 34).

        Args:
            tenant_id: Tenant.
            user_id: User; None: nobody has the identifier.
            password: As typed.
            identifier: As it is compared; the same one always costs as much as the same other user.

        Raises:
            OverloadedError: Too many hashes are waiting.
        """
        row = await store.find_password(
            self._db, tenant_id, user_id or _NOBODY, point=self._point(tenant_id, identifier)
        )
        text = normalised(password)
        is_possible = is_text(text) and len(text.encode()) <= MAX_PASSWORD_BYTES
        # Both are made, whichever is needed.
        lookalike = read(row["peer_hash"]).lookalike() if row["peer_hash"] else self._pool.dummy_hash.lookalike()
        secret_hash = row["secret_hash"] or str(lookalike)
        fits = await self._pool.verify(read(secret_hash), forms(password) if is_possible else [b""])
        if row["credential_id"] is None:
            return PasswordCheck(ok=False)
        return PasswordCheck(
            ok=fits and is_possible,
            credential_id=row["credential_id"],
            closed_to_unknown_devices=row["closed_to_unknown_devices"],
            to_be_replaced=row["to_be_replaced"],
            secret_hash=secret_hash,
        )

    async def used(self, tenant_id: str, check: PasswordCheck, password: str) -> None:
        """Notes that a right password was let in, and hashes anew what was hashed otherwise than passwords are now.

        Args:
            tenant_id: Tenant.
            check: What `check` found.
            password: As typed.

        Raises:
            OverloadedError: Too many hashes are waiting.
        """
        if not check.ok or check.credential_id is None:
            raise ValueError("the password was not right")
        renewed = await self._pool.hash(normalised(password)) if self._is_to_renew(check, password) else None
        now = self._now()
        async with self._db.transaction(now=now) as tx:
            await store.mark_used(tx, tenant_id, check.credential_id, at=now)
            if renewed is not None:
                await store.rehash(tx, tenant_id, check.credential_id, before=check.secret_hash, after=renewed)

    async def prepare(
        self,
        password: str,
        *,
        context: Sequence[str] = (),
        minimum: int = MIN_PASSWORD_ALONE,
        composition: Composition = "none",
        field: str = "password",
    ) -> str:
        """The hash of a new password; made before a transaction, so that none waits for it.

        Raises:
            PasswordRefusedError: It breaks a rule.
            OverloadedError: Too many hashes are waiting.
        """
        text = check_password(
            password, minimum=minimum, composition=composition, context=(*_SERVICE_WORDS, *context), field=field
        )
        return await self._pool.hash(text)

    async def put(self, tx: Transaction, tenant_id: str, user_id: str, secret_hash: str) -> Credential:
        """Gives a user a password that was prepared, within `tx`; the one before is gone.

        Raises:
            CredentialUserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        if not await store.lock_user(tx, tenant_id, user_id):
            raise CredentialUserNotFoundError(user_id)
        before = await store.of_user(tx, tenant_id, user_id)
        is_changed = any(one.kind == "password" for one in before)
        credential = await store.replace_password(
            tx, tenant_id, user_id, credential_id=ids.new_id(), secret_hash=secret_hash, at=now
        )
        data = {"credential": credential.credential_id, "kind": "password"}
        told = {"as": "changed" if is_changed else "beside" if before else "first"}
        tx.record(Event(type="credential.password_set", user_id=user_id, data=data, told=told), time=now)
        return credential

    def accept(self, password_hash: str, *, field: str = "password_hash") -> PasswordHash:
        """The hash of a password that was made elsewhere, if passwords can be checked against it.

        Raises:
            PasswordHashRefusedError: They can't, and this says why.
        """
        return accept(password_hash, field=field)

    async def put_all(self, tx: Transaction, tenant_id: str, hashes: Mapping[str, PasswordHash]) -> None:
        """Gives users that have none the passwords of hashes that were accepted, within `tx`."""
        now = self._now()
        if hashes:
            rows = [(ids.new_id(), user_id, str(one), now) for user_id, one in hashes.items()]
            await store.insert_passwords(tx, tenant_id, rows)

    async def set(
        self,
        tenant_id: str,
        user_id: str,
        password: str,
        *,
        identifiers: Sequence[str],
        origin: Origin,
        minimum: int = MIN_PASSWORD_ALONE,
        tx: Transaction | None = None,
    ) -> Credential:
        """Checks a new password and gives it to a user.

        Args:
            tenant_id: Tenant.
            user_id: User.
            password: As typed.
            identifiers: What the user signs in with.
            origin: On whose behalf.
            minimum: Fewest characters.
            tx: Transaction to do it in; none: one of its own, which claims the request.

        Raises:
            PasswordRefusedError: It breaks a rule.
            CredentialUserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before.
        """
        secret_hash = await self.prepare(password, context=[tenant_id, *identifiers], minimum=minimum)
        if tx is not None:
            return await self.put(tx, tenant_id, user_id, secret_hash)
        now = self._now()
        async with self._db.transaction(origin, now=now) as own:
            await own.claim(ids.user_name(tenant_id, user_id), now=now)
            return await self.put(own, tenant_id, user_id, secret_hash)

    async def find(self, tenant_id: str, user_id: str) -> Credential | None:
        """The user's password, without its secret."""
        return await store.find_of_kind(self._db, tenant_id, user_id, "password")

    async def close_to_unknown_devices(
        self, tenant_id: str, user_id: str, origin: Origin, *, kind: CredentialKind = "password"
    ) -> None:
        """Lets no unknown device try what the user has of a kind until it is replaced (NIST SP 800-63B-4, 3.2.2)."""
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            if await store.close_to_unknown_devices(tx, tenant_id, user_id, kind):
                event = Event(type="credential.closed_to_unknown_devices", user_id=user_id, data={"kind": kind})
                tx.record(event, time=now)

    async def close_for_all(self, tx: Transaction, tenant_id: str, user_id: str) -> bool:
        """Has the user's password refused everywhere until it is replaced, within `tx`; False if there is none."""
        is_closed = await store.close_password(tx, tenant_id, user_id)
        if is_closed:
            tx.record(Event(type="credential.closed", user_id=user_id, data={"kind": "password"}), time=self._now())
        return is_closed

    async def list(
        self, tenant_id: str, user_id: str, *, page_size: int, page_token: str = ""
    ) -> tuple[Sequence[Credential], str]:
        """A page of a user's credentials, and the token of the next one ("": this is the last)."""
        kind = f"credentials:{tenant_id}:{user_id}"
        key = pages.decode_page(kind, page_token) if page_token else ("",)
        if len(key) != 1:
            raise PageTokenInvalidError
        found = await store.page(self._db, tenant_id, user_id, after=key[0], limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        return found[:page_size], pages.encode_page(kind, (found[page_size - 1].credential_id,))

    async def delete(self, tenant_id: str, user_id: str, credential_id: str, *, origin: Origin) -> None:
        """Deletes a credential.

        Raises:
            CredentialNotFoundError: The user has no such one.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.credential_name(tenant_id, user_id, credential_id), now=now)
            await self.remove(tx, tenant_id, user_id, credential_id)

    async def get(self, tenant_id: str, user_id: str, credential_id: str) -> Credential:
        """A credential of a user, without its secret.

        Raises:
            CredentialNotFoundError: The user has no such one.
        """
        found = await store.find(self._db, tenant_id, user_id, credential_id)
        if found is None:
            raise CredentialNotFoundError(credential_id)
        return found

    async def rename(
        self, tenant_id: str, user_id: str, credential_id: str, display_name: str, *, origin: Origin
    ) -> Credential:
        """Changes what a user calls a credential.

        Raises:
            CredentialNotFoundError: The user has no such one.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.credential_name(tenant_id, user_id, credential_id), now=now)
            renamed = await store.rename(tx, tenant_id, user_id, credential_id, display_name)
            if renamed is None:
                raise CredentialNotFoundError(credential_id)
            data = {"credential": credential_id, "kind": renamed.kind}
            told = {"name": display_name}
            tx.record(Event(type="credential.renamed", user_id=user_id, data=data, told=told), time=now)
        return renamed

    async def remove(
        self, tx: Transaction, tenant_id: str, user_id: str, credential_id: str
    ) -> tuple[Credential, Sequence[Credential]]:
        """Deletes a credential within `tx`; says which it was, and which are left. Nobody else removes one meanwhile.

        Raises:
            CredentialNotFoundError: The user has no such one.
        """
        await store.hold_user(tx, tenant_id, user_id)
        found = await store.find(tx, tenant_id, user_id, credential_id)
        if found is None or not await store.delete(tx, tenant_id, user_id, credential_id):
            raise CredentialNotFoundError(credential_id)
        self._record_deleted(tx, user_id, found)
        return found, await store.of_user(tx, tenant_id, user_id)

    async def remove_kinds(
        self, tx: Transaction, tenant_id: str, user_id: str, kinds: Collection[CredentialKind], *, comment: str
    ) -> Sequence[Credential]:
        """Deletes a user's credentials of some kinds within `tx`; says which they were."""
        await store.hold_user(tx, tenant_id, user_id)
        found = [one for one in await store.of_user(tx, tenant_id, user_id) if one.kind in kinds]
        for one in found:
            await store.delete(tx, tenant_id, user_id, one.credential_id)
            self._record_deleted(tx, user_id, one, comment=comment)
        return found

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Deletes all credentials of a user, within `tx`."""
        await store.delete_of_user(tx, tenant_id, user_id)

    def _record_deleted(self, tx: Transaction, user_id: str, one: Credential, *, comment: str = "") -> None:
        data = {"credential": one.credential_id, "kind": one.kind} | ({"comment": comment} if comment else {})
        told = {"name": one.display_name}
        tx.record(Event(type="credential.deleted", user_id=user_id, data=data, told=told), time=self._now())

    def _point(self, tenant_id: str, identifier: str) -> str:
        """Where among the ids of credentials an identifier has its peer; nobody outside can tell."""
        content = f"{tenant_id}\0{identifier}".encode()
        digest = hmac.digest(self._secret, content, hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()

    def _is_to_renew(self, check: PasswordCheck, password: str) -> bool:
        hashed = read(check.secret_hash)
        # What bcrypt did not read was not proven: with a slip in it the user would be locked out by its own password.
        is_read = hashed.reach is None or all(len(form) <= hashed.reach for form in forms(password))
        return is_read and self._pool.is_stale(hashed)
