"""What can be done with a tenant's rules for passkeys."""

from collections.abc import Collection
from dataclasses import replace

from argus.base import ids
from argus.base.clock import Now
from argus.base.errors import EtagMismatchError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.credentials.passkey_rules import store
from argus.credentials.passkey_rules.model import PasskeyRules, check_rules
from argus.storage.postgres import Database


class PasskeyRulebook:
    """The rules of all tenants."""

    def __init__(self, db: Database, now: Now, base_url: str) -> None:
        self._db = db
        self._now = now
        self._base_url = base_url

    async def said(self, tenant_id: str) -> PasskeyRules:
        """What the tenant itself said; empty where it said nothing."""
        return await store.find(self._db, tenant_id) or PasskeyRules(tenant_id=tenant_id)

    async def of(self, tenant_id: str) -> PasskeyRules:
        """What holds: what the tenant said, filled in with what the base URL says."""
        return (await self.said(tenant_id)).filled_in(self._base_url)

    async def update(
        self, tenant_id: str, changed: PasskeyRules, *, paths: Collection[str], etag: str, origin: Origin
    ) -> PasskeyRules:
        """Changes the fields that `paths` name.

        Raises:
            InvalidFieldError: The rules would not be good ones.
            EtagMismatchError: They have changed since they were read.
            RequestAlreadyDoneError: The request was carried out before.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.tenant_name(tenant_id), now=now)
            await store.lock_tenant(tx, tenant_id)
            before = await store.find(tx, tenant_id) or PasskeyRules(tenant_id=tenant_id)
            if etag and etag != ids.etag(before.revision):
                raise EtagMismatchError(ids.etag(before.revision))
            after = replace(before, **{path: getattr(changed, path) for path in paths}, revision=before.revision + 1)
            check_rules(after)
            await store.write(tx, after)
            tx.record(Event(type="tenant.passkey_rules_updated", data={"fields": " ".join(sorted(paths))}))
        return after
