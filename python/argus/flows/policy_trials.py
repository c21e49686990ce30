"""Says what is in force for somebody and what would be decided; nothing is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from argus.base.clock import Now
from argus.base.place import NETWORK_CLASSES, Place
from argus.base.policy import EVERYTHING, Policy
from argus.flows.deciding import judge
from argus.policies.conditions import Facts
from argus.policies.decision import Decision, explain
from argus.policies.model import Document, Scope, check_document, policy_of
from argus.policies.resolve import Layer
from argus.policies.service import Explained, Policies
from argus.users.service import Users


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a policy is for.

    Attributes:
        client_id: The client; empty: none.
        user_id: The user; empty: nobody in particular.
        groups: Groups, where no user says which.
    """

    client_id: str = ""
    user_id: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What would be decided.

    Attributes:
        decision: What.
        explanation: Why, in sentences.
        explained: The policy with where it comes from.
    """

    decision: Decision
    explanation: Sequence[str]
    explained: Explained


class PolicyTrials:
    """Asks policies what they would do."""

    def __init__(self, policies: Policies, users: Users, *, now: Now) -> None:
        self._policies = policies
        self._users = users
        self._now = now

    async def effective(
        self, tenant_id: str, subject: Subject, *, candidate: tuple[Scope, Document] | None = None
    ) -> Explained:
        """What is in force for somebody of whom nothing else is known.

        Raises:
            ClientNotFoundError: There is no such client; of groups and users alike.
        """
        layers, facts = await self._layers(tenant_id, subject, Facts(), candidate)
        return self._policies.explain(layers, facts)

    async def test(
        self, tenant_id: str, subject: Subject, facts: Facts, *, candidate: tuple[Scope, Document] | None = None
    ) -> Trial:
        """What would be decided of a sign-in; what it would take more to know for is not judged, and named.

        Args:
            tenant_id: The tenant.
            subject: Who signs in.
            facts: What is known beside it; without a time: now.
            candidate: A document that is to count in the place of what its scope has.

        Raises:
            ClientNotFoundError: There is no such client; of groups and users alike.
            InvalidPolicyError: The candidate can't be set.
        """
        layers, known = await self._layers(
            tenant_id, subject, replace(facts, time=facts.time or self._now()), candidate
        )
        explained = self._policies.explain(layers, known)
        policy = policy_of(explained.fields)
        classes = [one for one in NETWORK_CLASSES if one == known.network_class]
        place = Place(country=known.country or None, network_class=classes[0] if classes else None)
        decision = judge(policy, known, None, place)
        sentences = [*explain(decision, known, explained.fields, explained.rules), *_not_judged(policy, place)]
        return Trial(decision=decision, explanation=sentences, explained=explained)

    async def _layers(
        self, tenant_id: str, subject: Subject, facts: Facts, candidate: tuple[Scope, Document] | None
    ) -> tuple[list[Layer], Facts]:
        scopes = self._policies.scopes
        if subject.client_id:
            await scopes.check(tenant_id, Scope(kind="client", id=subject.client_id))
        for group in subject.groups:
            await scopes.check(tenant_id, Scope(kind="group", id=group))
        groups: Sequence[str] = subject.groups
        if subject.user_id:
            groups = (await self._users.get(tenant_id, subject.user_id)).groups
        tried = None
        if candidate is not None:
            scope, document = candidate
            await scopes.check(tenant_id, scope)
            check_document(document, field="candidate.document")
            tried = Layer(kind=scope.kind, id=scope.id, document=document)
        layers = await self._policies.layers(
            tenant_id, subject.client_id, subject.user_id or None, groups, candidate=tried
        )
        known = replace(
            facts,
            client_id=subject.client_id,
            user_id=subject.user_id,
            groups=tuple(groups) if subject.user_id or groups else None,
        )
        return layers, known


def _not_judged(policy: Policy, place: Place) -> Iterator[str]:
    """What the policy asks of a sign-in that a trial can't know."""
    if place.country is None and (policy.denied_countries or EVERYTHING not in policy.allowed_countries):
        yield "country unknown: allowed_countries and denied_countries deny nobody"
    classes = {one for one in policy.denied_networks if one in NETWORK_CLASSES}
    if classes and place.network_class is None:
        yield f"network_class unknown: {', '.join(sorted(classes))} of denied_networks denies nobody"
    if others := [one for one in policy.denied_networks if one not in classes]:
        yield f"address unknown: {', '.join(others)} of denied_networks is not judged"
    if policy.trust_step_up_below or policy.trust_deny_below or policy.trust_floors:
        yield "trust unknown: trust_step_up_below, trust_deny_below and trust_floors are not judged"
