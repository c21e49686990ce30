"""What can be done with time-based one-time passwords."""

import base64
from contextlib import suppress
from typing import Protocol

from argus.base.clock import Now
from argus.base.errors import UnavailableError
from argus.base.events import Event
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.credentials import store as credentials
from argus.credentials.model import (
    Credential,
    CredentialUserNotFoundError,
    EnrolmentNotFoundError,
    TooManyCredentialsError,
)
from argus.credentials.totp import store
from argus.credentials.totp.enrolment_store import EnrolmentStore, SealedEnrolment
from argus.credentials.totp.model import (
    ENROLMENT_LIFE,
    MAX_CREDENTIALS,
    Pending,
    TotpCheck,
    matching_step,
    new_secret,
    otpauth_uri,
)
from argus.storage.postgres import Database, Transaction


class Sealing(Protocol):
    """What encrypts secrets at rest (`argus.tokens.kek`)."""

    async def encrypt(self, tx: Transaction, plaintext: bytes, *, place: str) -> tuple[bytes, str]:
        """Ciphertext, and the id of the key that it is under; to be written by the same transaction."""

    async def decrypt(self, ciphertext: bytes, *, kek_id: str, place: str) -> bytes:
        """What `encrypt` was given."""


class Totp:
    """The authenticator apps of all users."""

    def __init__(self, db: Database, enrolments: EnrolmentStore, sealing: Sealing, *, now: Now) -> None:
        self._db = db
        self._enrolments = enrolments
        self._sealing = sealing
        self._now = now

    async def begin(
        self, tenant_id: str, user_id: str, *, account: str, issuer: str, display_name: str = ""
    ) -> Pending:
        """Makes a secret, which counts for nothing before `confirm`.

        Args:
            tenant_id: Tenant.
            user_id: User, who is there.
            account: What the app calls the account: an identifier of the user.
            issuer: What it calls us: the name of the tenant.
            display_name: What the user calls the app.

        Raises:
            TooManyCredentialsError: The user has as many as it may have.
            UnavailableError: A store is away.
        """
        if await self.count(tenant_id, user_id) >= MAX_CREDENTIALS:
            raise TooManyCredentialsError(MAX_CREDENTIALS)
        secret, enrolment_id = new_secret(), new_id()
        async with self._db.transaction() as tx:
            ciphertext, kek_id = await self._sealing.encrypt(
                tx, secret.encode(), place=totp_place(tenant_id, enrolment_id)
            )
        expires = self._now() + ENROLMENT_LIFE
        await self._enrolments.add(
            SealedEnrolment(
                tenant_id=tenant_id,
                enrolment_id=enrolment_id,
                user_id=user_id,
                display_name=display_name,
                ciphertext=base64.b64encode(ciphertext).decode(),
                kek_id=kek_id,
                expire_time=expires.timestamp(),
            )
        )
        return Pending(
            tenant_id=tenant_id,
            enrolment_id=enrolment_id,
            user_id=user_id,
            display_name=display_name,
            secret=secret,
            uri=otpauth_uri(secret, account=account, issuer=issuer),
            expire_time=expires,
        )

    async def confirm(
        self, tenant_id: str, user_id: str, enrolment_id: str, code: str, *, origin: Origin
    ) -> Credential | None:
        """Enrols the app that shows this code; the code is used up with it. None: the code is wrong.

        Raises:
            EnrolmentNotFoundError: The user has begun none of that id, or it has expired, or was confirmed before.
            CredentialUserNotFoundError: The user was deleted.
            TooManyCredentialsError: The user has as many as it may have.
            UnavailableError: A store is away.
        """
        now = self._now()
        found = await self._enrolments.get(tenant_id, enrolment_id, now=now)
        if found is None or found.user_id != user_id:
            raise EnrolmentNotFoundError
        place = totp_place(tenant_id, enrolment_id)
        secret = await self._sealing.decrypt(found.sealed, kek_id=found.kek_id, place=place)
        step = matching_step(secret.decode(), code, now=now)
        if step is None:
            return None
        async with self._db.transaction(origin, now=now) as tx:
            if not await credentials.hold_user(tx, tenant_id, user_id):
                raise CredentialUserNotFoundError(user_id)
            if await credentials.count(tx, tenant_id, user_id, "totp") >= MAX_CREDENTIALS:
                raise TooManyCredentialsError(MAX_CREDENTIALS)
            credential = await credentials.insert(
                tx, tenant_id, user_id, credential_id=enrolment_id, kind="totp", name=found.display_name, at=now
            )
            if credential is None:
                raise EnrolmentNotFoundError  # somebody else was faster
            # Under the key that encrypts now, which may be another one than minutes ago.
            ciphertext, kek_id = await self._sealing.encrypt(tx, secret, place=place)
            await store.insert(tx, tenant_id, enrolment_id, ciphertext=ciphertext, kek_id=kek_id, last_step=step)
            data = {"credential": enrolment_id, "kind": "totp"}
            told = {"name": found.display_name}
            tx.record(Event(type="credential.enrolled", user_id=user_id, data=data, told=told), time=now)
        with suppress(UnavailableError):  # it can't be confirmed twice all the same
            await self._enrolments.remove(tenant_id, enrolment_id)
        return credential

    async def count(self, tenant_id: str, user_id: str) -> int:
        """How many apps the user has enrolled."""
        return await credentials.count(self._db, tenant_id, user_id, "totp")

    async def check(self, tenant_id: str, user_id: str, code: str) -> TotpCheck:
        """Whether this is a code of one of the user's apps that was not taken yet; nothing is written.

        Raises:
            UnreadableSecretError: A secret can't be decrypted.
            UnavailableError: A store is away.
        """
        now, best = self._now(), TotpCheck()
        for sealed in await store.of_user(self._db, tenant_id, user_id):
            secret = await self._sealing.decrypt(
                sealed.ciphertext, kek_id=sealed.kek_id, place=totp_place(tenant_id, sealed.credential_id)
            )
            step = matching_step(secret.decode(), code, now=now, after=sealed.last_step)
            if step is not None:
                best = TotpCheck(
                    credential_id=sealed.credential_id,
                    step=step,
                    closed_to_unknown_devices=sealed.closed_to_unknown_devices,
                )
        return best

    async def use(self, tenant_id: str, check: TotpCheck) -> bool:
        """Takes the code that `check` found; True for one caller, however many hand it in at the same time."""
        if check.credential_id is None:
            return False
        now = self._now()
        async with self._db.transaction(now=now) as tx:
            if not await store.take_step(tx, tenant_id, check.credential_id, check.step):
                return False
            await credentials.mark_used(tx, tenant_id, check.credential_id, at=now)
            return True


def totp_place(tenant_id: str, credential_id: str) -> str:
    """What a secret is bound to when it is encrypted."""
    return f"totp_secrets/{tenant_id}/{credential_id}"
