"""What can be done with tenants."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from argus.base import ids, pages
from argus.base.errors import EtagMismatchError, PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.storage.postgres import Database, Transaction
from argus.tenants import store
from argus.tenants.model import (
    Tenant,
    TenantExistsError,
    TenantFields,
    TenantNotFoundError,
    check_fields,
    check_tenant_id,
)

_PAGE = "tenants"


class Tenants:
    """All tenants of the installation."""

    def __init__(self, db: Database, now: Callable[[], datetime], issuer_base: str) -> None:
        """Keeps tenants.

        Args:
            db: Where they are kept.
            now: The time.
            issuer_base: Base URL; issuers are it + "/t/" + tenant id.
        """
        self._db = db
        self._now = now
        self._issuer_base = issuer_base.rstrip("/")

    def issuer(self, tenant_id: str) -> str:
        """Issuer of the tenant's tokens."""
        return f"{self._issuer_base}/t/{tenant_id}"

    async def create(
        self,
        tx: Transaction,
        tenant_id: str,
        fields: TenantFields | None = None,
        *,
        is_system: bool = False,
    ) -> Tenant:
        """Creates a tenant within `tx`; without keys it can't issue anything (`flows.create_tenant` adds them).

        Raises:
            TenantExistsError: The id is taken.
            InvalidFieldError: A field can't be so.
        """
        fields = fields or TenantFields()
        check_tenant_id(tenant_id)
        check_fields(fields)
        tenant = Tenant(
            tenant_id=tenant_id,
            display_name=fields.display_name,
            is_system=is_system,
            disabled=False,
            not_before=None,
            rsa_bits=fields.rsa_bits,
            key_rotation_period=fields.key_rotation_period,
            create_time=self._now(),
            revision=1,
        )
        if not await store.insert(tx, tenant):
            raise TenantExistsError(tenant_id)
        tx.record(Event(type="tenant.created", data={"tenant": tenant_id}), time=tenant.create_time)
        return tenant

    async def get(self, tenant_id: str, *, reader: Transaction | None = None) -> Tenant:
        """The tenant, as `reader` sees it if one is given.

        Raises:
            TenantNotFoundError: There is none of that id.
        """
        tenant = await store.find(reader or self._db, tenant_id)
        if tenant is None:
            raise TenantNotFoundError(tenant_id)
        return tenant

    async def list(self, *, page_size: int, page_token: str = "") -> tuple[Sequence[Tenant], str]:
        """A page of tenants by id, and the token of the next one ("": this is the last)."""
        key = pages.decode_page(_PAGE, page_token) if page_token else ("",)
        if len(key) != 1:
            raise PageTokenInvalidError
        found = await store.page(self._db, after=key[0], limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        return found[:page_size], pages.encode_page(_PAGE, (found[page_size - 1].tenant_id,))

    async def all(self) -> Sequence[Tenant]:
        """Every tenant."""
        return await store.every(self._db)

    async def update(
        self, tenant_id: str, fields: TenantFields, *, paths: Collection[str], etag: str = "", origin: Origin
    ) -> Tenant:
        """Changes the fields of `paths`.

        Raises:
            TenantNotFoundError: There is none of that id.
            EtagMismatchError: It changed since `etag` was read.
            InvalidFieldError: A field can't be so.
        """
        said = {path: getattr(fields, path) for path in paths}
        check_fields(TenantFields(**said))
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.tenant_name(tenant_id), now=now)
            tenant = await store.lock(tx, tenant_id)
            if tenant is None:
                raise TenantNotFoundError(tenant_id)
            if etag and etag != ids.etag(tenant.revision):
                raise EtagMismatchError(ids.etag(tenant.revision))
            changed = replace(tenant, **said, revision=tenant.revision + 1)
            await store.update(tx, changed)
            tx.record(
                Event(type="tenant.updated", data={"tenant": tenant_id, "paths": " ".join(sorted(paths))}), time=now
            )
        return changed

    async def set_not_before(self, tx: Transaction, tenant_id: str, at: datetime) -> datetime:
        """Ends every session of the tenant that was created up to `at`; the instant that counts is returned.

        Raises:
            TenantNotFoundError: There is none of that id.
        """
        not_before = await store.raise_not_before(tx, tenant_id, at)
        if not_before is None:
            raise TenantNotFoundError(tenant_id)
        return not_before
