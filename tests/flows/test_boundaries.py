"""At the second before a deadline a session lives for everybody, at the deadline and after it for nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.policies.resolve import SCOPE_KINDS
from argus.v1 import self_service_pb2 as self_service
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import user_service_pb2 as users
from tests.support.following import follow, scope_of
from tests.support.moments import SECOND, begin_second, check_within, in_time, move_to, now
from tests.support.own_stores import until
from tests.support.people import Person, new_person, reason_of, refresh, verify
from tests.support.policies import set_document

if TYPE_CHECKING:
    from datetime import datetime

    from argus.policies.model import Scope, ScopeKind
    from argus.server.api import Api
    from tests.support.stack import Stack

# Access tokens outlive the idle time: what ends is the session.
IDLE: Final = timedelta(minutes=20)
ABSOLUTE: Final = timedelta(minutes=40)
DOCUMENT: Final[dict[str, Any]] = {
    "idle_seconds": 1200,
    "absolute_seconds": 2400,
    "access_seconds": 3600,
    "session_limit": 100,
    "refresh_is_activity": False,
}
# A session each: some of them count as a use.
DOORS: Final = (
    "verify",
    "verify from the cache",
    "verify as a user",
    "refresh",
    "introspect access",
    "introspect refresh",
    "list",
    "own list",
    "touch",
    "get",
)
GROUP: Final = "night-shift"


async def new_session(api: Api, person: Person) -> sessions.CreateSessionResponse:
    """A session on a backend's word."""
    return await api.sessions.CreateSession(
        sessions.CreateSessionRequest(parent=person.name, acr="urn:argus:acr:1", amr=["pwd"])
    )


async def lives(api: Api, person: Person, made: sessions.CreateSessionResponse, door: str) -> bool:
    """What one way to ask says of a session."""
    access, refreshing = made.tokens.access_token, made.tokens.refresh_token
    match door:
        case "verify" | "verify from the cache" | "verify as a user":
            how = {"passive": door != "verify as a user", "strong": door != "verify from the cache"}
            reason = await reason_of(verify(api, access, **how))
        case "refresh":
            reason = await reason_of(refresh(api, refreshing))
        case "introspect access" | "introspect refresh":
            token = access if door == "introspect access" else refreshing
            return (await api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=token))).active
        case "list":
            return made.session.name in {one.name for one in await person.list()}
        case "own list":
            own = self_service.ListOwnSessionsRequest(access_token=access)
            reason = await reason_of(api.self_service.ListOwnSessions(own))
        case "touch":
            touch = sessions.SessionTouch(name=made.session.name)
            touch.active_time.FromDatetime(made.session.create_time.ToDatetime(tzinfo=UTC))
            request = sessions.TouchSessionsRequest(parent=api.parent, touches=[touch])
            return not (await api.sessions.TouchSessions(request)).ended_sessions
        case _:
            shown = await api.sessions.GetSession(sessions.GetSessionRequest(name=made.session.name))
            return not shown.session.HasField("end_time")
    # Past the absolute end tokens have expired, too.
    assert reason in {"", "SESSION_ENDED", "TOKEN_INVALID"}, (door, reason)
    return not reason


