"""However many sessions begin at once, and whatever befalls them: each stands for itself, whole or not at all.

Two servers over stores of their own get bursts of creations with faults among them: callers that give up, requests that
come twice, limits, users that are disabled or signed out meanwhile, a PostgreSQL that is killed. Beside them stands the
plainest model, a list of what was asked for and how it was answered.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.server.api import Failure
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import user_service_pb2 as users
from tests.support.breakable import PATIENCE_SECONDS, Breakable, breakable_servers
from tests.support.people import Person, new_person, reason_of, verify

if TYPE_CHECKING:
    from argus.server.api import Api

EXAMPLES: Final = int(os.environ.get("ARGUS_TOGETHER_EXAMPLES", "4"))
LIMIT: Final = 3
PEOPLE: Final = 4
# What a caller is told who does not learn whether the session was made.
UNKNOWN: Final = frozenset({"CANCELLED", "UNAVAILABLE", "DEADLINE_EXCEEDED"})
REFUSED: Final = frozenset({"SESSION_LIMIT_REACHED", "USER_DISABLED", "REQUEST_ID_REUSED", "REQUEST_ALREADY_DONE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens, at the same time as all others of its burst.

    Attributes:
        person: Whom it concerns.
        server: Which server is asked.
        request: Number of the request, which may come several times; 0: it has none.
        gives_up_ms: After so long the caller has gone; None: it waits.
    """

    kind: str
    person: int = 0
    server: int = 0
    request: int = 0
    gives_up_ms: int | None = None


@dataclass(slots=True)
class Seen:
    """How the creations of one person were answered."""

    made: list[sessions.CreateSessionResponse] = field(default_factory=list)
    requests: dict[int, set[str]] = field(default_factory=dict)
    unknown: int = 0


CREATIONS = st.builds(
    Step,
    kind=st.just("create"),
    person=st.integers(0, PEOPLE - 1),
    server=st.integers(0, 1),
    request=st.sampled_from([0, 0, 0, 1, 2]),
    gives_up_ms=st.sampled_from([None, None, None, 0, 3, 10, 25, 60]),
)
OTHERS = st.builds(
    Step,
    kind=st.sampled_from(["disable", "end_all", "end_one"]),
    person=st.integers(0, PEOPLE - 1),
    server=st.integers(0, 1),
)
BURSTS = st.tuples(
    st.lists(CREATIONS, min_size=10, max_size=40), st.lists(OTHERS, max_size=3), st.sampled_from([None, None, 5, 40])
)


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    """Stores that no other test file uses, and two servers."""
    async with breakable_servers(tmp_path_factory.mktemp("together")) as made:
        yield made


