"""The refresh rows of `endpoint-attacks.csv` over gRPC; over HTTP they are in tests/web/browser/test_attacks.py.

Each test's name begins with its row.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.v1 import client_service_pb2 as clients
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.features import origin
from tests.support.losses import forget_rotations
from tests.support.people import new_client, new_person, reason_of, refresh, verify

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.v1.authentication_service_pb2 import SubmitFactorResponse
    from tests.support.people import Person
    from tests.support.stack import Stack


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


@pytest.fixture
async def begun(person: Person) -> SubmitFactorResponse:
    """A session."""
    return await person.sign_in()


async def events(stack: Stack, api: Api) -> list[str]:
    """What the audit says of refreshes and refusals."""
    await stack.argus.effects.flush()
    sql = """SELECT type, reason FROM audit_events
              WHERE tenant_id = %s AND (type LIKE 'refresh.%%' OR type LIKE '%%.refused') ORDER BY time"""
    return [f"{row['type']} {row['reason']}" for row in await stack.argus.db.fetch_all(sql, (api.tenant_id,))]


async def test_f01_as_written_under_strict_rotation(stack: Stack, api: Api, person: Person) -> None:
    """The family is over, with an event, and so are all of its tokens, the thief's and the owner's, of both kinds."""
    scope = Scope(kind="tenant", id=api.tenant_id)
    document = {"rotation": "strict"}
    await stack.argus.policies.set_document(api.tenant_id, scope, document, origin=origin(api.tenant_id))
    await stack.argus.snapshot.refresh()
    begun = await person.sign_in()
    second = await refresh(api, begun.tokens.refresh_token)
    assert await reason_of(refresh(api, begun.tokens.refresh_token)) == "SESSION_ENDED"
    assert await reason_of(refresh(api, second.tokens.refresh_token)) == "SESSION_ENDED"
    for access_token in (begun.tokens.access_token, second.tokens.access_token):
        assert await reason_of(verify(api, access_token)) == "SESSION_ENDED"
    (session,) = await person.list(with_ended=True)
    assert session.end_reason == types.END_REASON_REPLAY
    assert await events(stack, api) == ["refresh.refused REPLAY"]


async def test_f02_64_parallel_refreshes_make_one_successor(
    api: Api, person: Person, begun: SubmitFactorResponse
) -> None:
    answers = await asyncio.gather(*(refresh(api, begun.tokens.refresh_token) for _ in range(64)))
    assert len({one.tokens.refresh_token for one in answers} - {begun.tokens.refresh_token}) == 1
    assert await person.count() == 1


async def test_f03_a_retry_within_the_grace_gets_the_lost_answer(
    stack: Stack, api: Api, begun: SubmitFactorResponse
) -> None:
    lost = await refresh(api, begun.tokens.refresh_token, attempt_id="one")
    await stack.advance(timedelta(seconds=20))
    again = await refresh(api, begun.tokens.refresh_token, attempt_id="one")
    assert again.tokens.refresh_token == lost.tokens.refresh_token
    assert await events(stack, api) == []


async def test_f05_a_token_newer_than_the_store_goes_on(stack: Stack, api: Api, begun: SubmitFactorResponse) -> None:
    """Redis has lost the rotation, and PostgreSQL has not heard of it: what we signed counts, with an event."""
    second = await refresh(api, begun.tokens.refresh_token)
    await forget_rotations(stack, begun.session.name)
    again = await refresh(api, second.tokens.refresh_token)
    assert again.tokens.refresh_token == second.tokens.refresh_token
    assert "refresh.adopted None" in await events(stack, api)


async def test_f06_each_token_in_its_place(api: Api, begun: SubmitFactorResponse) -> None:
    assert await reason_of(refresh(api, begun.tokens.access_token)) == "TOKEN_INVALID"
    assert await reason_of(verify(api, begun.tokens.refresh_token)) == "TOKEN_INVALID"


async def test_f07_another_client_refreshes_nothing(stack: Stack, begun: SubmitFactorResponse, person: Person) -> None:
    """With an event, and the token's own client goes on."""
    api = person.api
    other = await new_client(api, stack.private)
    await without_power(stack, api, other)
    refused = await failure_of(refresh(other, begun.tokens.refresh_token))
    assert refused is not None
    assert refused.reason == "TOKEN_INVALID"
    assert await events(stack, api) == ["token.refused client"]
    await refresh(api, begun.tokens.refresh_token)
    await other.close()


async def without_power(stack: Stack, api: Api, other: Api) -> None:
    """Takes the scope to refresh for others."""
    name = f"{api.parent}/clients/{other.client_id}"
    found = (await api.clients.GetClient(clients.GetClientRequest(name=name))).client
    held = [scope for scope in found.scopes if scope != "tokens.refresh_for_clients"]
    request = clients.UpdateClientRequest(client=clients.Client(name=name, scopes=held, etag=found.etag))
    request.update_mask.paths.append("scopes")
    await api.clients.UpdateClient(request)
    await stack.argus.snapshot.refresh()


async def test_f08_a_scope_never_widens(api: Api, person: Person) -> None:
    begun = await person.sign_in(scope="documents.read")
    request = tokens.RefreshTokenRequest(
        refresh_token=begun.tokens.refresh_token, scope="documents.read documents.write"
    )
    assert await reason_of(api.tokens.RefreshToken(request)) in {"FIELD_INVALID", "TOKEN_SCOPE_MISSING"}
    kept = await refresh(api, begun.tokens.refresh_token)
    assert kept.tokens.scope == "documents.read"


@pytest.mark.parametrize("later", [timedelta(hours=8, seconds=1), timedelta(hours=24, seconds=1)])
async def test_f09_after_a_limit_the_session_is_over(
    stack: Stack, api: Api, begun: SubmitFactorResponse, later: timedelta
) -> None:
    await stack.advance(later)
    assert await reason_of(refresh(api, begun.tokens.refresh_token)) in {"SESSION_ENDED", "TOKEN_INVALID"}


async def test_f09_after_the_user_was_disabled_the_session_is_over(
    stack: Stack, api: Api, person: Person, begun: SubmitFactorResponse
) -> None:
    await stack.argus.user_lifecycle.disable(api.tenant_id, person.user_id, origin=origin(api.tenant_id))
    assert await reason_of(refresh(api, begun.tokens.refresh_token)) == "SESSION_ENDED"
