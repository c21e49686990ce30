"""One script, played in two tenants in lockstep: what each of them made of it."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from argus.flows.replaying.replay import DECIDED
from argus.policies.model import Scope
from argus.policies.resolve import SCOPE_KINDS
from argus.server.api import failure_of
from argus.v1 import client_service_pb2 as clients
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.flows.test_policy_decisions import DESKTOP, PHONE
from tests.support.following import follow
from tests.support.moments import now
from tests.support.people import Person, new_person, reason_of, refresh, step_up, verify
from tests.support.policies import set_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from argus.policies.model import ScopeKind
    from argus.server.api import Api
    from argus.sessions.model import EndReason
    from argus.v1.types_pb2 import TokenSet
    from tests.support.stack import Stack

STEPS: Final = 40
# Grace and deadline of a request.
REPEATS: Final = timedelta(seconds=41)
GROUPS: Final = ("staff", "guests")
FIELDS: Final[dict[str, tuple[Any, ...]]] = {
    "idle_seconds": (1800, 7200, 36000),
    "absolute_seconds": (7200, 43200, 86400),
    "access_seconds": (60, 300),
    "session_limit": (2, 3, 0),
    "client_session_limit": (1, 2, 0),
    "device_class_limits": ({"phone": 1}, {}),
    "on_limit": ("deny", "end_oldest", "end_least_recent", "end_lowest_trust"),
    "refresh_is_activity": (True, True, False),
    "required_acr": (1, 1, 2),
    "presets": (["asvs-l1"], []),
}
CONDITIONS: Final = (
    "'staff' in groups",
    "device_class == 'phone'",
    "device_class == 'desktop' && acr < 2",
    "hour > 12",
    "!device_trusted && 'guests' in groups",
    "'country' in unknown",
    "'otp' in amr",
)


def random_fields(draw: random.Random, most: int) -> dict[str, Any]:
    """Some fields, each with one of its values."""
    names = draw.sample(sorted(FIELDS), draw.randint(1, most))
    return {name: draw.choice(FIELDS[name]) for name in names}


def random_document(draw: random.Random) -> dict[str, Any]:
    """A document, mostly with rules."""
    rules = [
        {"name": f"rule {place}", "when": when, "then": random_fields(draw, 2)}
        for place, when in enumerate(draw.sample(CONDITIONS, draw.randint(0, 3)))
    ]
    return random_fields(draw, 4) | ({"rules": rules} if rules else {})


@dataclass(slots=True, kw_only=True)
class Made:
    """A session of the script; until then its newest refresh token is answered with the same one."""

    name: str
    tokens: TokenSet
    repeats_until: datetime | None = None

    @property
    def session_id(self) -> str:
        """Its id."""
        return self.name.rpartition("/")[2]


@dataclass(slots=True, kw_only=True)
class Run:
    """A tenant in which the script is played.

    Attributes:
        made: The sessions that began, by the step in which they did.
        refreshed: How each refresh was answered, by its step.
    """

    stack: Stack
    api: Api
    people: list[Person]
    made: dict[int, Made] = field(default_factory=dict)
    refreshed: dict[int, str] = field(default_factory=dict)
    refreshed_of: dict[int, int] = field(default_factory=dict)

    @classmethod
    async def begin(cls, stack: Stack) -> Run:
        """A new tenant with people, groups, and a second client."""
        api = await stack.new_tenant()
        people = [await new_person(api) for _ in range(2)]
        for group in GROUPS:
            await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id=group))
        client = clients.Client(
            display_name="other", resource="https://other.example.com", max_asserted_acr="urn:argus:acr:2"
        )
        await api.clients.CreateClient(clients.CreateClientRequest(parent=api.parent, client=client, client_id="other"))
        return cls(stack=stack, api=api, people=people)

    def scope(self, kind: ScopeKind) -> Scope:
        """The scope of a kind that plays the same part in each tenant."""
        ids = {"tenant": self.api.tenant_id, "client": "other", "group": "staff", "user": self.people[0].user_id}
        return Scope(kind=kind, id=ids[kind])

    async def set(self, kind: ScopeKind, document: dict[str, Any]) -> bool:
        """Sets a scope's document, which living sessions follow."""
        await set_document(self.stack, self.api.tenant_id, document, scope=self.scope(kind))
        await follow(self.stack)
        return True

    async def sign_in(self, step: int, *, person: int, agent: str, acr: int, is_other: bool) -> bool:
        """At the word of a backend; a refusal is part of the history."""
        request = sessions.CreateSessionRequest(
            parent=self.people[person].name,
            client_context=types.ClientContext(user_agent=agent),
            acr=f"urn:argus:acr:{acr}",
            amr=["pwd", "otp"] if acr > 1 else ["pwd"],
            client_id="other" if is_other else "",
        )

        async def create() -> None:
            made = await self.api.sessions.CreateSession(request)
            self.made[step] = Made(name=made.session.name, tokens=made.tokens)

        failure = await failure_of(create())
        assert failure is None or failure.reason in ("STEP_UP_REQUIRED", "SESSION_LIMIT_REACHED"), failure
        return True

    async def refresh(self, step: int, *, of: int) -> bool:
        """Of some session; a refusal is part of the history.

        Nothing tells of one that comes after its token has expired, nor of one that is repeated within the grace, which
        is left out.
        """
        made = self.made.get(of)
        if made is None or (made.repeats_until and now(self.stack) < made.repeats_until):
            return False

        async def change() -> None:
            made.tokens.CopyFrom((await refresh(self.api, made.tokens.refresh_token)).tokens)
            made.repeats_until = now(self.stack) + REPEATS

        reason = await reason_of(change())
        if reason == "TOKEN_INVALID":
            return False
        self.refreshed[step], self.refreshed_of[step] = reason, of
        return True

    async def verify(self, *, of: int) -> bool:
        """A use that no event tells of."""
        if of not in self.made:
            return False
        await reason_of(verify(self.api, self.made[of].tokens.access_token))
        return True

    async def step_up(self, *, of: int) -> bool:
        """By password, which may not be enough."""
        if of not in self.made:
            return False
        made = self.made[of]

        async def prove() -> None:
            done = await step_up(self.api, made.tokens.refresh_token)
            if done.tokens.refresh_token:
                made.tokens.CopyFrom(done.tokens)

        before = made.tokens.refresh_token
        await reason_of(prove())
        return made.tokens.refresh_token != before

    async def end(self, *, of: int) -> bool:
        """By its user; one that is over stays so, and nothing tells of the try."""
        if of not in self.made or await self._is_over(of):
            return False
        await self.api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=self.made[of].name))
        return True

    async def end_all(self, *, person: int) -> bool:
        """All of a user's."""
        request = sessions.TerminateSessionsRequest(parent=self.people[person].name)
        await self.api.sessions.TerminateSessions(request)
        return True

    async def join(self, *, person: int, group: str) -> bool:
        """Makes somebody one of a group; who is already stays it."""
        joining = users.AddGroupMemberRequest(group=f"{self.api.parent}/groups/{group}", user=self.people[person].name)
        await reason_of(self.api.users.AddGroupMember(joining))
        await follow(self.stack)
        return True

    async def decided(self, since: datetime) -> list[dict[str, Any]]:
        """What became of the sign-ins from a time on, in order."""
        rows = await self.stack.argus.db.fetch_all(
            """SELECT type, data FROM audit_events WHERE tenant_id = %s AND type = ANY(%s) AND time >= %s
                ORDER BY time, transaction""",
            (self.api.tenant_id, list(DECIDED), since),
        )
        return [_outcome(row["type"], row["data"]) for row in rows]

    async def ends(self, until: datetime) -> Mapping[int, tuple[datetime, EndReason] | None]:
        """When and why each session of the script was over by then."""
        store = self.stack.argus.sessions
        found: dict[int, tuple[datetime, EndReason] | None] = {}
        for step, made in self.made.items():
            session = (await store.get(self.api.tenant_id, made.name.split("/")[3], made.session_id)).as_of(until)
            is_over = session.end_time is not None and session.end_time <= until
            found[step] = (session.end_time, session.end_reason) if is_over else None  # type: ignore[assignment]
        return found

    async def _is_over(self, of: int) -> bool:
        request = sessions.GetSessionRequest(name=self.made[of].name)
        return bool((await self.api.sessions.GetSession(request)).session.HasField("end_time"))


