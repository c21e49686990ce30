"""What can be done with recovery codes.

They are kept as HMACs under a key of the installation, not as argon2 hashes: a code is 58 random bits, of which a slow
hash would make no more, and one look-up finds it among the ten and takes it, atomically. Whoever reads the database
alone can try no code at all.
"""

import hashlib
import hmac

from argus.base.clock import Now
from argus.base.events import Event
from argus.base.ids import new_id, user_name
from argus.base.origin import Origin
from argus.credentials import store as credentials
from argus.credentials.model import Credential, CredentialUserNotFoundError
from argus.credentials.recovery_codes import store
from argus.credentials.recovery_codes.model import RecoveryCheck, canonical_code, new_codes
from argus.storage.postgres import Database


class RecoveryCodes:
    """The recovery codes of all users."""

    def __init__(self, db: Database, key: bytes, *, now: Now) -> None:
        """Takes what they are kept with.

        Args:
            db: Where they are kept.
            key: Of the HMACs; the same in every process of an installation.
            now: The time.
        """
        self._db = db
        self._key = key
        self._now = now

    async def replace(self, tenant_id: str, user_id: str, *, origin: Origin) -> tuple[Credential, list[str]]:
        """Gives a user ten new codes, which are shown this once; those before count no more.

        Raises:
            CredentialUserNotFoundError: There is no such user.
            RequestAlreadyDoneError: The request was carried out before; its codes are not kept, and can't be repeated.
        """
        now, codes = self._now(), new_codes()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(user_name(tenant_id, user_id), now=now)
            if not await credentials.hold_user(tx, tenant_id, user_id):
                raise CredentialUserNotFoundError(user_id)
            await credentials.delete_of_kind(tx, tenant_id, user_id, "recovery_codes")
            credential = await credentials.insert(
                tx, tenant_id, user_id, credential_id=new_id(), kind="recovery_codes", name="", at=now
            )
            if credential is None:
                raise LookupError("a new id is nobody's")
            hmacs = [self._hmac(tenant_id, user_id, code) for code in codes]
            await store.insert(tx, tenant_id, credential.credential_id, hmacs)
            data = {"credential": credential.credential_id, "kind": "recovery_codes"}
            tx.record(Event(type="credential.enrolled", user_id=user_id, data=data), time=now)
        return credential, codes

    async def left(self, tenant_id: str, user_id: str) -> int:
        """How many codes the user has."""
        return await store.left(self._db, tenant_id, user_id)

    async def check(self, tenant_id: str, user_id: str, code: str) -> RecoveryCheck:
        """Whether this is a code that the user has; nothing is written."""
        code_hmac = self._hmac(tenant_id, user_id, code)
        found = await store.find(self._db, tenant_id, user_id, code_hmac)
        return RecoveryCheck() if found is None else RecoveryCheck(code_hmac=code_hmac, **found)

    async def use(self, tenant_id: str, user_id: str, check: RecoveryCheck, *, origin: Origin) -> bool:
        """Takes the code that `check` found; True for one caller, however many hand it in at the same time."""
        if check.credential_id is None:
            return False
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            if not await store.take(tx, tenant_id, check.credential_id, check.code_hmac):
                return False
            await credentials.mark_used(tx, tenant_id, check.credential_id, at=now)
            data = {"credential": check.credential_id, "left": str(await store.left(tx, tenant_id, user_id))}
            tx.record(Event(type="credential.recovery_code_used", user_id=user_id, data=data), time=now)
            return True

    def _hmac(self, tenant_id: str, user_id: str, code: str) -> bytes:
        message = "\0".join((tenant_id, user_id, canonical_code(code))).encode()
        return hmac.new(self._key, message, hashlib.sha256).digest()
