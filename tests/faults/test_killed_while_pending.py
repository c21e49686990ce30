"""A process that is killed with an end PENDING: another one finishes it; nobody has to ask again."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc
import pytest

from argus.server.api import Api
from argus.server.served import Served
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.support.breakable import PATIENCE_SECONDS, POSTGRESQL, REDIS, Breakable, breakable_servers
from tests.support.own_stores import until
from tests.support.people import new_person, reason_of, refresh, terminate, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.people import Person


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    async with breakable_servers(tmp_path_factory.mktemp("killed")) as made:
        yield made


@asynccontextmanager
async def _calling(served: Served, api: Api) -> AsyncIterator[Api]:
    """The client of `api`, calling a process."""
    its = api.at(served.grpc_address)
    await its.token()
    yield its
    await its.close()


async def _end(api: Api, person: Person, session: str) -> tuple[int, str]:
    """Ends one session, or (none is named) all of the user."""
    if session:
        one = await terminate(api, session)
        return one.state, one.operation
    many = await api.sessions.TerminateSessions(sessions.TerminateSessionsRequest(parent=person.name))
    return many.state, many.operation


@pytest.mark.parametrize("away", [REDIS, POSTGRESQL])
@pytest.mark.parametrize("kind", ["session", "user"])
async def test_another_process_finishes_the_end(breakable: Breakable, tmp_path: Path, away: str, kind: str) -> None:
    """By its own loops and the real clock. The store comes back only after the process is gone."""
    async with breakable.new_tenant() as (api, other):
        person = await new_person(api)
        done = await person.sign_in()
        name = done.session.name if kind == "session" else ""
        with Served(breakable.first.settings, tmp_path).running() as served:
            async with _calling(served, api) as its:
                await verify(its, done.tokens.access_token)
                async with breakable.without(away):
                    state, operation = await _end(its, person, name)
                    assert (state, bool(operation)) == (types.TERMINATION_STATE_PENDING, True)
                    served.kill()
        begun = time.monotonic()
        # Neither server is asked to end it: what is refused here was carried on by their loops.
        while await reason_of(verify(other, done.tokens.access_token)) != "SESSION_ENDED":
            assert time.monotonic() - begun < PATIENCE_SECONDS
            await asyncio.sleep(0.05)
        await until(lambda: _is_listed_as_ended(api, done.session.name))
        assert await _end(api, person, name) == (types.TERMINATION_STATE_ENDED, "")
        await breakable.flush()
        assert await reason_of(refresh(other, done.tokens.refresh_token)) == "SESSION_ENDED"


async def _is_listed_as_ended(api: Api, name: str) -> bool:
    """Whether PostgreSQL says so; it may not be back yet."""
    try:
        listed = await api.sessions.GetSession(sessions.GetSessionRequest(name=name))
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return bool(listed.session.state == types.SESSION_STATE_ENDED)
