"""What can be done with passkeys that there are."""

from collections.abc import Sequence

from argus.base import ids
from argus.base.clock import Now
from argus.base.events import Event
from argus.base.origin import Origin
from argus.credentials.model import CredentialNotFoundError
from argus.credentials.passkey_rules.service import PasskeyRulebook
from argus.credentials.passkeys import store
from argus.credentials.passkeys.handles import handle_of
from argus.credentials.passkeys.model import Passkey, PasskeyUser
from argus.credentials.webauthn.options import Account, accepted_credentials, user_details
from argus.storage.postgres import Database


class Passkeys:
    """The passkeys of all users."""

    def __init__(self, db: Database, rulebook: PasskeyRulebook, *, now: Now) -> None:
        self._db = db
        self._rulebook = rulebook
        self._now = now

    async def list(self, tenant_id: str, user_id: str) -> Sequence[Passkey]:
        """All passkeys of a user, oldest first."""
        return await store.of_user(self._db, tenant_id, user_id)

    async def usable(self, tenant_id: str, user_id: str) -> Sequence[Passkey]:
        """Those that can be used under the tenant's present rules: passkeys are bound to their relying party."""
        rules = await self._rulebook.of(tenant_id)
        return await store.of_user(self._db, tenant_id, user_id, rp_id=rules.rp_id)

    async def are_attested(self, tenant_id: str) -> bool:
        """Whether new ones have to prove the make of their authenticators."""
        return (await self._rulebook.of(tenant_id)).attestation == "direct"

    async def get(self, tenant_id: str, user_id: str, credential_id: str) -> Passkey:
        """A passkey of a user.

        Raises:
            CredentialNotFoundError: The user has no such one.
        """
        found = await store.find(self._db, tenant_id, user_id, credential_id)
        if found is None:
            raise CredentialNotFoundError(credential_id)
        return found

    async def rename(
        self, tenant_id: str, user_id: str, credential_id: str, display_name: str, *, origin: Origin
    ) -> Passkey:
        """Gives a passkey another name.

        Raises:
            CredentialNotFoundError: The user has no such one.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.credential_name(tenant_id, user_id, credential_id), now=now)
            if not await store.rename(tx, tenant_id, user_id, credential_id, display_name):
                raise CredentialNotFoundError(credential_id)
            data = {"credential": credential_id, "kind": "webauthn"}
            told = {"name": display_name}
            tx.record(Event(type="credential.passkey_renamed", user_id=user_id, data=data, told=told))
            renamed = await store.find(tx, tenant_id, user_id, credential_id)
        if renamed is None:
            raise CredentialNotFoundError(credential_id)
        return renamed

    async def signals(self, tenant_id: str, user: PasskeyUser) -> tuple[str, str]:
        """What the signal methods of browsers take: all accepted credentials, and the user's present names."""
        rules = await self._rulebook.of(tenant_id)
        handle = await handle_of(self._db, tenant_id, user.user_id, now=self._now())
        usable = await store.of_user(self._db, tenant_id, user.user_id, rp_id=rules.rp_id)
        account = Account(user_handle=handle, name=user.name, display_name=user.display_name)
        return (
            accepted_credentials(
                rp_id=rules.rp_id, user_handle=handle, credentials=[one.webauthn_id for one in usable]
            ),
            user_details(rp_id=rules.rp_id, account=account),
        )
