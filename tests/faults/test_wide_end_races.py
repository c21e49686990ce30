"""Ends of many sessions in the middle of 64 clients that refresh: none that was created before survives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.base.settings import PolicySettings
from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import types_pb2 as types
from tests.support.breakable import PATIENCE_SECONDS, Breakable, breakable_servers
from tests.support.people import Person, new_person, reason_of, refresh, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from argus.server.api import Api

CLIENTS = 64
ROUNDS = 6
# In every other round Redis forgets everything the moment the end is said to be done.
FORGETS = (False, True)


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    policy = PolicySettings(session_limit=2 * CLIENTS, access=timedelta(minutes=30))
    async with breakable_servers(tmp_path_factory.mktemp("races"), policy=policy) as made:
        yield made


@dataclass(slots=True)
class Client:
    """One session, refreshed again and again; every token that it was ever given."""

    apis: Sequence[Api]
    refresh_tokens: list[str]
    access_tokens: list[str] = field(default_factory=list)
    answered: int = 0

    async def run(self, stop: asyncio.Event, warm: asyncio.Semaphore) -> None:
        """Refreshes its newest token, at either server in turn, until it is refused or told to stop."""
        while not stop.is_set():
            self.answered += 1
            api = self.apis[self.answered % 2]
            failure = await failure_of(self._refresh(api))
            if failure is not None and failure.reason != "UNAVAILABLE":
                assert failure.reason in {"SESSION_ENDED", "CALLER_TOKEN_INVALID"}, failure
                return
            warm.release()

    async def _refresh(self, api: Api) -> None:
        answer = (await refresh(api, self.refresh_tokens[-1])).tokens
        self.access_tokens.append(answer.access_token)
        if answer.refresh_token != self.refresh_tokens[-1]:
            self.refresh_tokens.append(answer.refresh_token)


async def _clients(person: Person, apis: Sequence[Api]) -> list[Client]:
    for api in apis:
        await api.token()
    request = sessions.CreateSessionRequest(parent=person.name)
    begun = await asyncio.gather(*(person.api.sessions.CreateSession(request) for _ in range(CLIENTS)))
    return [Client(apis, [one.tokens.refresh_token], [one.tokens.access_token]) for one in begun]


async def _race(clients: Sequence[Client], end: Awaitable[None]) -> None:
    """Lets all of them refresh, and ends them in the middle."""
    stop, warm = asyncio.Event(), asyncio.Semaphore(0)
    running = [asyncio.create_task(client.run(stop, warm)) for client in clients]
    for _ in range(2 * CLIENTS):
        await warm.acquire()
    await end
    stop.set()
    await asyncio.gather(*running)


async def _none_survived(clients: Sequence[Client], apis: Sequence[Api]) -> None:
    """Every token that was ever given is refused, by both servers."""
    for api in apis:
        asked = [_answer(verify, api, client.access_tokens[-1]) for client in clients]
        asked += [_answer(verify, api, client.access_tokens[0]) for client in clients]
        asked += [_answer(refresh, api, client.refresh_tokens[-1]) for client in clients]
        reasons = await asyncio.gather(*asked)
        assert set(reasons) == {"SESSION_ENDED"}


async def _answer(call: Callable[[Api, str], Awaitable[object]], api: Api, token: str) -> str:
    """What a token comes to; who asks hundreds of times at once may be told to come back."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            reason = await reason_of(call(api, token))
            if reason != "UNAVAILABLE":
                return reason


async def _begin(api: Api, person: Person) -> sessions.CreateSessionResponse:
    return await api.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name))


async def test_no_session_created_before_a_user_wide_end_survives(breakable: Breakable) -> None:
    """Though their refreshes are under way at both servers; what begins after it is good."""
    async with breakable.new_tenant() as apis:
        person = await new_person(apis[0])

        async def end() -> None:
            request = sessions.TerminateSessionsRequest(parent=person.name)
            ended = await apis[0].sessions.TerminateSessions(request)
            assert (ended.state, ended.ended_count) == (types.TERMINATION_STATE_ENDED, CLIENTS)

        for number in range(ROUNDS):
            clients = await _clients(person, apis)
            await _race(clients, end())
            if FORGETS[number % 2]:
                await breakable.flush()
            await _none_survived(clients, apis)
        after = await person.sign_in()
        assert (await verify(apis[1], after.tokens.access_token)).session == after.session.name


async def test_no_session_created_before_a_tenant_wide_end_survives(breakable: Breakable) -> None:
    """One `not_before` in Redis stands for all of them until their rows follow."""
    async with breakable.new_tenant(is_system=True) as (admin, _):
        for number in range(ROUNDS // 2):
            async with breakable.new_tenant() as apis:
                clients = await _clients(await new_person(apis[0]), apis)
                request = tenants.TerminateTenantSessionsRequest(name=apis[0].parent)

                async def end(request: tenants.TerminateTenantSessionsRequest = request) -> None:
                    ended = await admin.tenants.TerminateTenantSessions(request)
                    assert ended.sessions_state == types.TERMINATION_STATE_ENDED

                await _race(clients, end())
                if FORGETS[number % 2]:
                    await breakable.flush()
                for api in apis:
                    api._renew_at = None
                    await api.token()
                await _none_survived(clients, apis)


async def test_sessions_that_begin_during_a_user_wide_end_are_whole_or_over(breakable: Breakable) -> None:
    """Begun before the end: refused. Begun after it: good, at both servers, also when Redis has forgotten all."""
    async with breakable.new_tenant() as apis:
        person = await new_person(apis[0])
        await apis[1].token()
        for _ in range(ROUNDS):
            beginning = [asyncio.create_task(_begin(apis[n % 2], person)) for n in range(16)]
            ended = await apis[0].sessions.TerminateSessions(sessions.TerminateSessionsRequest(parent=person.name))
            assert ended.state == types.TERMINATION_STATE_ENDED
            begun = await asyncio.gather(*beginning)
            listed = {one.name for one in await person.list()}
            await breakable.flush()
            for one in begun:
                reasons = {await reason_of(verify(api, one.tokens.access_token)) for api in apis}
                assert reasons == ({""} if one.session.name in listed else {"SESSION_ENDED"})
