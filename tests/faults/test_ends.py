"""Ended means ended: PENDING while a store is away, ENDED only when both know, and then for good."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from argus.base.settings import PolicySettings
from argus.server.api import Failure, failure_of
from argus.v1 import client_service_pb2 as clients
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import types_pb2 as types
from tests.support.breakable import POSTGRESQL, REDIS, Breakable, breakable_servers
from tests.support.people import Person, new_person, refresh, terminate, verify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
    from pathlib import Path

    from argus.server.api import Api

PENDING, ENDED = types.TERMINATION_STATE_PENDING, types.TERMINATION_STATE_ENDED
KINDS = ("session", "user", "client", "tenant")
APP = "app"
# The tests move the time by minutes, and look at access tokens after that.
LONG_LIVED = PolicySettings(access=timedelta(minutes=30))
LOSSES = ("emptied", "restarted", "restored from an older snapshot")


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    async with breakable_servers(tmp_path_factory.mktemp("ends"), policy=LONG_LIVED) as made:
        yield made


@dataclass(slots=True, kw_only=True)
class Scene:
    """A session, and who can end it."""

    breakable: Breakable
    api: Api
    other: Api
    admin: Api
    person: Person
    session: types.Session
    access_token: str
    refresh_token: str

    async def end(self, kind: str) -> tuple[int, str]:
        """Asks for an end of a kind: its state, and the operation if the answer has one."""
        if kind == "session":
            one = await terminate(self.api, self.session.name)
            return one.state, one.operation
        if kind == "user":
            all_of = sessions.TerminateSessionsRequest(parent=self.person.name)
            many = await self.api.sessions.TerminateSessions(all_of)
            return many.state, many.operation
        if kind == "client":
            of_client = clients.TerminateClientSessionsRequest(name=f"{self.api.parent}/clients/{APP}")
            return (await self.api.clients.TerminateClientSessions(of_client)).sessions_state, ""
        of_tenant = tenants.TerminateTenantSessionsRequest(name=self.api.parent)
        ended = await self.admin.tenants.TerminateTenantSessions(of_tenant)
        for api in (self.api, self.other):
            api._renew_at = None  # the callers' own tokens are the tenant's, too
        return ended.sessions_state, ""

    async def answers(self) -> list[str]:
        """What both servers say of both tokens."""
        calls = [
            call
            for api in (self.api, self.other)
            for call in (verify(api, self.access_token), refresh(api, self.refresh_token))
        ]
        return [one.reason if one else "OK" for one in await asyncio.gather(*map(failure_of, calls))]

    async def is_over(self) -> None:
        """Both servers refuse both tokens, and for the end."""
        assert await self.answers() == ["SESSION_ENDED"] * 4

    async def is_undecided(self) -> None:
        """No server says yes or no."""
        assert await self.answers() == ["UNAVAILABLE"] * 4

    async def is_good(self) -> None:
        """Both servers accept both tokens; from then on the newest ones are looked at."""
        for api in (self.api, self.other):
            renewed = await refresh(api, self.refresh_token)
            self.access_token, self.refresh_token = renewed.tokens.access_token, renewed.tokens.refresh_token
            await verify(self.api, self.access_token)
            await verify(self.other, self.access_token)


@pytest.fixture(scope="module")
async def admin(breakable: Breakable) -> AsyncIterator[Api]:
    async with breakable.new_tenant(is_system=True) as (made, _):
        yield made


@pytest.fixture
async def scenes(breakable: Breakable, admin: Api) -> AsyncIterator[dict[str, Scene]]:
    """One for each kind of end: all go through the same outage. The tenant-wide end has a tenant of its own."""
    async with AsyncExitStack() as stack:
        shared = await stack.enter_async_context(breakable.new_tenant())
        own = await stack.enter_async_context(breakable.new_tenant())
        await _add_app(breakable, shared[0])
        made = {kind: await _begin(breakable, admin, *(own if kind == "tenant" else shared), kind) for kind in KINDS}
        await admin.token()
        yield made


@pytest.fixture
async def scene(scenes: dict[str, Scene]) -> Scene:
    """One of them."""
    return scenes["session"]


async def _add_app(breakable: Breakable, api: Api) -> None:
    """A second client, so that the end of all its sessions is not that of the caller's token."""
    backend = (await api.clients.GetClient(clients.GetClientRequest(name=f"{api.parent}/clients/backend"))).client
    app = clients.Client(scopes=backend.scopes, resource=backend.resource)
    await api.clients.CreateClient(clients.CreateClientRequest(parent=api.parent, client_id=APP, client=app))
    for server in breakable.servers:
        await server.server.argus.snapshot.refresh()


async def _begin(breakable: Breakable, admin: Api, api: Api, other: Api, kind: str) -> Scene:
    person, client_id = await new_person(api), APP if kind == "client" else ""
    request = sessions.CreateSessionRequest(parent=person.name, client_id=client_id)
    begun = await api.sessions.CreateSession(request)
    made = Scene(
        breakable=breakable,
        api=api,
        other=other,
        admin=admin,
        person=person,
        session=begun.session,
        access_token=begun.tokens.access_token,
        refresh_token=begun.tokens.refresh_token,
    )
    await made.is_good()
    return made


async def _all(checks: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*checks)


async def _ends(scenes: Mapping[str, Scene]) -> dict[str, tuple[int, str]]:
    """Asks for the end of each kind."""
    ended = await asyncio.gather(*(scene.end(kind) for kind, scene in scenes.items()))
    return dict(zip(scenes, ended, strict=True))