def _outcome(kind: str, data: Mapping[str, str]) -> dict[str, Any]:
    decision: dict[str, Any] = json.loads(data["decision"])
    if kind == "session.limit_reached":
        decision |= {"outcome": "DENIED_BY_LIMIT", "limit": data["limit"], "most": data["most"]}
    return decision


def script(draw: random.Random, kind: ScopeKind) -> list[Callable[[Run], Any]]:
    """What happens in each of the tenants, the same in all."""
    others: list[ScopeKind] = [one for one in SCOPE_KINDS if one != kind]
    steps: list[Callable[[Run], Any]] = []
    begun: list[int] = []
    ways = ("sign_in",) * 6 + ("refresh",) * 9 + ("verify", "verify", "end", "step_up", "join", "set", "end_all")
    for step in range(STEPS):
        # Mostly of the latest: they live longest.
        of = draw.choice([*begun, *begun[-4:] * 3]) if begun else -1
        match draw.choice(ways) if begun else "sign_in":
            case "sign_in":
                person, agent, acr = draw.randrange(2), draw.choice((PHONE, DESKTOP, "")), draw.choice((1, 2, 2))
                is_other = draw.random() < 0.5
                steps.append(partial(Run.sign_in, step=step, person=person, agent=agent, acr=acr, is_other=is_other))
                begun.append(step)
            case "refresh":
                steps.append(partial(Run.refresh, step=step, of=of))
            case "verify":
                steps.append(partial(Run.verify, of=of))
            case "step_up":
                steps.append(partial(Run.step_up, of=of))
            case "end":
                steps.append(partial(Run.end, of=of))
            case "end_all":
                steps.append(partial(Run.end_all, person=draw.randrange(2)))
            case "join":
                steps.append(partial(Run.join, person=draw.randrange(2), group=draw.choice(GROUPS)))
            case _:
                steps.append(partial(Run.set, kind=draw.choice(others), document=random_document(draw)))
    return steps
