"""Whatever happens to sessions: how one stood at an instant is what was answered at that instant.

The machine notes what GetSession says after every step; in the end GetSessionAt is asked for each of those instants.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from argus.base.clock import now
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import types_pb2 as types
from tests.support.people import Person, new_person, refresh, step_up, terminate, verify

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

T = TypeVar("T")

IDLE: Final = 1200
# Longer than the grace of a refresh token.
GRACE: Final = timedelta(seconds=45)
DECISIONS: Final = {
    types.SESSION_STATE_ACTIVE: sessions.SESSION_DECISION_ALLOWED,
    types.SESSION_STATE_CONTESTED: sessions.SESSION_DECISION_STEP_UP_REQUIRED,
    types.SESSION_STATE_ENDED: sessions.SESSION_DECISION_SESSION_ENDED,
}


@dataclass
class Lived:
    """A session, and what was said of it.

    Attributes:
        tokens: Its refresh tokens, oldest first; a step-up begins anew.
        answers: What GetSession answered, with the instant.
    """

    name: str
    before: datetime
    tokens: list[str]
    access: str
    answers: list[tuple[datetime, types.Session]] = field(default_factory=list)


class Lives(RuleBasedStateMachine):
    """Any order of sign-ins, uses, replays, step-ups, ends and passing time."""

    stack: Stack
    api: Api
    loop: asyncio.AbstractEventLoop
    person: Person

    @initialize()
    def begin(self) -> None:
        self.person = self._do(new_person(self.api))
        self.lives: list[Lived] = []

    @rule()
    def sign_in(self) -> None:
        before = self._now()
        done = self._do(self.person.sign_in())
        self.lives.append(
            Lived(
                name=done.session.name,
                before=before,
                tokens=[done.tokens.refresh_token],
                access=done.tokens.access_token,
            )
        )

    @precondition(lambda self: self.lives)
    @rule(pick=st.integers(0, 99))
    def use(self, pick: int) -> None:
        self._do(failure_of(verify(self.api, self._pick(pick).access)))

    @precondition(lambda self: self.lives)
    @rule(pick=st.integers(0, 99))
    def refresh(self, pick: int) -> None:
        one = self._pick(pick)
        self._do(self.stack.advance(GRACE))

        async def run() -> None:
            made = await refresh(self.api, one.tokens[-1])
            one.tokens.append(made.tokens.refresh_token)
            one.access = made.tokens.access_token

        self._do(failure_of(run()))

    @precondition(lambda self: self.lives)
    @rule(pick=st.integers(0, 99), age=st.integers(1, 3))
    def replay(self, pick: int, age: int) -> None:
        """Two generations old: the session is contested."""
        one = self._pick(pick)
        self._do(failure_of(refresh(self.api, one.tokens[max(0, len(one.tokens) - 1 - age)])))

    @precondition(lambda self: self.lives)
    @rule(pick=st.integers(0, 99))
    def step_up(self, pick: int) -> None:
        one = self._pick(pick)

        async def run() -> None:
            done = await step_up(self.api, one.tokens[-1])
            one.tokens.append(done.tokens.refresh_token)
            one.access = done.tokens.access_token

        self._do(failure_of(run()))

    @precondition(lambda self: self.lives)
    @rule(pick=st.integers(0, 99))
    def end(self, pick: int) -> None:
        self._do(terminate(self.api, self._pick(pick).name))

    @rule()
    def end_all_of_the_tenant(self) -> None:
        """Ends of a whole tenant count by the second."""
        self._do(self.stack.advance(timedelta(seconds=2)))
        request = tenants.TerminateTenantSessionsRequest(name=self.api.parent)
        self._do(self.api.tenants.TerminateTenantSessions(request))
        self.api._renew_at = None  # it ends the client's tokens, too
        self._do(self.stack.advance(timedelta(seconds=2)))

    @rule(by=st.sampled_from([5, 300, 900, 1300]))
    def let_time_pass(self, by: int) -> None:
        self._do(self.stack.advance(timedelta(seconds=by)))

    @rule()
    def sweep(self) -> None:
        self._do(self.stack.argus.sweeper.sweep())

    @invariant()
    def note(self) -> None:
        if not hasattr(self, "lives"):
            return
        self._do(self.stack.argus.effects.flush())
        # Until the rows are brought up to them, ends of a whole tenant move with the next one.
        self._do(self.stack.argus.outbox.run_due())
        for one in self.lives:
            time = self._now()
            answer = self._do(self.api.sessions.GetSession(sessions.GetSessionRequest(name=one.name)))
            one.answers.append((time, answer.session))

    def teardown(self) -> None:
        """Looks back at every instant that was noted."""
        for one in getattr(self, "lives", ()):
            failure = self._do(failure_of(self._at(one.name, one.before - timedelta(seconds=1))))
            assert failure is not None
            assert failure.reason == "SESSION_NOT_FOUND"
            for time, live in one.answers:
                found = self._do(self._at(one.name, time))
                assert found.state == live.state, (time, live, found)
                assert found.decision == DECISIONS[live.state]
                assert (found.end_reason, found.HasField("end_time")) == (live.end_reason, live.HasField("end_time"))
                if live.HasField("end_time"):
                    assert abs(found.end_time.ToDatetime() - live.end_time.ToDatetime()) < timedelta(seconds=1)
                assert (found.acr, list(found.amr), found.auth_time) == (live.acr, list(live.amr), live.auth_time)
                assert found.policy_revision > 0
                assert f'"idle_seconds": {IDLE}' in found.policy_document

    async def _at(self, name: str, time: datetime) -> sessions.GetSessionAtResponse:
        instant = Timestamp()
        instant.FromDatetime(time)
        return await self.api.sessions.GetSessionAt(sessions.GetSessionAtRequest(name=name, time=instant))

    def _pick(self, pick: int) -> Lived:
        return self.lives[pick % len(self.lives)]

    def _now(self) -> datetime:
        return now(self.stack.private.clock)

    def _do(self, call: Awaitable[T]) -> T:
        async def run() -> T:
            return await call

        return self.loop.run_until_complete(run())


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    made = await stack.new_tenant()
    origin = Origin(tenant_id=made.tenant_id, actor="system:test", request_id=new_id())
    scope = Scope(kind="tenant", id=made.tenant_id)
    await stack.argus.policies.set_document(made.tenant_id, scope, {"idle_seconds": IDLE}, origin=origin)
    await stack.argus.snapshot.refresh()
    return made


@pytest.fixture(scope="module")
async def loop(stack: Stack) -> asyncio.AbstractEventLoop:
    """The loop that the server runs in; it stands still between the machine's steps."""
    return asyncio.get_running_loop()


@pytest.mark.timeout(600)
def test_what_is_said_of_an_instant_is_what_was_answered_at_it(
    stack: Stack, api: Api, loop: asyncio.AbstractEventLoop
) -> None:
    machine = type("LivesHere", (Lives,), {"stack": stack, "api": api, "loop": loop})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=10,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