class Crowd:
    """Sessions that begin in one second, one for each way to ask, and one for the sweeper."""

    def __init__(self, stack: Stack, api: Api, person: Person, made: list[sessions.CreateSessionResponse]) -> None:
        self.stack, self.api, self.person = stack, api, person
        self.swept, *self.asked = made

    @classmethod
    async def begin(cls, stack: Stack, document: dict[str, Any]) -> Crowd:
        api = await stack.new_tenant()
        await set_document(stack, api.tenant_id, document)
        person = await new_person(api)
        await begin_second(stack)
        begun = now(stack).replace(microsecond=0)
        made = await asyncio.gather(*(new_session(api, person) for _ in range(len(DOORS) + 1)))
        check_within(stack, begun + SECOND)
        return cls(stack, api, person, made)

    @property
    def begun(self) -> datetime:
        """The latest of their beginnings."""
        return max(one.session.create_time.ToDatetime(tzinfo=UTC) for one in [self.swept, *self.asked])

    async def keep(self, until: datetime, every: timedelta) -> None:
        """Uses all of them, again and again, and has tokens at the end that live as long as they do."""
        while now(self.stack) + every < until:
            await move_to(self.stack, now(self.stack) + every)
            await self.use()
        await move_to(self.stack, until - 4 * SECOND)
        for one in self.asked:
            one.tokens.CopyFrom((await refresh(self.api, one.tokens.refresh_token)).tokens)

    async def use(self) -> datetime:
        """Uses all of them; says when the last one was."""
        await begin_second(self.stack)
        begun = now(self.stack).replace(microsecond=0)
        for one in [self.swept, *self.asked]:
            await verify(self.api, one.tokens.access_token)
        check_within(self.stack, begun + SECOND)
        return begun

    async def said(self) -> dict[str, bool]:
        """What each way to ask says of its session."""
        pairs = zip(DOORS, self.asked, strict=True)
        return {door: await lives(self.api, self.person, one, door) for door, one in pairs}

    async def join(self) -> None:
        """Makes their user one of a group."""
        await self.api.users.CreateGroup(users.CreateGroupRequest(parent=self.api.parent, group_id=GROUP))
        group = f"{self.api.parent}/groups/{GROUP}"
        await self.api.users.AddGroupMember(users.AddGroupMemberRequest(group=group, user=self.person.name))

    def scope(self, kind: ScopeKind) -> Scope:
        """The scope of a kind that they are all under."""
        ids = {"client_id": self.api.client_id, "group_id": GROUP, "user_id": self.person.user_id}
        return scope_of(kind, tenant_id=self.api.tenant_id, **ids)

    async def hold_to_end(self, end: datetime, after: int, reason: str) -> None:
        """Everybody says of a moment near the end whether it has come."""
        await move_to(self.stack, end + after * SECOND)
        said = await self.said()
        ended = await self.ended()
        if after < 0:
            check_within(self.stack, end.replace(microsecond=0))
        elif not ended:
            # The sweeper of the server may have been faster by a moment.
            await until(self.reasons)
            ended = await self.reasons()
        assert said == dict.fromkeys(DOORS, after < 0)
        assert ended == ([] if after < 0 else [reason])

    async def ended(self) -> list[str]:
        """How the sweeper has ended its session, if it has."""
        await self.stack.argus.effects.flush()
        await self.stack.argus.sweeper.sweep()
        return await self.reasons()

    async def reasons(self) -> list[str]:
        """Why the sweeper's session has ended."""
        rows = await self.stack.argus.db.fetch_all(
            "SELECT reason FROM audit_events WHERE tenant_id = %s AND session_id = %s AND type = 'session.ended'",
            (self.api.tenant_id, self.swept.session.name.rpartition("/")[2]),
        )
        return [row["reason"] for row in rows]


@pytest.mark.parametrize("after", [-1, 0, 1])
@pytest.mark.parametrize(("deadline", "reason"), [(IDLE, "IDLE_TIMEOUT"), (ABSOLUTE, "ABSOLUTE_TIMEOUT")])
async def test_a_deadline_is_one_second_for_everybody(
    stack: Stack, deadline: timedelta, reason: str, after: int
) -> None:
    """Calls, lists and the sweeper say the same: the second before it lives, at the second and after it is over."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        end = crowd.begun + deadline
        if deadline == ABSOLUTE:
            await crowd.keep(end - SECOND, timedelta(minutes=15))
        await crowd.hold_to_end(end, after, reason)

    await in_time(attempt)


@pytest.mark.parametrize("after", [-1, 0, 1])
@pytest.mark.parametrize("field", ["idle_seconds", "absolute_seconds"])
@pytest.mark.parametrize("kind", SCOPE_KINDS)
async def test_a_shortened_policy_bites_at_the_next_use(stack: Stack, kind: ScopeKind, field: str, after: int) -> None:
    """Whatever the scope: the idle time counts anew from that use; the longest life is what it is for new sessions."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        await crowd.join()
        await move_to(stack, crowd.begun + timedelta(seconds=400))
        await set_document(stack, crowd.api.tenant_id, {**DOCUMENT, field: 600}, scope=crowd.scope(kind))
        await follow(stack)
        used = await crowd.use()
        end = (used if field == "idle_seconds" else crowd.begun) + timedelta(seconds=600)
        await crowd.hold_to_end(end, after, "IDLE_TIMEOUT" if field == "idle_seconds" else "ABSOLUTE_TIMEOUT")

    await in_time(attempt)


