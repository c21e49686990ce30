"""Sessions that begin in one second, one for each way to ask whether it lives, and one for the sweeper."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

from argus.v1 import self_service_pb2 as self_service
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import user_service_pb2 as users
from tests.support.following import scope_of
from tests.support.moments import SECOND, begin_second, check_within, move_to, now
from tests.support.own_stores import until
from tests.support.people import Person, new_person, reason_of, refresh, verify
from tests.support.policies import set_document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from argus.policies.model import Scope, ScopeKind
    from argus.server.api import Api
    from tests.support.stack import Stack

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
"""Ways to ask, a session each: some of them count as a use."""

GROUP: Final = "night-shift"
"""A group that they may be in."""


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

    def __init__(self, stack: Stack, api: Api, person: Person, doors: Sequence[str]) -> None:
        self.stack, self.api, self.person, self.doors = stack, api, person, doors
        self.swept = sessions.CreateSessionResponse()
        self.asked: list[sessions.CreateSessionResponse] = []

    @classmethod
    async def begin(
        cls,
        stack: Stack,
        document: dict[str, Any],
        *,
        narrower: Mapping[ScopeKind, dict[str, Any]] | None = None,
        doors: Sequence[str] = DOORS,
    ) -> Crowd:
        """Begins them under a tenant's policy, and those of narrower scopes; who has one of a group is in it."""
        api = await stack.new_tenant()
        await set_document(stack, api.tenant_id, document)
        await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id=GROUP))
        crowd = cls(stack, api, await new_person(api), doors)
        for kind, one in (narrower or {}).items():
            if kind == "group":
                await crowd.join()
            await set_document(stack, api.tenant_id, one, scope=crowd.scope(kind))
        await begin_second(stack)
        begun = now(stack).replace(microsecond=0)
        made = await asyncio.gather(*(new_session(api, crowd.person) for _ in range(len(doors) + 1)))
        check_within(stack, begun + SECOND)
        crowd.swept, *crowd.asked = made
        return crowd

    @property
    def begun(self) -> datetime:
        """The latest of their beginnings."""
        return max(one.session.create_time.ToDatetime(tzinfo=UTC) for one in [self.swept, *self.asked])

    async def keep(self, until: datetime, every: timedelta) -> None:
        """Uses all of them, again and again, and has tokens at the end that live as long as they do."""
        while now(self.stack) + every < until:
            await move_to(self.stack, now(self.stack) + every)
            await self.use()
        await self.renew(until - 4 * SECOND)

    async def renew(self, moment: datetime) -> None:
        """Gives all of them new tokens at a moment that is still to come."""
        await move_to(self.stack, moment)
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
        pairs = zip(self.doors, self.asked, strict=True)
        return {door: await lives(self.api, self.person, one, door) for door, one in pairs}

    async def join(self) -> None:
        """Makes their user one of a group."""
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
        assert said == dict.fromkeys(self.doors, after < 0)
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
