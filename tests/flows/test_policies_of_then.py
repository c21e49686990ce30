"""Looking back at a session while policies of every scope change: what is said of an instant is what was told at it."""

from __future__ import annotations

import json
import random
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from argus.base.clock import now
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.policies.resolve import SCOPE_KINDS
from argus.policies.revisions_model import NoEarlierPolicyError
from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.following import follow
from tests.support.people import Person, new_person, reason_of, refresh, verify

if TYPE_CHECKING:
    from datetime import datetime

    from argus.server.api import Api
    from tests.support.stack import Stack

ALLOWED: Final = sessions.SESSION_DECISION_ALLOWED
TOLD: Final = {
    "": ALLOWED,
    "STEP_UP_REQUIRED": sessions.SESSION_DECISION_STEP_UP_REQUIRED,
    "SESSION_ENDED": sessions.SESSION_DECISION_SESSION_ENDED,
}
FIELDS: Final[dict[str, list[int]]] = {
    "idle_seconds": [300, 900, 1800],
    "absolute_seconds": [1500, 3000, 7200],
    "required_acr": [1, 2],
}
# Whatever a scope says, tokens outlive the test.
ALWAYS: Final = {"access_seconds": 3600}


class Office:
    """A tenant whose policies are changed at every scope."""

    def __init__(self, stack: Stack, api: Api, person: Person) -> None:
        self.stack = stack
        self.api = api
        self.scopes = [
            Scope(kind="tenant", id=api.tenant_id),
            Scope(kind="client", id="backend"),
            Scope(kind="group", id="staff"),
            Scope(kind="user", id=person.user_id),
        ]

    @property
    def now(self) -> datetime:
        return now(self.stack.private.clock)

    async def set(self, scope: Scope, document: dict[str, Any]) -> None:
        policies = self.stack.argus.policies
        await policies.set_document(self.api.tenant_id, scope, ALWAYS | document, origin=self._origin())
        await self.stack.argus.snapshot.refresh()

    async def roll_back(self, scope: Scope) -> None:
        try:
            await self.stack.argus.policies.scopes.roll_back(self.api.tenant_id, scope, origin=self._origin())
        except NoEarlierPolicyError:
            return
        await self.stack.argus.snapshot.refresh()

    async def at(self, name: str, time: datetime) -> sessions.GetSessionAtResponse:
        await self.stack.argus.effects.flush()
        instant = Timestamp()
        instant.FromDatetime(time)
        return await self.api.sessions.GetSessionAt(sessions.GetSessionAtRequest(name=name, time=instant))

    def _origin(self) -> Origin:
        return Origin(tenant_id=self.api.tenant_id, actor="system:test", request_id=new_id())


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    person = await new_person(api)
    await api.users.CreateGroup(users.CreateGroupRequest(parent=api.parent, group_id="staff"))
    await api.users.AddGroupMember(users.AddGroupMemberRequest(group=f"{api.parent}/groups/staff", user=person.name))
    return person


@pytest.fixture
async def office(stack: Stack, api: Api, person: Person) -> Office:
    office = Office(stack, api, person)
    await office.set(office.scopes[0], {})
    return office


@pytest.mark.parametrize("seed", range(6))
async def test_what_is_said_of_an_instant_is_what_was_told_at_it(office: Office, person: Person, seed: int) -> None:
    """Any order of changes and roll-backs at every scope, with uses and refreshes between."""
    chance = random.Random(seed)  # noqa: S311 - chooses what a test does
    for scope in office.scopes:
        await office.set(scope, {"idle_seconds": chance.choice(FIELDS["idle_seconds"])})
    done = await person.sign_in()
    held = [done.tokens]

    async def change() -> None:
        held.append((await refresh(office.api, held[-1].refresh_token)).tokens)

    answers: list[tuple[datetime, str, str, dict[str, Any]]] = []
    tenant_id, session_id = office.api.tenant_id, done.session.name.rpartition("/")[2]
    for _ in range(8):
        scope = chance.choice([*office.scopes, office.scopes[0], office.scopes[1]])
        if chance.random() < 0.7:
            document = {key: chance.choice(values) for key, values in FIELDS.items() if chance.random() < 0.4}
            await office.set(scope, document)
        else:
            await office.roll_back(scope)
        await follow(office.stack)
        await office.stack.advance(timedelta(seconds=chance.choice([5, 200, 350, 950])))
        present = await office.stack.argus.policies.for_clients(office.api.tenant_id, ["backend"])
        held_to = await office.stack.argus.sessions.get(tenant_id, person.user_id, session_id)
        in_force = {
            "own": held_to.policy_revision,
            "revision": present["backend"].revision,
            "idle": int(present["backend"].policy.idle.total_seconds()),
        }
        time = office.now
        failure = await failure_of(verify(office.api, held[-1].access_token))
        used = "" if failure is None else failure.reason
        refused = await failure_of(change())
        answers.append((time, used, "" if refused is None else refused.reason, in_force))
        await office.stack.advance(timedelta(seconds=2))
    for time, used, again, in_force in answers:
        found = await office.at(done.session.name, time)
        # Only of good tokens something is said; this one may have grown old.
        assert used == "TOKEN_INVALID" or found.decision == TOLD[used], (time, answers, found)
        assert found.refresh_decision == TOLD[again], (time, answers, found)
        assert found.policy_revision == in_force["own"]
        assert found.client_policy_revision == in_force["revision"]
        assert json.loads(found.client_policy_document)["idle_seconds"] == in_force["idle"]
        assert {one.scope_kind for one in found.client_policies} <= {"tenant", "client"}


