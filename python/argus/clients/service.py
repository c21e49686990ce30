"""What can be done with clients."""

import hmac
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from argus.base import ids, pages
from argus.base.errors import EtagMismatchError, PageTokenInvalidError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.clients import store
from argus.clients.model import (
    ACCOUNT_CLIENT,
    ACCOUNT_RESOURCE,
    ACCOUNT_SCOPES,
    BuiltInClientError,
    CallerCredentialsInvalidError,
    Client,
    ClientDisabledError,
    ClientExistsError,
    ClientFields,
    ClientNotFoundError,
    check_acr_grant,
    check_client_id,
    check_fields,
    check_grant,
)
from argus.clients.scopes import argus_scopes
from argus.storage.postgres import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClient:
    """A client as verification must know it: deleted ones count as disabled."""

    client: Client
    is_usable: bool


class Clients:
    """The clients of all tenants."""

    def __init__(self, db: Database, now: Callable[[], datetime], issuer_base: str = "") -> None:
        """Keeps clients.

        Args:
            db: Where they are kept.
            now: The time.
            issuer_base: What all issuers begin with; they are no resources of clients.
        """
        self._db = db
        self._now = now
        self._issuer_base = issuer_base.rstrip("/")
        self._reads = db.reads("clients", lambda keys: store.find_all(db, keys))
        # What an unknown client's secret is compared with: no secret has this hash.
        self._nobody = ids.sha256(ids.new_secret())

    async def create(
        self,
        tenant_id: str,
        client_id: str,
        fields: ClientFields,
        *,
        grantable: Collection[str] | None = None,
        ceiling: int | None = None,
        origin: Origin,
    ) -> tuple[Client, str]:
        """Creates a client; its secret can be read here only.

        Args:
            tenant_id: Tenant.
            client_id: Id, for ever.
            fields: What is said about it.
            grantable: Scopes that the caller holds; None: all.
            ceiling: Highest level that the caller may vouch for; None: any.
            origin: On whose behalf.

        Raises:
            ClientExistsError: The id is or was taken.
            ScopeNotHeldError: The caller lacks a scope that it would give.
            AcrNotHeldError: The caller may not vouch for the level that it would give.
            RequestAlreadyDoneError: The request was carried out before.
        """
        check_client_id(client_id)
        check_fields(fields, issuer_base=self._issuer_base)
        check_grant(fields.scopes, argus_scopes=argus_scopes(), grantable=grantable)
        check_acr_grant(fields.max_asserted_acr, ceiling=ceiling)
        now, secret = self._now(), ids.new_secret()
        client = Client(
            tenant_id=tenant_id,
            client_id=client_id,
            display_name=fields.display_name,
            scopes=fields.scopes,
            resource=fields.resource,
            max_asserted_acr=fields.max_asserted_acr,
            disabled=fields.disabled,
            not_before=None,
            create_time=now,
            revision=1,
        )
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.client_name(tenant_id, client_id), now=now)
            if not await store.insert(tx, client, secret_sha256=ids.sha256(secret)):
                raise ClientExistsError(client_id)
            tx.record(
                Event(type="client.created", client_id=client_id, data={"scopes": " ".join(client.scopes)}), time=now
            )
        return client, secret

    async def create_account(self, tx: Transaction, tenant_id: str) -> None:
        """Creates the built-in client of a new tenant, within `tx`; nobody has its secret."""
        client = Client(
            tenant_id=tenant_id,
            client_id=ACCOUNT_CLIENT,
            display_name="Account",
            scopes=ACCOUNT_SCOPES,
            resource=ACCOUNT_RESOURCE,
            max_asserted_acr=1,
            disabled=False,
            not_before=None,
            create_time=self._now(),
            revision=1,
        )
        await store.insert(tx, client, secret_sha256=b"")
        data = {"scopes": " ".join(client.scopes)}
        tx.record(Event(type="client.created", client_id=ACCOUNT_CLIENT, data=data), time=client.create_time)

    async def get(self, tenant_id: str, client_id: str, *, reader: Transaction | None = None) -> Client:
        """The client, as `reader` sees it if one is given.

        Raises:
            ClientNotFoundError: There is none, or it was deleted.
        """
        key = (tenant_id, client_id)
        client = await self._reads(key) if reader is None else await store.find(reader, *key)
        if client is None:
            raise ClientNotFoundError(client_id)
        return client

    async def authenticate(self, tenant_id: str, client_id: str, secret: str) -> Client:
        """The client that has this secret; an unknown client takes the same work.

        Raises:
            CallerCredentialsInvalidError: Id and secret do not fit.
            ClientDisabledError: They fit, and the client is disabled.
        """
        found = await store.find_with_secret(self._db, tenant_id, client_id)
        expected = self._nobody if found is None else found[1]
        fits = hmac.compare_digest(expected, ids.sha256(secret))
        if found is None or not fits:
            raise CallerCredentialsInvalidError
        if found[0].disabled:
            raise ClientDisabledError(client_id)
        return found[0]

    async def update(
        self,
        tenant_id: str,
        client_id: str,
        fields: ClientFields,
        *,
        paths: Collection[str],
        etag: str = "",
        grantable: Collection[str] | None = None,
        ceiling: int | None = None,
        origin: Origin,
    ) -> Client:
        """Changes the fields of `paths`.

        Raises:
            ClientNotFoundError: There is no such client.
            EtagMismatchError: It changed since `etag` was read.
            ScopeNotHeldError: The caller lacks a scope that it would give.
            AcrNotHeldError: The caller may not vouch for the level that it would give.
        """
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.client_name(tenant_id, client_id), now=now)
            client = await self._locked(tx, tenant_id, client_id)
            if etag and etag != ids.etag(client.revision):
                raise EtagMismatchError(ids.etag(client.revision))
            changed = _changed(client, fields, paths)
            check_fields(_fields(changed), issuer_base=self._issuer_base)
            given = set(changed.scopes) - set(client.scopes)
            check_grant(given, argus_scopes=argus_scopes(), grantable=grantable)
            if changed.max_asserted_acr > client.max_asserted_acr:
                check_acr_grant(changed.max_asserted_acr, ceiling=ceiling)
            await store.update(tx, changed)
            data = {"paths": " ".join(sorted(paths)), "scopes": " ".join(changed.scopes)}
            tx.record(Event(type="client.updated", client_id=client_id, data=data), time=now)
        return changed

    async def rotate_secret(
        self,
        tenant_id: str,
        client_id: str,
        *,
        grantable: Collection[str] | None = None,
        ceiling: int | None = None,
        origin: Origin,
    ) -> str:
        """Gives a client a new secret, which can be read here only; the old one stops at once.

        Who has the secret has the client's scopes, so that giving one is giving the other.

        Raises:
            ClientNotFoundError: There is no such client.
            ScopeNotHeldError: The client has a power over Argus that the caller lacks.
            AcrNotHeldError: The client may vouch for more than the caller.
            BuiltInClientError: It is a part of Argus.
            RequestAlreadyDoneError: The request was carried out before.
        """
        _check_not_built_in(client_id)
        now, secret = self._now(), ids.new_secret()
        async with self._db.transaction(origin, now=now) as tx:
            await tx.claim(ids.client_name(tenant_id, client_id), now=now)
            client = await self._locked(tx, tenant_id, client_id)
            check_grant(client.scopes, argus_scopes=argus_scopes(), grantable=grantable)
            check_acr_grant(client.max_asserted_acr, ceiling=ceiling)
            await store.replace_secret(tx, tenant_id, client_id, secret_sha256=ids.sha256(secret))
            tx.record(Event(type="client.secret_rotated", client_id=client_id), time=now)
        return secret

    async def delete(self, tx: Transaction, tenant_id: str, client_id: str) -> None:
        """Deletes a client, within `tx`.

        Raises:
            ClientNotFoundError: There is no such client.
            BuiltInClientError: It is a part of Argus.
        """
        _check_not_built_in(client_id)
        now = self._now()
        if not await store.delete(tx, tenant_id, client_id, at=now):
            raise ClientNotFoundError(client_id)
        tx.record(Event(type="client.deleted", client_id=client_id), time=now)

    async def set_not_before(self, tx: Transaction, tenant_id: str, client_id: str, at: datetime) -> datetime:
        """Ends every session and token of the client that was made up to `at`; the instant that counts is returned.

        Raises:
            ClientNotFoundError: There is no such client.
        """
        not_before = await store.raise_not_before(tx, tenant_id, client_id, at)
        if not_before is None:
            raise ClientNotFoundError(client_id)
        return not_before

    async def known(self, tenant_id: str) -> Sequence[KnownClient]:
        """All clients of a tenant that tokens may speak of."""
        rows = await store.every(self._db, tenant_id)
        found = []
        for row in rows:
            is_deleted = row.pop("is_deleted")
            client = Client(**row)
            found.append(KnownClient(client=client, is_usable=not (is_deleted or client.disabled)))
        return found

    async def list(self, tenant_id: str, *, page_size: int, page_token: str = "") -> tuple[Sequence[Client], str]:
        """A page of clients by id, and the token of the next one ("": this is the last)."""
        kind = f"clients:{tenant_id}"
        key = pages.decode_page(kind, page_token) if page_token else ("",)
        if len(key) != 1:
            raise PageTokenInvalidError
        found = await store.page(self._db, tenant_id, after=key[0], limit=page_size + 1)
        if len(found) <= page_size:
            return found, ""
        return found[:page_size], pages.encode_page(kind, (found[page_size - 1].client_id,))

    async def _locked(self, tx: Transaction, tenant_id: str, client_id: str) -> Client:
        client = await store.lock(tx, tenant_id, client_id)
        if client is None:
            raise ClientNotFoundError(client_id)
        return client


def _check_not_built_in(client_id: str) -> None:
    if client_id == ACCOUNT_CLIENT:
        raise BuiltInClientError(client_id)


def _fields(client: Client) -> ClientFields:
    return ClientFields(
        display_name=client.display_name,
        scopes=client.scopes,
        resource=client.resource,
        max_asserted_acr=client.max_asserted_acr,
        disabled=client.disabled,
    )


def _changed(client: Client, fields: ClientFields, paths: Collection[str]) -> Client:
    """The client with the fields of `paths` taken over."""
    old = _fields(client)
    return replace(
        client,
        display_name=fields.display_name if "display_name" in paths else old.display_name,
        scopes=fields.scopes if "scopes" in paths else old.scopes,
        resource=fields.resource if "resource" in paths else old.resource,
        max_asserted_acr=fields.max_asserted_acr if "max_asserted_acr" in paths else old.max_asserted_acr,
        disabled=fields.disabled if "disabled" in paths else old.disabled,
        revision=client.revision + 1,
    )
