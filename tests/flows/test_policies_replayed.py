"""Random policies over recorded histories: what a simulation says is what another live run of the same script did."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.protobuf.json_format import MessageToDict

from argus.flows.policy_simulation import DECIDED
from argus.policies.model import Scope
from argus.policies.resolve import SCOPE_KINDS
from argus.policies.simulation_model import compare
from argus.server.api import failure_of
from argus.v1 import client_service_pb2 as clients
from argus.v1 import policy_service_pb2 as pb
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.flows.test_policy_decisions import DESKTOP, PHONE
from tests.support.moments import move_to, now
from tests.support.people import Person, new_person, reason_of, refresh
from tests.support.policies import set_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from argus.policies.model import ScopeKind
    from argus.server.api import Api
    from tests.support.stack import Stack

STEPS: Final = 24
GROUPS: Final = ("staff", "guests")
FIELDS: Final[dict[str, tuple[Any, ...]]] = {
    "idle_seconds": (1800, 3600, 36000),
    "absolute_seconds": (7200, 43200, 86400),
    "access_seconds": (60, 300),
    "session_limit": (40, 60, 0),
    "on_limit": ("deny", "end_oldest"),
    "required_acr": (1, 2),
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
class Run:
    """A tenant in which the script is played."""

    stack: Stack
    api: Api
    people: list[Person]
    made: list[sessions.CreateSessionResponse] = field(default_factory=list)

    @classmethod
    async def begin(cls, stack: Stack) -> Run:
        """A new tenant with people, groups, and a second client."""
        api = await stack.new_tenant()
        people = [await new_person(api) for _ in range(3)]
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

    async def set(self, kind: ScopeKind, document: dict[str, Any]) -> None:
        """Sets a scope's document."""
        await set_document(self.stack, self.api.tenant_id, document, scope=self.scope(kind))

    async def sign_in(self, *, person: int, agent: str, acr: int, is_other: bool) -> None:
        """At the word of a backend; a refusal is part of the history."""
        request = sessions.CreateSessionRequest(
            parent=self.people[person].name,
            client_context=types.ClientContext(user_agent=agent),
            acr=f"urn:argus:acr:{acr}",
            amr=["pwd", "otp"] if acr > 1 else ["pwd"],
            client_id="other" if is_other else "",
        )

        async def create() -> None:
            self.made.append(await self.api.sessions.CreateSession(request))

        failure = await failure_of(create())
        assert failure is None or failure.reason == "STEP_UP_REQUIRED", failure

    async def refresh(self, place: int) -> None:
        """Of some session; whether that is good is not asked."""
        if self.made:
            one = self.made[place % len(self.made)]
            await reason_of(refresh(self.api, one.tokens.refresh_token))

    async def end(self, place: int) -> None:
        """Of some session."""
        if self.made:
            one = self.made.pop(place % len(self.made))
            await self.api.sessions.TerminateSession(sessions.TerminateSessionRequest(name=one.session.name))

    async def join(self, person: int, group: str) -> None:
        """Makes somebody one of a group; who is already stays it."""
        joining = users.AddGroupMemberRequest(group=f"{self.api.parent}/groups/{group}", user=self.people[person].name)
        await reason_of(self.api.users.AddGroupMember(joining))

    async def decided(self) -> list[dict[str, Any]]:
        """What was decided of all sign-ins, in order."""
        rows = await self.stack.argus.db.fetch_all(
            """SELECT data FROM audit_events WHERE tenant_id = %s AND type = ANY(%s) ORDER BY time, transaction""",
            (self.api.tenant_id, list(DECIDED)),
        )
        return [json.loads(row["data"]["decision"]) for row in rows]


def script(draw: random.Random, kind: ScopeKind) -> list[Callable[[Run], Any]]:
    """What happens in each of the tenants, the same in all."""
    others: list[ScopeKind] = [one for one in SCOPE_KINDS if one != kind]
    steps: list[Callable[[Run], Any]] = []
    for _ in range(STEPS):
        match draw.choice(("sign_in", "sign_in", "sign_in", "refresh", "end", "join", "set")):
            case "sign_in":
                person, agent, acr = draw.randrange(3), draw.choice((PHONE, DESKTOP, "")), draw.choice((1, 2))
                is_other = draw.random() < 0.5
                steps.append(partial(Run.sign_in, person=person, agent=agent, acr=acr, is_other=is_other))
            case "refresh":
                steps.append(partial(Run.refresh, place=draw.randrange(100)))
            case "end":
                steps.append(partial(Run.end, place=draw.randrange(100)))
            case "join":
                steps.append(partial(Run.join, person=draw.randrange(3), group=draw.choice(GROUPS)))
            case _:
                steps.append(partial(Run.set, kind=draw.choice(others), document=random_document(draw)))
    return steps


@pytest.mark.parametrize("seed", range(6))
async def test_a_simulation_says_of_each_event_what_a_live_run_did(stack: Stack, seed: int) -> None:
    """Both tenants at the same times; other scopes, set anew on the way and once more after it, count as they were."""
    draw = random.Random(seed)  # noqa: S311 - it is to be the same again
    kind = SCOPE_KINDS[seed % len(SCOPE_KINDS)]
    recorded, live = await Run.begin(stack), await Run.begin(stack)
    await recorded.set(kind, random_document(draw))
    candidate = random_document(draw)
    await live.set(kind, candidate)
    begun: datetime = now(stack)
    for step in script(draw, kind):
        for run in (recorded, live):
            await step(run)
        if draw.random() < 0.3:
            await move_to(stack, now(stack) + timedelta(hours=draw.randint(1, 5)))
    await move_to(stack, now(stack) + timedelta(minutes=1))
    for one in SCOPE_KINDS:
        await recorded.set(one, {})
    found = await simulated(recorded, kind, candidate, begun)
    was, did = await recorded.decided(), await live.decided()
    assert len(was) == len(did) == found.examined_count > 0
    would = [compare(one, other)[0] for one, other in zip(was, did, strict=True)]
    assert {one.label: one.count for one in found.outcomes} == {label: would.count(label) for label in set(would)}
    differing = [other for label, other in zip(would, did, strict=True) if label != "SAME"]
    assert [MessageToDict(one.would) for one in found.findings] == differing


async def simulated(run: Run, kind: ScopeKind, candidate: dict[str, Any], begun: datetime) -> pb.PolicySimulation:
    """The candidate, tried on what the run has recorded."""
    scope = run.scope(kind)
    where = {"tenant": "", "client": "clients/other/", "group": "groups/staff/", "user": f"users/{scope.id}/"}
    policy = pb.Policy(name=f"{run.api.parent}/{where[kind]}policy")
    policy.document.update(candidate)
    request = pb.SimulatePolicyRequest(parent=run.api.parent, candidate=policy)
    request.begin_time.FromDatetime(begun)
    started = (await run.api.policies.SimulatePolicy(request)).simulation
    while True:
        await run.stack.argus.policy_simulations.run_due()
        reading = pb.GetPolicySimulationRequest(name=started.name)
        found = (await run.api.policies.GetPolicySimulation(reading)).simulation
        if found.HasField("finish_time"):
            return found
