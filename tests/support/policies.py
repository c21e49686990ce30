"""Policies that tests set, and what the server knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack


async def set_policy(stack: Stack, api: Api, **document: Any) -> None:
    """Sets a tenant's policy, in the place of the one before, and lets the server know."""
    origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id=new_id())
    scope = Scope(kind="tenant", id=api.tenant_id)
    await stack.argus.policies.set_document(api.tenant_id, scope, document, origin=origin)
    await stack.argus.snapshot.refresh()
