"""Refresh tokens live as long as the policy says, and never longer than their session."""

from datetime import timedelta
from typing import Any

import pytest

from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.server.api import Api
from tests.support.people import new_person, reason_of, refresh
from tests.support.stack import Stack

LIFE = timedelta(minutes=10)


async def put(stack: Stack, api: Api, **document: Any) -> None:
    """Sets the tenant's policy, and lets the engine know."""
    origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id="test")
    scope = Scope(kind="tenant", id=api.tenant_id)
    await stack.argus.policies.set_document(api.tenant_id, scope, document, origin=origin)
    await stack.argus.snapshot.refresh()


@pytest.mark.parametrize(("late", "reason"), [(-1, ""), (0, "TOKEN_INVALID"), (1, "TOKEN_INVALID")])
async def test_a_refresh_token_ends_to_the_second(stack: Stack, late: int, reason: str) -> None:
    """Each one from the refresh that made it; the session lives on."""
    api = await stack.new_tenant()
    await put(stack, api, refresh_seconds=int(LIFE.total_seconds()))
    tokens = (await (await new_person(api)).sign_in()).tokens
    assert timedelta(0) < LIFE - tokens.refresh_expires_in.ToTimedelta() <= timedelta(seconds=1) or (
        tokens.refresh_expires_in.ToTimedelta() == LIFE
    )
    await stack.advance(timedelta(minutes=9))
    tokens = (await refresh(api, tokens.refresh_token)).tokens
    left = tokens.refresh_expires_in.ToTimedelta()
    await stack.advance(left + timedelta(seconds=late))
    assert await reason_of(refresh(api, tokens.refresh_token)) == reason


async def test_a_life_that_is_shortened_counts_at_the_next_use(stack: Stack) -> None:
    """The token was made for the session's whole life."""
    api = await stack.new_tenant()
    tokens = (await (await new_person(api)).sign_in()).tokens
    assert tokens.refresh_expires_in.ToTimedelta() > timedelta(hours=23)
    await stack.advance(timedelta(minutes=11))
    await put(stack, api, refresh_seconds=int(LIFE.total_seconds()))
    assert await reason_of(refresh(api, tokens.refresh_token)) == "TOKEN_INVALID"


async def test_no_refresh_token_outlives_its_session(stack: Stack) -> None:
    """A longer life counts as the session's."""
    api = await stack.new_tenant()
    await put(stack, api, absolute_seconds=600, idle_seconds=600, refresh_seconds=86_400)
    tokens = (await (await new_person(api)).sign_in()).tokens
    assert tokens.refresh_expires_in.ToTimedelta() <= timedelta(minutes=10)
