"""Policies of all scopes that change while sessions live: everybody says the same of each session, at any instant.

Beside the server stands the plainest model: a session's times are the shortest that were in force for it since it
began, its longest life counts from its beginning, its idle time from its last use, and what is over stays over.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import user_service_pb2 as users
from tests.support.deadlines import new_session
from tests.support.following import follow, scope_of
from tests.support.moments import SECOND, begin_second, check_within, in_time, move_to, now
from tests.support.own_stores import until
from tests.support.people import Person, new_person, reason_of, refresh, verify
from tests.support.policies import set_document

if TYPE_CHECKING:
    from argus.policies.model import Scope, ScopeKind
    from argus.server.api import Api
    from tests.support.stack import Stack

EXAMPLES: Final = int(os.environ.get("ARGUS_LIVING_EXAMPLES", "4"))
PATIENCE_SECONDS: Final = 400
IDLE, ABSOLUTE = "idle_seconds", "absolute_seconds"
DEFAULTS: Final = {IDLE: 8 * 3600, ABSOLUTE: 24 * 3600}
PRESET, DEMANDED = "gdpr", {IDLE: 3600, ABSOLUTE: 86_400}
GROUPS: Final = ("day", "night")
# What has nothing to do with it: tokens live as long as they may, and only uses are activity.
ALWAYS: Final = {"access_seconds": 3600, "refresh_is_activity": False}
# The preset lets access tokens live for ten minutes: in such steps they are renewed.
HOP: Final = timedelta(seconds=500)
MOST_SESSIONS: Final = 6

DOCUMENTS: Final = st.fixed_dictionaries(
    {},
    optional={
        IDLE: st.sampled_from([120, 300, 900, 2400, 7200]),
        ABSOLUTE: st.sampled_from([600, 1800, 5400, 20_000, 200_000]),
        "presets": st.sampled_from([[], [PRESET]]),
    },
)
CHANGES: Final = st.tuples(st.sampled_from(["tenant", "client", "day", "night", "user"]), DOCUMENTS)
STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("change"), CHANGES),
        st.tuples(st.just("begin"), st.none()),
        st.tuples(st.just("use"), st.integers(0, MOST_SESSIONS - 1)),
        st.tuples(st.sampled_from(["join", "leave"]), st.sampled_from(GROUPS)),
        st.tuples(st.just("wait"), st.integers(1, 1200)),
        st.tuples(st.just("boundary"), st.tuples(st.integers(0, MOST_SESSIONS - 1), st.integers(-1, 1))),
    ),
    min_size=12,
    max_size=24,
)


@dataclass(slots=True, kw_only=True)
class Known:
    """A session as the model has it."""

    made: sessions.CreateSessionResponse
    created: datetime
    idle: int
    absolute: int
    idle_deadline: datetime
    is_over: bool = False
    last_seen: datetime | None = None

    @property
    def name(self) -> str:
        return self.made.session.name

    @property
    def deadline(self) -> datetime:
        return min(self.idle_deadline, self.created + timedelta(seconds=self.absolute))

    def use(self, at: datetime) -> None:
        """Activity is written no more often than once in a twentieth of the idle time."""
        deadline = min(at + timedelta(seconds=self.idle), self.created + timedelta(seconds=self.absolute))
        if abs(deadline - self.idle_deadline) * 20 >= timedelta(seconds=self.idle):
            self.idle_deadline = deadline


class Model:
    """What is set, who is in which group, and the sessions."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.groups: set[str] = set()
        self.sessions: list[Known] = []

    def in_force(self, key: str) -> int:
        """A field by now: the most specific scope's, of several groups the shortest, within the presets of all."""
        value = DEFAULTS[key]
        for scopes in (["tenant"], ["client"], sorted(self.groups), ["user"]):
            said = [self.documents[one][key] for one in scopes if key in self.documents.get(one, {})]
            value = min(said, default=value)
        counting = [self.documents.get(one, {}) for one in ("tenant", "client", *self.groups, "user")]
        return min(value, DEMANDED[key]) if any(one.get("presets") for one in counting) else value

    def follow(self) -> None:
        """What is shorter by now counts for all that live; what is longer for none of them."""
        for one in self.living:
            one.idle = min(one.idle, self.in_force(IDLE))
            one.absolute = min(one.absolute, self.in_force(ABSOLUTE))

    def move_to(self, moment: datetime) -> None:
        for one in self.living:
            one.is_over = one.deadline <= moment

    @property
    def living(self) -> list[Known]:
        return [one for one in self.sessions if not one.is_over]


