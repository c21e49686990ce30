"""What can be done with policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from argus.base.clock import Now
from argus.base.lives import LongestLife, LongestLives
from argus.base.origin import Origin
from argus.base.policy import Policy
from argus.policies import store
from argus.policies.conditions import RULES_KEY, Facts, Judged, RuleOutcome, apply_rules, speaks_of_changes
from argus.policies.living import followed, held_to, longest_life, narrower_of
from argus.policies.model import (
    EffectivePolicy,
    Scope,
    SetDocument,
    digest,
    document_key,
    merge,
    policy_of,
    to_document,
)
from argus.policies.resolve import Document, Layer, Resolved, ScopeKind, resolve
from argus.policies.revisions import Look, PolicyRevisions
from argus.policies.revisions_model import Revision
from argus.storage.postgres import Database

_MOST_CACHED: Final = 10_000
# What a document sets by other names than a field's.
_MAY_SET_ANYTHING: Final = ("presets", "rules")

POLICY_BOUND: Final = timedelta(seconds=1)
"""How long any process may go on by what was in force before, while PostgreSQL is there: sign-ins read it each time,
and the engine's picture, by which tokens are verified and refreshed, follows within this."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A policy with where it comes from.

    Attributes:
        fields: All fields, by key.
        rules: What became of the rules of all documents.
    """

    fields: Mapping[str, Resolved]
    rules: tuple[RuleOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyThen:
    """A policy that was in force, and the revisions of scopes that it was made of."""

    effective: EffectivePolicy
    revisions: Sequence[Revision]


class Policies:
    """The policies of all tenants.

    What is in force is numbered: the same policy has the same number in its tenant for ever, sessions keep the
    number, and what a number means never changes. So numbers may be remembered, documents are read anew.
    """

    def __init__(self, db: Database, now: Now, defaults: Policy | None = None, look: Look | None = None) -> None:
        """Keeps policies.

        Args:
            db: Where they are kept.
            now: The time.
            defaults: What holds where nothing is set (`model.default_policy`).
            look: Looks whether scopes are there; None: nobody does.
        """
        self._db = db
        self._now = now
        self._defaults = defaults or Policy()
        self._default_document = to_document(self._defaults)
        self.default_digest = digest(self._defaults)
        self._plain = merge((), defaults=self._defaults)
        self.scopes = PolicyRevisions(db, now, look)
        self._revisions: dict[tuple[str, bytes], int] = {}
        self._policies: dict[tuple[str, int], EffectivePolicy] = {}
        self._reads = db.reads("policies", self._documents)

    async def effective(
        self,
        tenant_id: str,
        client_id: str,
        user_id: str | None = None,
        groups: Sequence[str] = (),
        *,
        facts: Facts | None = None,
    ) -> EffectivePolicy:
        """The policy in force for a client's sessions, or for those of a user of it.

        Args:
            tenant_id: The tenant.
            client_id: The client; empty: none.
            user_id: The user; None: nobody in particular.
            groups: The user's groups.
            facts: What else is known, for the rules of documents; None: nothing.
        """
        known = facts or Facts(client_id=client_id, user_id=user_id or "", groups=None if user_id is None else groups)
        in_force, tried = await self._layers(_Asked(tenant_id, client_id, user_id or "", tuple(groups)))
        joined = self.joined(in_force, known)
        effective = await self._numbered(tenant_id, joined.policy, joined.narrower)
        if tried is None:
            return effective
        return replace(effective, tried=policy_of(self.explain(tried, known).fields))

    async def for_living(self, tenant_id: str, facts: Facts, *, own: int) -> EffectivePolicy:
        """What a living session goes on under: its own policy, held to what is in force for it under these facts.

        Args:
            tenant_id: The tenant.
            facts: What is known of it now; client, user and groups among it.
            own: Number of its own policy.
        """
        before = await self.numbered(tenant_id, own)
        asked = _Asked(tenant_id, facts.client_id, facts.user_id, tuple(facts.groups or ()))
        in_force, _ = await self._layers(asked)
        held = self.joined(in_force, facts, own=before.policy)
        if (held.policy, held.narrower) == (before.policy, before.narrower):
            return before
        return await self._numbered(tenant_id, held.policy, held.narrower)

    def joined(self, layers: Sequence[Layer], facts: Facts, *, own: Policy | None = None) -> EffectivePolicy:
        """The policy that these make of a session under some facts, without a number.

        Args:
            layers: What is set where it counts.
            facts: What is known.
            own: What the session lives by, and follows them from; None: it begins.
        """
        fields = self.explain(layers, facts).fields if layers else {}
        present = policy_of(fields) if fields else self._plain
        held = present if own is None else followed(own, present)
        narrower = frozenset[str]()
        if any(one.is_narrower for one in fields.values()):  # else no sign-in pays for the client's policy, too
            narrower = narrower_of(fields, held, self.of_client(layers))
        return EffectivePolicy(revision=0, policy=held, narrower=narrower)

    def of_client(self, layers: Sequence[Layer]) -> Policy:
        """What these make for a client's sessions whoever the user, rules aside."""
        plain = [(layer.kind, layer.document) for layer in layers if layer.kind in ("tenant", "client")]
        return merge(plain, defaults=self._defaults)

    async def layers(
        self,
        tenant_id: str,
        client_id: str,
        user_id: str | None = None,
        groups: Sequence[str] = (),
        *,
        candidate: Layer | None = None,
    ) -> list[Layer]:
        """What is set where it counts for a client's sessions, or for those of a user of it.

        Args:
            tenant_id: The tenant.
            client_id: The client; empty: none.
            user_id: The user; None: nobody in particular.
            groups: The user's groups.
            candidate: Is to count in the place of what is set for its scope.
        """
        asked = _Asked(tenant_id, client_id, user_id or "", tuple(groups))
        found, _ = await self._layers(asked)
        if candidate is None:
            return found
        scopes = {(kind, scope_id) for _, kind, scope_id in asked.scopes()}
        others = [layer for layer in found if (layer.kind, layer.id) != (candidate.kind, candidate.id)]
        return [*others, candidate] if (candidate.kind, candidate.id) in scopes else others

    def explain(self, layers: Sequence[Layer], facts: Facts) -> Explained:
        """All fields of the policy that these make under some facts, each with where it comes from."""
        applied, outcomes = apply_rules(layers, facts)
        return Explained(fields=resolve(applied, defaults=self._default_document), rules=tuple(outcomes))

    async def _layers(self, asked: _Asked) -> tuple[list[Layer], list[Layer] | None]:
        """What is in force; and what would be, with what is only tried: None where nothing is."""
        found = await self._reads(asked) or ()
        in_force = [
            Layer(kind=kind, id=scope_id, revision=said.revision, document=said.document)
            for kind, scope_id, said in found
        ]
        if all(said.tried is None for _, _, said in found):
            return in_force, None
        tried = [
            layer if said.tried is None else replace(layer, revision=said.tried_revision, document=said.tried)
            for layer, (_, _, said) in zip(in_force, found, strict=True)
        ]
        return in_force, tried

    async def for_clients(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, EffectivePolicy]:
        """The policies in force for these clients, whoever the user."""
        found = await store.tenant_and_client_documents(self._db, tenant_id)
        of_tenant: list[tuple[ScopeKind, Document]] = [
            (scope.kind, said.document) for scope, said in found if scope.kind == "tenant"
        ]
        of_client = {scope.id: said.document for scope, said in found if scope.kind == "client"}
        return {
            client_id: await self._numbered(
                tenant_id, merge([*of_tenant, ("client", of_client.get(client_id, {}))], defaults=self._defaults)
            )
            for client_id in client_ids
        }

    async def for_client_at(self, tenant_id: str, client_id: str, time: datetime) -> PolicyThen:
        """The policy that was in force for a client at an instant, whoever the user.

        Settings of the installation are those of now: nobody keeps what they were.
        """
        scopes = [Scope(kind="tenant", id=tenant_id), Scope(kind="client", id=client_id)]
        found = await self.scopes.in_force_at(tenant_id, scopes, time)
        policy = merge([(one.scope.kind, one.document) for one in found], defaults=self._defaults)
        return PolicyThen(effective=await self._numbered(tenant_id, policy), revisions=found)

    async def judged_at_refresh(self, tenant_id: str) -> Judged:
        """Of which clients' sessions rules may say another thing at each refresh."""
        found = await store.documents_with(self._db, tenant_id, RULES_KEY)
        scopes = [scope for scope, document in found if speaks_of_changes(document)]
        return Judged(
            of_all=any(scope.kind != "client" for scope in scopes),
            of_clients=frozenset(scope.id for scope in scopes if scope.kind == "client"),
        )

    async def longest_lives(self, tenant_id: str) -> LongestLives:
        """How long sessions of a tenant's clients may live at all by what is in force now, whoever the user."""
        found = await store.tenant_and_client_documents(self._db, tenant_id)
        of_tenant = [one for one in found if one[0].kind == "tenant"]
        lives = {one[0].id: self._longest_life([*of_tenant, one]) for one in found if one[0].kind == "client"}
        return LongestLives(of_most=self._longest_life(of_tenant), of_clients=lives)

    def _longest_life(self, found: Sequence[tuple[Scope, SetDocument]]) -> LongestLife:
        present = merge([(scope.kind, said.document) for scope, said in found], defaults=self._defaults)
        changed = (said.update_time for _, said in found if said.update_time is not None)
        return longest_life(present, since=max(changed, default=None))

    async def held(self, tenant_id: str, revision: int, client_id: str) -> Policy:
        """What a living session lives by: its own policy, held to what is in force for its client, as in the engine.

        Args:
            tenant_id: The tenant.
            revision: Number of its own.
            client_id: Its client.
        """
        own = await self.numbered(tenant_id, revision)
        return held_to(own, (await self.for_clients(tenant_id, [client_id]))[client_id].policy)

    async def by_revision(self, tenant_id: str, revision: int) -> Policy:
        """The policy of a number, see `numbered`."""
        return (await self.numbered(tenant_id, revision)).policy

    async def numbered(self, tenant_id: str, revision: int) -> EffectivePolicy:
        """The policy of a number, and which of its fields a narrower scope than the client gave.

        Raises:
            LookupError: The tenant has no policy of that number: not something a caller can cause.
        """
        known = self._policies.get((tenant_id, revision)) or await store.numbered(self._db, tenant_id, revision)
        if known is None:
            raise LookupError(f"tenant {tenant_id} has no policy revision {revision}")
        self._remember(tenant_id, known)
        return known

    async def tenants_that_may_set(self, name: str) -> Sequence[str]:
        """The tenants in which a field that is zero by itself can be more: some document of theirs sets it, or all do.

        Args:
            name: Name of the field.
        """
        if getattr(self._plain, name):
            return await store.all_tenants(self._db)
        return await store.tenants_with_any(self._db, [document_key(name), *_MAY_SET_ANYTHING])

    async def revisions(self, tenant_id: str) -> Sequence[EffectivePolicy]:
        """All numbered policies of a tenant."""
        return await store.all_revisions(self._db, tenant_id)

    async def document(self, tenant_id: str, scope: Scope) -> Document:
        """What is set for a scope alone; empty where nothing is."""
        return (await self.scopes.get(tenant_id, scope)).document

    async def set_document(self, tenant_id: str, scope: Scope, document: Document, *, origin: Origin) -> None:
        """Sets some fields for a scope, in the place of what was set there; an empty document sets none.

        Raises:
            InvalidFieldError: A field is unknown or out of its range, or two don't fit together.
        """
        await self.scopes.set(tenant_id, scope, document, origin=origin)

    async def _documents(self, asked: Sequence[_Asked]) -> Mapping[_Asked, list[tuple[ScopeKind, str, SetDocument]]]:
        scopes = {one: one.scopes() for one in asked}
        found = await store.documents(self._db, list({scope: None for some in scopes.values() for scope in some}))
        return {
            one: [(scope[1], scope[2], found[scope]) for scope in some if scope in found]
            for one, some in scopes.items()
        }

    async def _numbered(
        self, tenant_id: str, policy: Policy, narrower: frozenset[str] = frozenset()
    ) -> EffectivePolicy:
        key = (tenant_id, digest(policy, narrower))
        revision = self._revisions.get(key) or await store.find_revision(self._db, *key)
        revision = revision or await self._give_number(tenant_id, policy, narrower)
        numbered = EffectivePolicy(revision=revision, policy=policy, narrower=narrower)
        self._remember(tenant_id, numbered)
        return numbered

    async def _give_number(self, tenant_id: str, policy: Policy, narrower: frozenset[str]) -> int:
        async with self._db.transaction() as tx:
            return await store.insert_revision(
                tx,
                tenant_id,
                digest=digest(policy, narrower),
                document=to_document(policy),
                narrower=narrower,
                at=self._now(),
            )

    def _remember(self, tenant_id: str, numbered: EffectivePolicy) -> None:
        if (tenant_id, numbered.revision) in self._policies:
            return
        if len(self._policies) >= _MOST_CACHED:
            self._revisions.clear()
            self._policies.clear()
        self._revisions[(tenant_id, digest(numbered.policy, numbered.narrower))] = numbered.revision
        self._policies[(tenant_id, numbered.revision)] = numbered