async def test_a_policy_that_is_only_kept_or_tried_was_never_in_force(office: Office, person: Person) -> None:
    """Nor is one that was in force before the session another one now; who set what, and why, is told."""
    tenant = office.scopes[0]
    done = await person.sign_in()
    scopes, tenant_id = office.stack.argus.policies.scopes, office.api.tenant_id
    origin = office._origin()
    for mode in ("inactive", "report_only"):
        await scopes.set(tenant_id, tenant, {"required_acr": 2}, mode=mode, origin=office._origin())
    await office.stack.advance(timedelta(seconds=2))
    before = office.now
    await office.stack.advance(timedelta(seconds=2))
    _, made = await scopes.set(tenant_id, tenant, {"required_acr": 2}, reason="audit", origin=origin)
    await office.stack.advance(timedelta(seconds=2))
    during = office.now
    await office.stack.advance(timedelta(seconds=2))
    await office.roll_back(tenant)
    for time, decision, revision in (
        (before, ALLOWED, 1),
        (during, sessions.SESSION_DECISION_STEP_UP_REQUIRED, made.number),
        (office.now, ALLOWED, 1),
    ):
        found = await office.at(done.session.name, time)
        assert (found.decision, found.refresh_decision) == (ALLOWED, decision)
        (said,) = found.client_policies
        assert (said.scope_kind, said.scope_id, said.revision) == ("tenant", tenant_id, revision)
        assert said.reason == ("audit" if revision == made.number else "")


@pytest.mark.parametrize("place", range(4), ids=SCOPE_KINDS)
async def test_a_life_that_is_shortened_to_the_past_ends_when_it_is(office: Office, person: Person, place: int) -> None:
    """Calls were answered good until then: so it is said before the session follows, once it does, and once swept."""
    done = await person.sign_in()
    await office.stack.advance(timedelta(minutes=40))
    done.tokens.CopyFrom((await refresh(office.api, done.tokens.refresh_token)).tokens)
    await verify(office.api, done.tokens.access_token)
    used = office.now
    await office.stack.advance(timedelta(seconds=5))
    changed = office.now
    await office.set(office.scopes[place], {"absolute_seconds": 600})
    shown = [await shown_end(office, done.session.name)]
    await follow(office.stack)
    shown.append(await shown_end(office, done.session.name))
    followed = office.now
    await office.stack.argus.effects.flush()
    await office.stack.argus.sweeper.sweep()
    shown.append(await shown_end(office, done.session.name))
    assert all(changed <= end <= followed for end in shown if end is not None), (changed, shown, followed)
    assert shown[1:] == [shown[2]] * 2
    assert shown[2] is not None
    await office.stack.advance(timedelta(seconds=5))
    before, after = await office.at(done.session.name, used), await office.at(done.session.name, office.now)
    assert (before.decision, before.HasField("end_time")) == (ALLOWED, False)
    assert (after.decision, after.end_reason) == (TOLD["SESSION_ENDED"], types.END_REASON_ABSOLUTE_TIMEOUT)
    assert (await reason_of(verify(office.api, done.tokens.access_token))) == "SESSION_ENDED"
    # What the deadline was shortened to is what it is for everybody; a later change moves no end.
    assert after.end_time.ToDatetime(tzinfo=UTC) == shown[2]
    await office.set(office.scopes[place], {"absolute_seconds": 300})
    await follow(office.stack)
    assert await shown_end(office, done.session.name) == shown[2]


async def test_a_shortened_life_that_is_over_later_ends_at_its_deadline(office: Office, person: Person) -> None:
    """And stays over since then, whatever is changed before anybody finds out."""
    done = await person.sign_in()
    await office.set(office.scopes[3], {"absolute_seconds": 600})
    await follow(office.stack)
    end = done.session.create_time.ToDatetime(tzinfo=UTC).replace(microsecond=0) + timedelta(seconds=600)
    await office.stack.advance(timedelta(seconds=900))
    await office.set(office.scopes[3], {"absolute_seconds": 300})
    await follow(office.stack)
    assert await shown_end(office, done.session.name) == end
    await office.stack.argus.sweeper.sweep()
    assert await shown_end(office, done.session.name) == end


async def shown_end(office: Office, name: str) -> datetime | None:
    """When a session ended, as it is shown; None: it has not."""
    session = (await office.api.sessions.GetSession(sessions.GetSessionRequest(name=name))).session
    return session.end_time.ToDatetime(tzinfo=UTC) if session.HasField("end_time") else None
