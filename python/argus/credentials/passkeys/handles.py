"""Who users are to authenticators, and other small things that both ceremonies need."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from argus.credentials.model import CredentialUserNotFoundError
from argus.credentials.passkeys import store
from argus.credentials.passkeys.model import Passkey
from argus.credentials.store import lock_user
from argus.credentials.webauthn.forms import encode
from argus.credentials.webauthn.options import Descriptor
from argus.storage.postgres import Database, Transaction


async def handle_of(db: Database, tenant_id: str, user_id: str, *, now: datetime) -> bytes:
    """Who the user is to authenticators: 32 random bytes, made when they are first needed.

    Raises:
        CredentialUserNotFoundError: There is no such user.
    """
    known = await store.user_handle(db, tenant_id, user_id)
    if known is not None:
        return known
    async with db.transaction(now=now) as tx:
        await hold_user(tx, tenant_id, user_id)
        return await store.keep_user_handle(tx, tenant_id, user_id, secrets.token_bytes(32))


async def hold_user(tx: Transaction, tenant_id: str, user_id: str) -> None:
    """Keeps a user from being deleted until the transaction ends.

    Raises:
        CredentialUserNotFoundError: There is no such user.
    """
    if not await lock_user(tx, tenant_id, user_id):
        raise CredentialUserNotFoundError(user_id)


def new_challenge() -> str:
    """A challenge of 32 random bytes, as text."""
    return encode(secrets.token_bytes(32))


def descriptors(passkeys: Sequence[Passkey]) -> Sequence[Descriptor]:
    """Passkeys, as options name them."""
    return [Descriptor(webauthn_id=one.webauthn_id, transports=one.transports) for one in passkeys]
