"""Traces that broke earlier designs of rotation, each as short as it can be told, through real servers.

Two more are among their like: a rebuild that has read "active" races an end (`tests/faults/test_rebuild_races.py`), and
a process is still on the primary that was replaced (`tests/faults/test_sentinel.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.property.rotation.holders import CHROME
from tests.support.people import FIREFOX, new_person, reason_of, terminate, verify
from tests.support.presented import RefreshToken

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.pair import Pair
    from tests.support.people import Person

GRACE, DEADLINE = 30, 10
DEBOUNCE = GRACE + DEADLINE
# Inside the grace, however long the calls before have taken.
LATE = GRACE - 8


@dataclass(slots=True)
class Trace:
    """A session, and two servers to go to with its tokens."""

    pair: Pair
    apis: tuple[Api, Api]
    person: Person
    name: str
    first: RefreshToken
    access: str

    async def refresh(self, token: RefreshToken, *, server: int = 0, agent: str = FIREFOX) -> RefreshToken:
        """Presents a token; the one in the answer."""
        request = tokens.RefreshTokenRequest(
            refresh_token=token.text, client_context=types.ClientContext(user_agent=agent)
        )
        answer = await self.apis[server].tokens.RefreshToken(request)
        self.access = answer.tokens.access_token
        return RefreshToken.read(answer.tokens.refresh_token)

    async def rotated(self, token: RefreshToken) -> RefreshToken:
        """The next token, made after the debounce."""
        await self.pair.advance(DEBOUNCE + 1)
        made = await self.refresh(token)
        assert made.generation == token.generation + 1
        return made

    async def cause(self, token: RefreshToken, *, server: int = 0, agent: str = FIREFOX) -> str:
        """Why a step-up is demanded; anything else fails."""
        failure = await failure_of(self.refresh(token, server=server, agent=agent))
        assert failure is not None
        assert failure.reason == "STEP_UP_REQUIRED", failure
        return failure.metadata["cause"]


@pytest.fixture
async def trace(pair: Pair) -> AsyncIterator[Trace]:
    apis = await pair.new_tenant()
    person = await new_person(apis[0], password="")
    done = await apis[0].sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name))
    first = RefreshToken.read(done.tokens.refresh_token)
    for api in apis:
        await verify(api, done.tokens.access_token)  # both processes have heard of the tenant, and so has Redis
    yield Trace(pair, apis, person, done.session.name, first, done.tokens.access_token)
    for api in apis:
        await api.close()


async def test_two_tabs_one_refreshes_twice_and_the_others_token_arrives_inside_the_grace(trace: Trace) -> None:
    """The second refresh is debounced: else the other tab's token would be two behind."""
    second = await trace.refresh(trace.first)
    assert await trace.refresh(second) == second
    await trace.pair.advance(LATE)
    assert await trace.refresh(trace.first, server=1) == second
    assert (await trace.rotated(second)).generation == 3


async def test_own_jars_without_a_thief_never_log_out(trace: Trace) -> None:
    """Inside the grace a copy follows; later it is asked for a proof, and at most that."""
    second = await trace.refresh(trace.first)
    assert await trace.refresh(trace.first, server=1) == second
    third = await trace.rotated(second)
    await trace.pair.advance(GRACE + 1)
    assert await trace.cause(second) == "ANSWER_LATE"
    assert await trace.refresh(third) == third
    fourth = await trace.rotated(third)
    assert await trace.cause(second, server=1) == "REPLAYED"
    assert await trace.cause(fourth) == "CONTESTED"


async def test_after_a_total_loss_the_newest_token_goes_on(trace: Trace) -> None:
    """PostgreSQL has not heard of the newest generations; the token itself says what was lost."""
    async with trace.pair.all_argus[0].effects._turn:  # a process that is slow to tell PostgreSQL
        second = await trace.refresh(trace.first)
        trace.pair.stores.redis.flushall()
        assert await trace.refresh(second, server=1) == second
    assert (await trace.rotated(second)).generation == 3


