"""Says what is in force for somebody and what would be decided; nothing is done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from argus.base.clock import Now
from argus.policies.conditions import Facts
from argus.policies.decision import Decision, decide, explain
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
            UserNotFoundError: There is no such user.
        """
        layers, facts = await self._layers(tenant_id, subject, Facts(), candidate)
        return self._policies.explain(layers, facts)

    async def test(
        self, tenant_id: str, subject: Subject, facts: Facts, *, candidate: tuple[Scope, Document] | None = None
    ) -> Trial:
        """What would be decided of a sign-in.

        Args:
            tenant_id: The tenant.
            subject: Who signs in.
            facts: What is known beside it; without a time: now.
            candidate: A document that is to count in the place of what its scope has.

        Raises:
            UserNotFoundError: There is no such user.
            InvalidPolicyError: The candidate can't be set.
        """
        layers, known = await self._layers(
            tenant_id, subject, replace(facts, time=facts.time or self._now()), candidate
        )
        explained = self._policies.explain(layers, known)
        decision = decide(policy_of(explained.fields), known)
        sentences = explain(decision, known, explained.fields, explained.rules)
        return Trial(decision=decision, explanation=sentences, explained=explained)

    async def _layers(
        self, tenant_id: str, subject: Subject, facts: Facts, candidate: tuple[Scope, Document] | None
    ) -> tuple[list[Layer], Facts]:
        groups: Sequence[str] = subject.groups
        if subject.user_id:
            groups = (await self._users.get(tenant_id, subject.user_id)).groups
        tried = None
        if candidate is not None:
            scope, document = candidate
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
