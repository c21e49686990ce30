"""What can be done with passwords."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from argus.base import ids, pages
from argus.base.errors import PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.settings import Settings
from argus.credentials import store
from argus.credentials.hashing import HashingPool
from argus.credentials.model import (
    MAX_PASSWORD_BYTES,
    MIN_PASSWORD_ALONE,
    Credential,
    CredentialNotFoundError,
    CredentialUserNotFoundError,
    PasswordCheck,
    check_password,
    is_text,
    normalised,
)
from argus.storage.postgres import Database, Transaction

# No user has it: ids have 22 characters.
_NOBODY: Final = "-"
_SERVICE_WORDS: Final = ("argus",)


class Passwords:
    """The passwords of all users."""

    def __init__(self, db: Database, now: Callable[[], datetime], settings: Settings) -> None:
        self._db = db
        self._now = now
        self._pool = HashingPool.of(settings)

    @property
    def hashes_done(self) -> int:
        """Hashes computed since the start; what shows that unknown users cost the same."""
        return self._pool.hashes_done

    def close(self) -> None:
        """Ends the pool's threads."""
        self._pool.close()

    async def check(self, tenant_id: str, user_id: str | None, password: str) -> PasswordCheck:
        """Whether this is the user's password.

        For a user that does not exist or has no password the same is read and the same is hashed, and nothing is
        written for a right one yet, so that neither the answer nor its time tells.

        Args:
            tenant_id: Tenant.
            user_id: User; None: nobody has the identifier.
            password: As typed.

        Raises:
            OverloadedError: Too many hashes are waiting.
        """
        row = await store.find_password(self._db, tenant_id, user_id or _NOBODY)
        text = normalised(password)
        is_possible = is_text(text) and len(text.encode()) <= MAX_PASSWORD_BYTES
        secret_hash = self._pool.dummy_hash if row is None else row["secret_hash"]
        fits = await self._pool.verify(secret_hash, text if is_possible else "")
        if row is None:
            return PasswordCheck(ok=False)
        return PasswordCheck(
            ok=fits and is_possible,
            credential_id=row["credential_id"],
            closed_to_unknown_devices=row["closed_to_unknown_devices"],
            secret_hash=secret_hash,
        )

    async def used(self, tenant_id: str, check: PasswordCheck, password: str) -> None:
        """Notes that a right password was let in, and hashes anew what was hashed with other parameters.

        Args:
            tenant_id: Tenant.
            check: What `check` found.
            password: As typed.

        Raises:
            OverloadedError: Too many hashes are waiting.
        """
        if not check.ok or check.credential_id is None:
            raise ValueError("the password was not right")
        is_stale = self._pool.is_stale(check.secret_hash)
        renewed = await self._pool.hash(normalised(password)) if is_stale else None
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
        field: str = "password",
    ) -> str:
        """The hash of a new password; made before a transaction, so that none waits for it.

        Raises:
            PasswordRefusedError: It breaks a rule.
            OverloadedError: Too many hashes are waiting.
        """
        text = check_password(password, minimum=minimum, context=(*_SERVICE_WORDS, *context), field=field)
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
        credential = await store.replace_password(
            tx, tenant_id, user_id, credential_id=ids.new_id(), secret_hash=secret_hash, at=now
        )
        tx.record(
            Event(type="credential.password_set", user_id=user_id, data={"credential": credential.credential_id}),
            time=now,
        )
        return credential

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
        found = await store.page(self._db, tenant_id, user_id, after="", limit=1)
        return found[0] if found else None

    async def close_to_unknown_devices(self, tenant_id: str, user_id: str, origin: Origin) -> None:
        """Lets no unknown device try the password until it is replaced (NIST SP 800-63B-4, 3.2.2)."""
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            if await store.close_to_unknown_devices(tx, tenant_id, user_id):
                tx.record(Event(type="credential.closed_to_unknown_devices", user_id=user_id), time=now)

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
            if not await store.delete(tx, tenant_id, user_id, credential_id):
                raise CredentialNotFoundError(credential_id)
            tx.record(Event(type="credential.deleted", user_id=user_id, data={"credential": credential_id}), time=now)

    async def remove_user(self, tx: Transaction, tenant_id: str, user_id: str) -> None:
        """Deletes all credentials of a user, within `tx`."""
        await store.delete_of_user(tx, tenant_id, user_id)
