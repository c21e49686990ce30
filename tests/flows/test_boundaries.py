"""At the second before a deadline a session lives for everybody, at the deadline and after it for nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.policies.model import Scope
from argus.v1 import self_service_pb2 as self_service
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from tests.support.features import origin
from tests.support.moments import SECOND, begin_second, check_within, in_time, move_to, now
from tests.support.people import Person, new_person, reason_of, refresh, verify

if TYPE_CHECKING:
    from datetime import datetime

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
# Those that present a token.
USES: Final = tuple(door for door in DOORS if door.startswith(("verify", "refresh", "introspect", "own")))


async def set_policy(stack: Stack, tenant_id: str, document: dict[str, Any]) -> None:
    """Sets a tenant's document; every process knows it from then on."""
    scope = Scope(kind="tenant", id=tenant_id)
    await stack.argus.policies.set_document(tenant_id, scope, document, origin=origin(tenant_id))
    await stack.argus.snapshot.refresh()


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
        await set_policy(stack, api.tenant_id, document)
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

    async def said(self, doors: tuple[str, ...] = DOORS) -> dict[str, bool]:
        """What each way to ask says of its session."""
        pairs = [(door, one) for door, one in zip(DOORS, self.asked, strict=True) if door in doors]
        return {door: await lives(self.api, self.person, one, door) for door, one in pairs}

    async def ended(self) -> list[str]:
        """How the sweeper has ended its session, if it has."""
        await self.stack.argus.effects.flush()
        await self.stack.argus.sweeper.sweep()
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
        await move_to(stack, end + after * SECOND)
        said = await crowd.said()
        ended = await crowd.ended()
        if after < 0:
            check_within(stack, end.replace(microsecond=0))
        assert said == dict.fromkeys(DOORS, after < 0)
        assert ended == ([] if after < 0 else [reason])

    await in_time(attempt)


@pytest.mark.parametrize("after", [-1, 0, 1])
@pytest.mark.parametrize("field", ["idle_seconds", "absolute_seconds"])
async def test_a_shortened_policy_bites_at_the_next_use(stack: Stack, field: str, after: int) -> None:
    """The idle time counts anew from that use; the longest life is at once what it is for new sessions."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        await move_to(stack, crowd.begun + timedelta(seconds=400))
        await set_policy(stack, crowd.api.tenant_id, {**DOCUMENT, field: 600})
        used = await crowd.use()
        end = (used if field == "idle_seconds" else crowd.begun) + timedelta(seconds=600)
        await move_to(stack, end + after * SECOND)
        said = await crowd.said(USES)
        if after < 0:
            check_within(stack, end.replace(microsecond=0))
        assert said == dict.fromkeys(USES, after < 0)

    await in_time(attempt)


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
        await set_policy(stack, over.api.tenant_id, {**longer, "session_limit": 100, "access_seconds": 3600})
        assert await over.said() == dict.fromkeys(DOORS, False)
        end = living.session.create_time.ToDatetime(tzinfo=UTC) + IDLE
        await move_to(stack, end)
        assert not await lives(over.api, person, living, "verify")
        later = await new_session(over.api, person)
        await move_to(stack, later.session.create_time.ToDatetime(tzinfo=UTC) + IDLE + SECOND)
        assert await lives(over.api, person, later, "verify")

    await in_time(attempt)
