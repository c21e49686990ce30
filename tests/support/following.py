"""Policies that were changed, and the sessions that follow them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from argus.policies import changes_store
from argus.policies.model import Scope

if TYPE_CHECKING:
    from argus.policies.model import ScopeKind
    from tests.support.stack import Stack


async def follow(stack: Stack) -> None:
    """Lets the sessions that live follow what was changed, as the loops do within a second."""
    argus = stack.argus
    while await changes_store.count_open(argus.db, now=argus.policies._now()):
        await argus.policy_following.run_due()


def scope_of(kind: ScopeKind, *, tenant_id: str, client_id: str, group_id: str, user_id: str) -> Scope:
    """The scope of a kind among these."""
    return Scope(kind=kind, id={"tenant": tenant_id, "client": client_id, "group": group_id, "user": user_id}[kind])