class Scene:
    """A tenant with some people, and what was answered."""

    def __init__(self, breakable: Breakable, apis: Sequence[Api], people: Sequence[Person]) -> None:
        self.breakable = breakable
        self.apis = apis
        self.people = people
        self.seen = [Seen() for _ in people]
        self.disabled: set[int] = set()

    async def play(self, steps: Sequence[Step], kill_after_ms: int | None) -> None:
        """Does everything at once; PostgreSQL dies in the midst of it, and comes back."""
        tasks = [asyncio.create_task(self._do(step)) for step in steps]
        if kill_after_ms is not None:
            await asyncio.wait(tasks, timeout=kill_after_ms / 1000)
            async with self.breakable.without("postgresql"):
                await asyncio.gather(*tasks)
        await asyncio.gather(*tasks)

    async def _do(self, step: Step) -> None:
        person, api = self.people[step.person], self.apis[step.server]
        match step.kind:
            case "create":
                await self._create(step, person, api)
            case "disable":
                if not await reason_of(api.users.DisableUser(users.DisableUserRequest(name=person.name))):
                    self.disabled.add(step.person)
            case "end_all":
                await reason_of(api.sessions.TerminateSessions(sessions.TerminateSessionsRequest(parent=person.name)))
            case "end_one":
                await self._end_one(person, api)

    async def _end_one(self, person: Person, api: Api) -> None:
        try:
            living = (await api.sessions.ListSessions(sessions.ListSessionsRequest(parent=person.name))).sessions
        except grpc.aio.AioRpcError:
            return
        for one in living[-1:]:
            await reason_of(api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=one.name)))

    async def _create(self, step: Step, person: Person, api: Api) -> None:
        seen = self.seen[step.person]
        request = sessions.CreateSessionRequest(
            parent=person.name, request_id=f"r{step.request}" if step.request else ""
        )
        call = api.sessions.CreateSession(request)
        try:
            if step.gives_up_ms is not None:
                await asyncio.wait([asyncio.ensure_future(_outcome(call))], timeout=step.gives_up_ms / 1000)
                call.cancel()
            made = await call
        except asyncio.CancelledError:
            seen.unknown += 1
        except grpc.aio.AioRpcError as error:
            failure = Failure.of(error)
            if failure.code in UNKNOWN:
                seen.unknown += 1
            else:
                assert failure.reason in REFUSED, failure
        else:
            seen.made.append(made)
            if step.request:
                seen.requests.setdefault(step.request, set()).add(made.session.name)

    async def check(self) -> None:
        """Holds PostgreSQL and Redis against the list of answers."""
        db, tenant_id = self.breakable.first.server.argus.db, self.apis[0].tenant_id
        rows = await db.fetch_all("SELECT * FROM sessions WHERE tenant_id = %s", (tenant_id,))
        audit = await db.fetch_all("SELECT * FROM audit_events WHERE tenant_id = %s", (tenant_id,))
        events: dict[str, Counter[str]] = {}
        for event in audit:
            events.setdefault(event["type"], Counter())[event["session_id"]] += 1
        created, ended = events.get("session.created", Counter()), events.get("session.ended", Counter())
        discarded = events.get("session.discarded", Counter())
        ids = {row["session_id"] for row in rows}
        # Whole or not at all: a row and its audit row, or neither, or one that was removed and says so.
        assert set(created) == ids | set(discarded)
        assert ids.isdisjoint(discarded)
        assert set(created.values()) | set(discarded.values()) <= {1}
        assert ended == Counter(row["session_id"] for row in rows if row["state"] == "ended")
        devices = await db.fetch_all("SELECT device_id FROM devices WHERE tenant_id = %s", (tenant_id,))
        assert {row["device_id"] for row in rows} <= {row["device_id"] for row in devices}
        for index, (person, seen) in enumerate(zip(self.people, self.seen, strict=True)):
            mine = [row for row in rows if row["user_id"] == person.user_id]
            await self._check_person(index, seen, mine)

    async def _check_person(self, index: int, seen: Seen, rows: Sequence[dict[str, Any]]) -> None:
        names = {one.session.name.rpartition("/")[2] for one in seen.made}
        ids = {row["session_id"]: row for row in rows}
        assert names <= set(ids), "answered OK, and not durable"
        assert len(ids) <= len(names) + seen.unknown, "made, and refused"
        living = {one for one, row in ids.items() if row["state"] != "ended"}
        assert len(living) <= LIMIT
        assert all(len(made) == 1 for made in seen.requests.values()), "a request made two sessions"
        if index in self.disabled:
            assert not living
        for one in seen.made:
            refused = await reason_of(verify(self.apis[0], one.tokens.access_token))
            is_living = one.session.name.rpartition("/")[2] in living
            assert refused == ("" if is_living else "SESSION_ENDED"), "Redis says otherwise"


async def _outcome(call: Any) -> None:
    """Waits for a call whatever becomes of it."""
    await asyncio.wait([asyncio.ensure_future(call.code())])


async def _play(
    breakable: Breakable, on_limit: str, bursts: Sequence[tuple[list[Step], list[Step], int | None]]
) -> None:
    async with breakable.new_tenant() as apis:
        argus = breakable.first.server.argus
        origin = Origin(tenant_id=apis[0].tenant_id, actor="system:test", request_id=new_id())
        scope = Scope(kind="tenant", id=origin.tenant_id)
        document = {"session_limit": LIMIT, "on_limit": on_limit}
        await argus.policies.set_document(origin.tenant_id, scope, document, origin=origin)
        for server in breakable.servers:
            await server.server.argus.snapshot.refresh()
        for api in apis:
            await api.token()
        scene = Scene(breakable, apis, [await new_person(apis[0], password="") for _ in range(PEOPLE)])
        for creations, others, kill_after_ms in bursts:
            await scene.play([*creations, *others], kill_after_ms)
            await breakable.advance(timedelta(seconds=61))
            await breakable.carried_out()
        await scene.check()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("on_limit", ["deny", "end_oldest"])
async def test_each_creation_stands_for_itself(breakable: Breakable, on_limit: str) -> None:
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )
    @given(bursts=st.lists(BURSTS, min_size=1, max_size=2))
    def play(bursts: list[tuple[list[Step], list[Step], int | None]]) -> None:
        playing = asyncio.run_coroutine_threadsafe(_play(breakable, on_limit, bursts), loop)
        playing.result(10 * PATIENCE_SECONDS)

    await asyncio.to_thread(play)
