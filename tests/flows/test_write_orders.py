"""The orders in which stores are written, seen from a process that does nothing in the background."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.internal.v1.engine_pb2 import Effect
from argus.server.app import Argus, open_argus
from argus.v1.token_service_pb2 import RefreshTokenRequest
from tests.support.engine import SERVICE, refusal
from tests.support.people import context, new_person, refresh

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from argus.server.api import Api
    from tests.support.stack import Stack


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def quiet(stack: Stack) -> AsyncIterator[Argus]:
    """A further process of the installation, without its loops: what it queues stays queued."""
    async with open_argus(stack.private.settings, clock=stack.private.clock) as argus:
        yield argus


async def _refused_refresh(quiet: Argus, api: Api, token: str) -> dict[str, str] | None:
    """What a refresh by the quiet process is refused with; None if it is not."""
    request = RefreshTokenRequest(refresh_token=token, client_context=context())
    kind, content = await quiet.hot.answer(
        SERVICE + "RefreshToken",
        request.SerializeToString(),
        authorization=f"Bearer {await api.token()}",
        request_id="write-orders",
        deadline_ms=10_000,
    )
    return refusal(content).metadata if kind else None


async def _row(argus: Argus, api: Api, name: str) -> dict[str, object]:
    row = await argus.db.fetch_one(
        "SELECT state, generation_bound FROM sessions WHERE tenant_id = %s AND session_id = %s",
        (api.tenant_id, name.rpartition("/")[2]),
    )
    assert row is not None
    return dict(row)


async def test_a_replay_is_in_postgresql_before_its_answer(stack: Stack, api: Api, quiet: Argus) -> None:
    """Redis may be lost the moment the answer is out."""
    done = await (await new_person(api)).sign_in()
    newest = (await refresh(api, done.tokens.refresh_token)).tokens.refresh_token
    await stack.advance(timedelta(seconds=41))
    await refresh(api, newest)
    assert await _refused_refresh(quiet, api, done.tokens.refresh_token) == {"cause": "REPLAYED"}
    assert (await _row(quiet, api, done.session.name))["state"] == "contested"


async def test_bounds_are_written_before_a_rebuild_reads(stack: Stack, api: Api, quiet: Argus) -> None:
    """Else a token that was replaced more than a grace ago would be the newest again."""
    done = await (await new_person(api)).sign_in()
    assert await _refused_refresh(quiet, api, done.tokens.refresh_token) is None
    assert (await _row(quiet, api, done.session.name))["generation_bound"] == 1
    await stack.advance(timedelta(seconds=31))
    key = quiet.keyspace.session_key(done.session.name.rpartition("/")[2])
    assert await quiet.redis.client.delete(key) == 1
    assert await _refused_refresh(quiet, api, done.tokens.refresh_token) == {"cause": "ANSWER_LATE"}
    assert (await _row(quiet, api, done.session.name))["generation_bound"] == 2


async def test_a_bound_never_falls(api: Api, quiet: Argus) -> None:
    """Processes write theirs in any order."""
    done = await (await new_person(api)).sign_in()
    session_id = done.session.name.rpartition("/")[2]
    for generation, bound in ((5, 5), (3, 5), (6, 6)):
        effect = Effect(tenant_id=api.tenant_id, session_id=session_id, family=1, generation=generation)
        effect.time_ms = quiet.clock.now_ms()
        quiet.effects.queue([effect])
        assert await quiet.effects.flush() == 1
        assert (await _row(quiet, api, done.session.name))["generation_bound"] == bound