async def _are_over(breakable: Breakable, scenes: Mapping[str, Scene]) -> None:
    """All are, and stay so when Redis has forgotten it."""
    assert await _ends(scenes) == dict.fromkeys(scenes, (ENDED, ""))
    await _all(scene.is_over() for scene in scenes.values())
    await breakable.flush()
    await _all(scene.is_over() for scene in scenes.values())


async def test_an_end_without_redis_is_pending_and_then_ended(breakable: Breakable, scenes: dict[str, Scene]) -> None:
    """PostgreSQL knows; until Redis does too, nobody is told that it is done."""
    async with breakable.without(REDIS):
        for _ in range(2):
            ends = await _ends(scenes)
            assert {state for state, _ in ends.values()} == {PENDING}
            assert {kind for kind, (_, operation) in ends.items() if operation} >= {"session"}
        await _all(scene.is_undecided() for scene in scenes.values())
    await breakable.carried_out()
    await _all(scene.is_over() for scene in scenes.values())
    await _are_over(breakable, scenes)


async def test_an_end_without_postgresql_is_pending_and_holds_at_once(
    breakable: Breakable, scenes: dict[str, Scene]
) -> None:
    """Redis knows, and both servers go by it. What Redis alone can't keep is UNAVAILABLE, and not half done."""
    narrow = {kind: scenes.pop(kind) for kind in ("session", "user")}
    async with breakable.without(POSTGRESQL):
        first, refused = await asyncio.gather(_ends(narrow), _refused_ends(scenes))
        assert [(one.code, one.reason) for one in refused if one] == [("UNAVAILABLE", "UNAVAILABLE")] * 2
        assert {state for state, _ in first.values()} == {PENDING}
        assert all(operation for _, operation in first.values())
        await _all(scene.is_over() for scene in narrow.values())
        again = await _ends(narrow)
        assert {state for state, _ in again.values()} == {PENDING}
        assert again["session"] == first["session"]
    await breakable.carried_out()
    await _all(scene.is_good() for scene in scenes.values())
    await _are_over(breakable, narrow | scenes)


async def test_an_end_without_both_stores_is_unavailable_and_ends_nothing(
    breakable: Breakable, scenes: dict[str, Scene]
) -> None:
    """Nobody could keep it; asked again later it is done."""
    async with breakable.without(REDIS, POSTGRESQL):
        failures = await _refused_ends(scenes)
        assert [(one.code, one.reason, bool(one.retry_after)) for one in failures if one] == [
            ("UNAVAILABLE", "UNAVAILABLE", True)
        ] * len(KINDS)
        await _all(scene.is_undecided() for scene in scenes.values())
    await breakable.carried_out()
    await _all(scene.is_good() for scene in scenes.values())
    await _are_over(breakable, scenes)


@pytest.mark.parametrize("loss", LOSSES)
async def test_after_ended_nothing_is_accepted_under_any_loss(
    breakable: Breakable, scenes: dict[str, Scene], loss: str, tmp_path: Path
) -> None:
    """By either server: not at once, not after Redis has forgotten it, twice."""
    saved = breakable.save(tmp_path)
    assert {state for state, _ in (await _ends(scenes)).values()} == {ENDED}
    await _all(scene.is_over() for scene in scenes.values())
    for _ in range(2):
        await _lose(breakable, loss, saved)
        await _all(scene.is_over() for scene in scenes.values())


@pytest.mark.parametrize("loss", LOSSES)
async def test_trace_end_with_postgresql_away_then_redis_lost_then_verify(
    breakable: Breakable, scene: Scene, loss: str, tmp_path: Path
) -> None:
    """PENDING was no promise, and yet nobody hears a yes from a store that may have lost it."""
    saved = breakable.save(tmp_path)
    async with breakable.without(POSTGRESQL):
        assert (await scene.end("session"))[0] == PENDING
        await _lose(breakable, loss, saved)
        await scene.is_undecided()
    await breakable.carried_out()
    # Its log kept the end through a restart; nothing else did, and the caller, who was never told ENDED, repeats it.
    await (scene.is_over() if loss == "restarted" else scene.is_good())
    await _are_over(breakable, {"session": scene})


async def test_an_end_made_without_postgresql_is_written_to_redis_again(
    breakable: Breakable, scenes: dict[str, Scene]
) -> None:
    """A rebuild that had read PostgreSQL before it went away may have put back what was true before."""
    argus = breakable.first.server.argus
    redis, keyspace = argus.redis.client, argus.keyspace
    narrow = {kind: scenes[kind] for kind in ("session", "user")}
    keys = [
        keyspace.session_key(narrow["session"].session.name.rpartition("/")[2]),
        keyspace.user_key(narrow["user"].api.tenant_id, narrow["user"].person.user_id),
    ]
    before: list[Any] = [await redis.get(key) for key in keys]
    async with breakable.without(POSTGRESQL):
        assert {state for state, _ in (await _ends(narrow)).values()} == {PENDING}
        for key, value in zip(keys, before, strict=True):
            await redis.set(key, value, keepttl=True)
    await breakable.carried_out()
    await _all(scene.is_over() for scene in narrow.values())
    await _are_over(breakable, narrow)


async def _refused_ends(scenes: Mapping[str, Scene]) -> list[Failure | None]:
    return await asyncio.gather(*(failure_of(scene.end(kind)) for kind, scene in scenes.items()))


async def _lose(breakable: Breakable, loss: str, saved: Path) -> None:
    if loss == "emptied":
        await breakable.flush()
    elif loss == "restarted":
        breakable.restart()
    else:
        breakable.restore(saved)