async def test_rolled_back_a_retry_and_the_next_tab_get_the_same_token(trace: Trace) -> None:
    """A generation that a store has forgotten is made again, and is the same token."""
    stores, effects = trace.pair.stores, trace.pair.all_argus[1].effects
    second = await trace.refresh(trace.first)
    await trace.pair.flush()
    snapshot = stores.snapshot()
    await trace.pair.advance(DEBOUNCE + 1)
    async with effects._turn:  # a process that is slow to tell PostgreSQL
        third = await trace.refresh(second, server=1)
        stores.kill_redis()
        stores.put_back(snapshot)
        stores.start_redis(offset_ms=trace.pair.clock.offset_ms)
        await trace.pair.recover(within=10)
        retried = await trace.refresh(second)
        assert (retried.place, retried.jti) == (third.place, third.jti)
        next_tab = await trace.refresh(third)
        assert next_tab.jti == third.jti
    assert (await trace.rotated(third)).generation == 4


async def test_an_end_without_postgresql_that_redis_forgets_was_never_called_ended(trace: Trace) -> None:
    """Verify says neither yes nor no while nobody can know; the end that was PENDING is repeated and holds."""
    with trace.pair.stores.postgresql_away():
        assert (await terminate(trace.apis[0], trace.name)).state == types.TERMINATION_STATE_PENDING
        assert await reason_of(verify(trace.apis[1], trace.access)) == "SESSION_ENDED"
        trace.pair.stores.redis.flushall()
        for api in trace.apis:
            assert await reason_of(verify(api, trace.access)) == "UNAVAILABLE"
        assert await reason_of(trace.refresh(trace.first)) == "UNAVAILABLE"
        assert await reason_of(terminate(trace.apis[0], trace.name)) == "UNAVAILABLE"
    await trace.pair.recover(within=10)
    assert (await terminate(trace.apis[0], trace.name)).state == types.TERMINATION_STATE_ENDED
    trace.pair.stores.redis.flushall()
    assert await reason_of(verify(trace.apis[1], trace.access)) == "SESSION_ENDED"


@pytest.mark.parametrize("apart", [GRACE + 1, -GRACE - 1])
async def test_two_processes_a_grace_apart_in_time(trace: Trace, apart: int) -> None:
    """Redis has the time: whichever of them is asked, nobody is refused, and nothing rotates too early."""
    clock = trace.pair.stacks[1].clock
    clock.advance(apart * 1000)
    trace.apis[1]._renew_at = None  # its own token is of the other time
    try:
        second = await trace.refresh(trace.first)
        assert await trace.refresh(second, server=1) == second
        assert await trace.refresh(trace.first, server=1) == second
        third = await trace.rotated(second)
        assert await trace.refresh(third, server=1) == third
        await trace.pair.advance(DEBOUNCE + 1)
        fourth = await trace.refresh(third, server=1)
        assert fourth.generation == 4
        assert await trace.refresh(third) == fourth
    finally:
        clock.advance(-apart * 1000)


async def test_answers_out_of_order_don_t_put_an_older_token_back(trace: Trace) -> None:
    """The last answer with a token has met its request's deadline before the next token is made."""
    second = await trace.refresh(trace.first)
    await trace.pair.advance(LATE)
    late = await trace.refresh(trace.first, server=1)
    await trace.pair.advance(DEADLINE)
    # The late answer may come in only now; the token that it brings is still the newest.
    assert await trace.refresh(second) == second == late
    third = await trace.rotated(second)
    # And where somebody does put it back, the next refresh inside the grace mends it.
    assert await trace.refresh(late, server=1) == third


@pytest.mark.parametrize("agent", [FIREFOX, CHROME])
async def test_a_thief_refreshes_twice_at_once_and_the_owner_retries_inside_the_grace(trace: Trace, agent: str) -> None:
    """One token, whoever asked how often: the owner is never two behind."""
    stolen = trace.first
    thief = await asyncio.gather(*(trace.refresh(stolen, server=server, agent=agent) for server in (0, 1)))
    assert {one.place for one in thief} == {(1, 2)}
    await trace.pair.advance(LATE)
    if agent == FIREFOX:
        mine = await trace.refresh(trace.first)
        assert mine.jti == thief[0].jti
    else:
        assert await trace.cause(trace.first) == "PRINT_CHANGED"
    assert (await trace.refresh(thief[0], agent=agent)).place == (1, 2)
