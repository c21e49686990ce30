"""Policies of a test's tenant: set for a scope, and followed by the sessions that live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from argus.policies import changes_store
from argus.policies.model import Scope
from tests.support.features import origin

if TYPE_CHECKING:
    from argus.policies.model import ScopeKind
    from tests.support.stack import Stack


async def set_policy(stack: Stack, tenant_id: str, document: dict[str, Any], *, scope: Scope | None = None) -> None:
    """Sets a document, a tenant's if nothing else is said; every process knows it from then on."""
    whose = scope or Scope(kind="tenant", id=tenant_id)
    await stack.argus.policies.set_document(tenant_id, whose, document, origin=origin(tenant_id))
    await stack.argus.snapshot.refresh()


async def follow(stack: Stack) -> None:
    """Lets the sessions that live follow what was changed, as the loops do within a second."""
    argus = stack.argus
    while await changes_store.count_open(argus.db, now=argus.policies._now()):
        await argus.policy_following.run_due()


def scope_of(kind: ScopeKind, *, tenant_id: str, client_id: str, group_id: str, user_id: str) -> Scope:
    """The scope of a kind among these."""
    return Scope(kind=kind, id={"tenant": tenant_id, "client": client_id, "group": group_id, "user": user_id}[kind])