class Play:
    """A tenant in which a script is played, beside the model."""

    def __init__(self, stack: Stack, api: Api, person: Person) -> None:
        self.stack, self.api, self.person = stack, api, person
        self.model = Model()
        self.seen = 0

    @classmethod
    async def begin(cls, stack: Stack) -> Play:
        api = await stack.new_tenant()
        play = cls(stack, api, await new_person(api))
        for group in GROUPS:
            await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id=group))
        await set_document(stack, api.tenant_id, ALWAYS)
        await follow(stack)
        await play.step("begin", None)
        return play

    async def step(self, what: str, about: Any) -> None:
        match what:
            case "change":
                await self._change(*about)
            case "begin" if len(self.model.sessions) < MOST_SESSIONS:
                await self._begin()
            case "use" if about < len(self.model.sessions):
                await self._use(self.model.sessions[about])
            case "join" | "leave":
                await self._regroup(what, about)
            case "wait":
                await self._wait(now(self.stack).replace(microsecond=0) + timedelta(seconds=about))
            case "boundary" if about[0] < len(self.model.living):
                await self._wait(self.model.living[about[0]].deadline + about[1] * SECOND)
        await self.check()

    async def _change(self, name: str, document: dict[str, Any]) -> None:
        kind: ScopeKind = "group" if name in GROUPS else name  # type: ignore[assignment]  # it is drawn from them
        always = ALWAYS if kind == "tenant" else {}
        await self._now_is()
        await set_document(self.stack, self.api.tenant_id, always | document, scope=self._scope(kind, name))
        self.model.documents[name] = document
        self.model.follow()
        if kind in ("tenant", "client"):
            # At once, whether or not sessions have followed it.
            await self.check(is_followed=False)
        await follow(self.stack)

    async def _begin(self) -> None:
        made = await new_session(self.api, self.person)
        created = made.session.create_time.ToDatetime(tzinfo=UTC).replace(microsecond=0)
        idle, absolute = self.model.in_force(IDLE), self.model.in_force(ABSOLUTE)
        end = created + timedelta(seconds=min(idle, absolute))
        self.model.sessions.append(Known(made=made, created=created, idle=idle, absolute=absolute, idle_deadline=end))

    async def _use(self, one: Known) -> None:
        await begin_second(self.stack)
        at = await self._now_is()
        said = await reason_of(verify(self.api, one.made.tokens.access_token, strong=True))
        check_within(self.stack, at + SECOND)
        assert bool(said) == one.is_over, (said, one)
        if not one.is_over:
            one.use(at)

    async def _regroup(self, what: str, group: str) -> None:
        await self._now_is()
        name = f"{self.api.parent}/groups/{group}"
        if what == "join" and group not in self.model.groups:
            await self.api.users.AddGroupMember(users.AddGroupMemberRequest(group=name, user=self.person.name))
            self.model.groups.add(group)
        elif what == "leave" and group in self.model.groups:
            await self.api.users.RemoveGroupMember(users.RemoveGroupMemberRequest(group=name, user=self.person.name))
            self.model.groups.remove(group)
        self.model.follow()
        await follow(self.stack)

    async def _wait(self, moment: datetime) -> None:
        while moment > now(self.stack):
            await move_to(self.stack, min(moment, now(self.stack) + HOP))
            await self._now_is()
            await self._renew()

    async def _renew(self) -> None:
        for one in self.model.living:
            if await reason_of(verify(self.api, one.made.tokens.access_token, passive=True, strong=True)) == "":
                one.made.tokens.CopyFrom((await refresh(self.api, one.made.tokens.refresh_token)).tokens)

    async def _now_is(self) -> datetime:
        """Brings the model to the second that it is."""
        at = now(self.stack).replace(microsecond=0)
        self.model.move_to(at)
        return at

    async def check(self, *, is_followed: bool = True) -> None:
        """Everybody says of every session what the model says; where a second ends meanwhile nothing is held."""
        await self.stack.argus.effects.flush()
        at = await self._now_is()
        said = await asyncio.gather(*(self._said(one) for one in self.model.sessions))
        count, listed = await asyncio.gather(self.person.count(), self.person.list())
        if now(self.stack) >= at + SECOND:
            return
        self.seen += 1
        for one, doors in zip(self.model.sessions, said, strict=True):
            one.last_seen = one.last_seen if one.is_over else at
            assert doors == dict.fromkeys(doors, not one.is_over), (doors, one, self.model.documents)
        assert {one.name for one in listed} == {one.name for one in self.model.living}
        assert count == len(self.model.living)
        if is_followed:
            await self._check_swept()

    async def _check_swept(self) -> None:
        """The sweeper has ended what is over, and says of none that it had ended while it was seen to live."""
        over = {one.name for one in self.model.sessions if one.is_over}

        async def are_swept() -> bool:
            return over <= set(await self._swept())

        await self.stack.argus.sweeper.sweep()
        await until(are_swept)  # the server's own sweeper may have some of them in hand
        swept = await self._swept()
        await self._now_is()
        known = {one.name: one for one in self.model.sessions if one.is_over}
        assert set(swept) <= set(known)
        for name, end in swept.items():
            seen = known[name].last_seen
            assert seen is None or end >= seen, (end, known[name])

    async def _swept(self) -> dict[str, datetime]:
        rows = await self.stack.argus.db.fetch_all(
            "SELECT session_id, end_time FROM sessions WHERE tenant_id = %s AND state = 'ended'", (self.api.tenant_id,)
        )
        return {f"{self.person.name}/sessions/{row['session_id']}": row["end_time"] for row in rows}

    async def _said(self, one: Known) -> dict[str, bool]:
        access, refreshing = one.made.tokens.access_token, one.made.tokens.refresh_token
        ask = self.api.tokens.IntrospectToken
        used, cached, shown, of_access, of_refresh = await asyncio.gather(
            reason_of(verify(self.api, access, passive=True, strong=True)),
            reason_of(verify(self.api, access, passive=True, strong=False)),
            self.api.sessions.GetSession(sessions.GetSessionRequest(name=one.name)),
            ask(tokens.IntrospectTokenRequest(token=access)),
            ask(tokens.IntrospectTokenRequest(token=refreshing)),
        )
        return {
            "verify": not used,
            "verify from the cache": not cached,
            "get": not shown.session.HasField("end_time"),
            "introspect access": of_access.active,
            "introspect refresh": of_refresh.active,
        }

    def _scope(self, kind: ScopeKind, name: str) -> Scope:
        ids = {"client_id": self.api.client_id, "group_id": name, "user_id": self.person.user_id}
        return scope_of(kind, tenant_id=self.api.tenant_id, **ids)


@pytest.mark.timeout(600)
async def test_everybody_says_the_same_of_each_session_at_any_instant(stack: Stack) -> None:
    loop = asyncio.get_running_loop()

    async def run(steps: list[tuple[str, Any]]) -> None:
        async def attempt() -> None:
            play = await Play.begin(stack)
            for what, about in steps:
                await play.step(what, about)
            assert play.seen > len(steps) / 2, "too slow to have seen much"

        await in_time(attempt)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )
    @given(steps=STEPS)
    def play(steps: list[tuple[str, Any]]) -> None:
        asyncio.run_coroutine_threadsafe(run(steps), loop).result(PATIENCE_SECONDS)

    await asyncio.to_thread(play)