@pytest.mark.parametrize("after", [-1, 0, 1])
@pytest.mark.parametrize("kind", SCOPE_KINDS)
async def test_a_shortened_life_bites_without_any_use(stack: Stack, kind: ScopeKind, after: int) -> None:
    """Nobody shows a token: lists and the sweeper say what calls with one would be told."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        await crowd.join()
        await set_document(stack, crowd.api.tenant_id, {**DOCUMENT, "absolute_seconds": 600}, scope=crowd.scope(kind))
        await follow(stack)
        await crowd.hold_to_end(crowd.begun + timedelta(seconds=600), after, "ABSOLUTE_TIMEOUT")

    await in_time(attempt)


@pytest.mark.parametrize("after", [-1, 0, 1])
async def test_who_joins_a_group_is_held_to_its_policy(stack: Stack, after: int) -> None:
    """From then on, in the sessions that live: and leaving it gives nothing back."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        await set_document(stack, crowd.api.tenant_id, {"absolute_seconds": 600}, scope=crowd.scope("group"))
        await follow(stack)
        await move_to(stack, crowd.begun + timedelta(seconds=300))
        assert await lives(crowd.api, crowd.person, crowd.asked[0], "verify")
        await crowd.join()
        await follow(stack)
        group = f"{crowd.api.parent}/groups/{GROUP}"
        leaving = users.RemoveGroupMemberRequest(group=group, user=crowd.person.name)
        await crowd.api.users.RemoveGroupMember(leaving)
        await follow(stack)
        await crowd.hold_to_end(crowd.begun + timedelta(seconds=600), after, "ABSOLUTE_TIMEOUT")

    await in_time(attempt)


async def test_a_large_tenant_follows_batch_by_batch(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever carries on goes on where the one before came to; what was stepped up or begun meanwhile follows, too."""
    monkeypatch.setattr("argus.flows.policy_following._BATCH", 3)
    crowd = await Crowd.begin(stack, DOCUMENT)
    await set_document(stack, crowd.api.tenant_id, {**DOCUMENT, "absolute_seconds": 600})
    for _ in range(2):
        await asyncio.gather(*(stack.argus.policy_following.run_due() for _ in range(3)))
        await follow(stack)
        rows = await stack.argus.db.fetch_all(
            "SELECT absolute_deadline - create_time AS life FROM sessions WHERE tenant_id = %s", (crowd.api.tenant_id,)
        )
        assert len(rows) == len(DOORS) + 1
        assert all(row["life"] <= timedelta(seconds=600) for row in rows)
        # The second round changes nothing.
        await move_to(stack, now(stack) + timedelta(seconds=61))


@pytest.mark.parametrize("longer", [{"idle_seconds": 86400, "absolute_seconds": 86400}, {}])
async def test_a_lengthened_policy_revives_nothing(stack: Stack, longer: dict[str, Any]) -> None:
    """What is over stays over, and a session that lives keeps the end that it began with; the next one lives longer."""

    async def attempt() -> None:
        over, living = await Crowd.begin(stack, DOCUMENT), None
        await move_to(stack, over.begun + IDLE - 5 * SECOND)
        person = over.person
        await begin_second(stack)
        living = await new_session(over.api, person)
        await move_to(stack, over.begun + IDLE)
        await set_document(stack, over.api.tenant_id, {**longer, "session_limit": 100, "access_seconds": 3600})
        assert await over.said() == dict.fromkeys(DOORS, False)
        end = living.session.create_time.ToDatetime(tzinfo=UTC) + IDLE
        await move_to(stack, end)
        assert not await lives(over.api, person, living, "verify")
        later = await new_session(over.api, person)
        await move_to(stack, later.session.create_time.ToDatetime(tzinfo=UTC) + IDLE + SECOND)
        assert await lives(over.api, person, later, "verify")

    await in_time(attempt)
