"""Policies that tests set, and what the server knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from argus.policies.model import Scope
from tests.support.features import origin

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack


async def set_policy(stack: Stack, api: Api, **document: Any) -> None:
    """Sets a tenant's policy, in the place of the one before, and lets the server know."""
    await set_document(stack, api.tenant_id, document)


async def set_document(stack: Stack, tenant_id: str, document: dict[str, Any], *, scope: Scope | None = None) -> None:
    """Sets a document, a tenant's if nothing else is said; every process knows it from then on."""
    whose = scope or Scope(kind="tenant", id=tenant_id)
    await stack.argus.policies.set_document(tenant_id, whose, document, origin=origin(tenant_id))
    await stack.argus.snapshot.refresh()
