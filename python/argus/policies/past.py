"""What was set for the scopes of a tenant, from when on: each scope is read once, and asked as of any instant."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from argus.base.policy import Policy
from argus.policies import changes_store
from argus.policies.conditions import RULES_KEY, Facts
from argus.policies.living import held_to
from argus.policies.model import EffectivePolicy, ScopeKind
from argus.policies.resolve import Layer
from argus.policies.service import Policies
from argus.storage.postgres import Database

Scoped = tuple[ScopeKind, str]
"""Kind and id of a scope."""


class PolicyPast:
    """The past of a tenant's policies, and the same with a candidate in the place of one scope's."""

    def __init__(self, db: Database, policies: Policies, tenant_id: str, candidate: Layer, *, since: datetime) -> None:
        """Knows nothing yet.

        Args:
            db: Where changes are kept.
            policies: What makes one policy of several scopes.
            tenant_id: The tenant.
            candidate: What is tried; from `since` on it counts for its scope, whatever was set there.
            since: When.
        """
        self._db = db
        self._policies = policies
        self._tenant_id = tenant_id
        self._candidate = candidate
        self._since = since
        self._known: dict[Scoped, list[tuple[datetime, Layer]]] = {}
        self._plain: dict[tuple[tuple[str, str, int], ...], EffectivePolicy] = {}

    async def read(self, scopes: Iterable[Scoped]) -> None:
        """Reads what was set for those of some scopes that were not read before."""
        wanted = [scope for scope in dict.fromkeys(scopes) if scope not in self._known]
        if not wanted:
            return
        self._known |= {scope: [] for scope in wanted}
        found = await changes_store.documents_of(self._db, self._tenant_id, wanted)
        for time, layer in found:
            self._known[layer.kind, layer.id].append((time, layer))

    def in_force(self, scopes: Sequence[Scoped], facts: Facts, at: datetime, *, tried: bool) -> EffectivePolicy:
        """The policy that was in force for a session of these scopes, or would have been with the candidate.

        Args:
            scopes: Where it may be set; they were read.
            facts: What is known of the session.
            at: When.
            tried: With the candidate.
        """
        layers = self._layers(scopes, at, tried=tried)
        key = tuple((one.kind, one.id, one.revision) for one in layers)
        if any(RULES_KEY in one.document for one in layers):
            return self._policies.joined(layers, facts)
        if key not in self._plain:
            self._plain[key] = self._policies.joined(layers, facts)
        return self._plain[key]

    def held(
        self, own: EffectivePolicy, scopes: Sequence[Scoped], facts: Facts, at: datetime, *, tried: bool
    ) -> EffectivePolicy:
        """What a living session goes on under, as `Policies.for_living` says it."""
        return self._policies.joined(self._layers(scopes, at, tried=tried), facts, own=own.policy)

    def held_by_client(self, own: EffectivePolicy, scopes: Sequence[Scoped], at: datetime, *, tried: bool) -> Policy:
        """What a living session is held to whoever its user, until it follows what is in force for that one."""
        return held_to(own, self._policies.of_client(self._layers(scopes, at, tried=tried)))

    def changes(self, scopes: Sequence[Scoped], after: datetime, until: datetime, *, tried: bool) -> list[datetime]:
        """When what was set for some scopes changed in a time, or would have: the candidate is set just once."""
        of_candidate = (self._candidate.kind, self._candidate.id)
        times = [
            time
            for scope in scopes
            for time, _ in self._known[scope]
            if after < time <= until and not (tried and scope == of_candidate and time >= self._since)
        ]
        is_set = tried and of_candidate in scopes and after < self._since <= until
        return sorted([*times, *([self._since] if is_set else [])])

    def _layers(self, scopes: Sequence[Scoped], at: datetime, *, tried: bool) -> list[Layer]:
        return [layer for scope in scopes if (layer := self._layer(scope, at, tried=tried)) is not None]

    def _layer(self, scope: Scoped, at: datetime, *, tried: bool) -> Layer | None:
        if tried and at >= self._since and scope == (self._candidate.kind, self._candidate.id):
            return self._candidate
        past = [layer for time, layer in self._known[scope] if time <= at]
        return past[-1] if past else None
