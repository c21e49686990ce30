"""Redis forgets the places of sign-ins in flight: who was let in meanwhile keeps the place, no limit is passed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from argus.policies.model import Scope
from argus.server.private_stack import stack_over
from argus.v1 import session_service_pb2 as sessions
from tests.support.features import origin
from tests.support.gate import Gate
from tests.support.own_stores import PATIENCE_SECONDS, lose_everything
from tests.support.people import Person, new_person, verify

if TYPE_CHECKING:
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores


@pytest.fixture
async def gate(breakable: EmbeddedStores) -> AsyncIterator[Gate]:
    """Stands between a second server and Redis."""
    async with Gate(breakable.urls.redis) as made:
        yield made


@pytest.fixture
async def slow(private: PrivateStack, breakable: EmbeddedStores, gate: Gate) -> AsyncIterator[PrivateStack]:
    """That server, with the key of the first one."""
    urls = replace(breakable.urls, redis=gate.url)
    key = private.settings.key_encryption_key
    patience = timedelta(seconds=10)
    async with stack_over(urls, clock=private.clock, key_encryption_key=key, redis_timeout=patience) as made:
        yield made


async def create(person: Person, **fields: Any) -> sessions.CreateSessionResponse:
    return await person.api.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name, **fields))


@pytest.mark.parametrize("request_id", ["", "once"])
async def test_a_sign_in_whose_place_was_lost_begins_anew(
    private: PrivateStack, slow: PrivateStack, gate: Gate, request_id: str
) -> None:
    """Between PostgreSQL's commit and Redis all is lost, and another takes the place: the rows never pass the limit."""
    async with private.fresh_tenant() as api:
        scope = Scope(kind="tenant", id=api.tenant_id)
        policies = private.server.argus.policies
        await policies.set_document(api.tenant_id, scope, {"session_limit": 2}, origin=origin(api.tenant_id))
        for server in (private, slow):
            await server.server.argus.snapshot.refresh()
        person = await new_person(api)
        first, second = await create(person), await create(person)
        there = replace(person, api=api.at(slow.server.grpc_address, clock=slow.clock))
        gate.hold(b"_create")
        creating = asyncio.create_task(create(there, request_id=request_id))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await gate.held.wait()
        await lose_everything(private)
        faster = await create(person)
        gate.release()
        made = await creating
        assert {one.name for one in await person.list()} == {faster.session.name, made.session.name}
        for one in (faster, made):
            assert (await verify(api, one.tokens.access_token)).session == one.session.name
        assert not {one.session.name for one in (first, second)} & {one.name for one in await person.list()}
        if request_id:
            again = await create(person, request_id=request_id)
            assert again.session.name == made.session.name
        await there.api.close()
