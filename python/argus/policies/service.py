"""What can be done with policies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from argus.base.errors import InvalidFieldError
from argus.base.events import Event
from argus.base.origin import Origin
from argus.base.policy import Policy
from argus.policies import store
from argus.policies.model import (
    SCOPE_KINDS,
    Document,
    EffectivePolicy,
    Scope,
    ScopeKind,
    check_document,
    digest,
    document_key,
    from_document,
    merge,
    to_document,
)
from argus.storage.postgres import Database

_MOST_CACHED: Final = 10_000
# What a document sets by other names than a field's.
_MAY_SET_ANYTHING: Final = ("presets", "rules")


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose policy is asked for."""

    tenant_id: str
    client_id: str
    user_id: str
    groups: tuple[str, ...]

    def scopes(self) -> list[tuple[str, ScopeKind, str]]:
        """Where it may be set."""
        groups: list[tuple[str, ScopeKind, str]] = [(self.tenant_id, "group", one) for one in self.groups]
        return [
            (self.tenant_id, "tenant", self.tenant_id),
            (self.tenant_id, "client", self.client_id),
            *groups,
            (self.tenant_id, "user", self.user_id),
        ]


class Policies:
    """The policies of all tenants.

    What is in force is numbered: the same policy has the same number in its tenant for ever, sessions keep the
    number, and what a number means never changes. So numbers may be remembered, documents are read anew.
    """

    def __init__(self, db: Database, now: Callable[[], datetime], defaults: Policy | None = None) -> None:
        """Keeps policies.

        Args:
            db: Where they are kept.
            now: The time.
            defaults: What holds where nothing is set (`model.default_policy`).
        """
        self._db = db
        self._now = now
        self._defaults = defaults or Policy()
        self._plain = merge((), defaults=self._defaults)
        self._revisions: dict[tuple[str, bytes], int] = {}
        self._policies: dict[tuple[str, int], Policy] = {}
        self._reads = db.reads("policies", self._documents)

    async def effective(
        self, tenant_id: str, client_id: str, user_id: str | None = None, groups: Sequence[str] = ()
    ) -> EffectivePolicy:
        """The policy in force for a client's sessions, or for those of a user of it."""
        asked = _Asked(tenant_id, client_id, user_id or "", tuple(groups))
        documents = await self._reads(asked)
        policy = merge(documents, defaults=self._defaults) if documents else self._plain
        return await self._numbered(tenant_id, policy)

    async def for_clients(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, EffectivePolicy]:
        """The policies in force for these clients, whoever the user."""
        found = await store.tenant_and_client_documents(self._db, tenant_id)
        of_tenant: list[tuple[ScopeKind, Document]] = [
            (scope.kind, document) for scope, document in found if scope.kind == "tenant"
        ]
        of_client = {scope.id: document for scope, document in found if scope.kind == "client"}
        return {
            client_id: await self._numbered(
                tenant_id, merge([*of_tenant, ("client", of_client.get(client_id, {}))], defaults=self._defaults)
            )
            for client_id in client_ids
        }

    async def by_revision(self, tenant_id: str, revision: int) -> Policy:
        """The policy of a number.

        Raises:
            LookupError: The tenant has no policy of that number: not something a caller can cause.
        """
        known = self._policies.get((tenant_id, revision))
        if known is not None:
            return known
        document = await store.revision_document(self._db, tenant_id, revision)
        if document is None:
            raise LookupError(f"tenant {tenant_id} has no policy revision {revision}")
        policy = from_document(document)
        self._remember(tenant_id, revision, policy)
        return policy

    async def tenants_that_may_set(self, name: str) -> Sequence[str]:
        """The tenants in which a field that is zero by itself can be more: some document of theirs sets it, or all do.

        Args:
            name: Name of the field.
        """
        if getattr(self._plain, name):
            return await store.all_tenants(self._db)
        return await store.tenants_with_any(self._db, [document_key(name), *_MAY_SET_ANYTHING])

    async def revisions(self, tenant_id: str) -> Mapping[int, Policy]:
        """All numbered policies of a tenant."""
        rows = await store.all_revisions(self._db, tenant_id)
        return {row["revision"]: from_document(row["document"]) for row in rows}

    async def document(self, tenant_id: str, scope: Scope) -> Document:
        """What is set for a scope alone; empty where nothing is."""
        return await store.find_document(self._db, tenant_id, scope) or {}

    async def set_document(self, tenant_id: str, scope: Scope, document: Document, *, origin: Origin) -> None:
        """Sets some fields for a scope, in the place of what was set there; an empty document sets none.

        Raises:
            InvalidFieldError: A field is unknown or out of its range, or two don't fit together.
        """
        _check_scope(tenant_id, scope)
        check_document(document)
        now = self._now()
        async with self._db.transaction(origin, now=now) as tx:
            if document:
                await store.write(tx, tenant_id, scope, document, at=now)
            else:
                await store.delete(tx, tenant_id, scope)
            tx.record(Event(type="policy.updated", data={"scope": f"{scope.kind}:{scope.id}"}), time=now)

    async def _documents(self, asked: Sequence[_Asked]) -> Mapping[_Asked, list[tuple[ScopeKind, Document]]]:
        scopes = {one: one.scopes() for one in asked}
        found = await store.documents(self._db, list({scope: None for some in scopes.values() for scope in some}))
        return {one: [(scope[1], found[scope]) for scope in some if scope in found] for one, some in scopes.items()}

    async def _numbered(self, tenant_id: str, policy: Policy) -> EffectivePolicy:
        key = (tenant_id, digest(policy))
        revision = self._revisions.get(key)
        if revision is None:
            revision = await store.find_revision(self._db, *key) or await self._give_number(tenant_id, policy)
            self._remember(tenant_id, revision, policy)
        return EffectivePolicy(revision=revision, policy=policy)

    async def _give_number(self, tenant_id: str, policy: Policy) -> int:
        async with self._db.transaction() as tx:
            return await store.insert_revision(
                tx, tenant_id, digest=digest(policy), document=to_document(policy), at=self._now()
            )

    def _remember(self, tenant_id: str, revision: int, policy: Policy) -> None:
        if len(self._revisions) >= _MOST_CACHED or len(self._policies) >= _MOST_CACHED:
            self._revisions.clear()
            self._policies.clear()
        self._revisions[(tenant_id, digest(policy))] = revision
        self._policies[(tenant_id, revision)] = policy


def _check_scope(tenant_id: str, scope: Scope) -> None:
    if scope.kind not in SCOPE_KINDS:
        raise InvalidFieldError("scope", f"must be one of {', '.join(SCOPE_KINDS)}")
    if not scope.id or (scope.kind == "tenant" and scope.id != tenant_id):
        raise InvalidFieldError("scope", "must name the tenant, or one of its clients, groups or users")
