"""Whatever users, thieves, administrators, clocks and stores do: a session is good exactly as long as it ought to be.

The machine works on the real server and the real stores; beside it the plainest model is kept, a list of sessions with
when they were used last and whether they are over.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.property.session_model import ABSOLUTE, IDLE, LIMIT, ROUNDING, ModelSession, ModelUser
from tests.property.session_scene import SessionScene
from tests.support.people import WRONG_PASSWORD, new_person, refresh, terminate, verify

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

T = TypeVar("T")

GRACE_AND_DEADLINE = timedelta(seconds=40)
FREE_FAILURES = 10


class SessionLife(SessionScene):
    """Any order of sign-ins, uses, ends, thefts, losses and passing time."""

    # ---- what the machine does

    @initialize()
    def two_users(self) -> None:
        self.users = [ModelUser(self._do(new_person(self.api))) for _ in range(2)]

    @rule(who=st.integers(0, 1), knows_device=st.booleans())
    def sign_in(self, who: int, knows_device: bool) -> None:
        user = self.users[who]
        self._settle(who)
        device_token = self._device(who) if knows_device else ""
        if user.is_disabled and max(user.failures, user.device_failures) >= FREE_FAILURES - 1:
            return  # waits are another test's business
        failure, done = self._outcome(user.person.sign_in(device_token=device_token))
        if user.is_disabled:
            assert failure is not None
            assert failure.reason == "FACTOR_REFUSED"
            if device_token:
                user.device_failures += 1  # of all devices together: more than any of them has
            else:
                user.failures += 1
            return
        assert failure is None, failure
        if not device_token:
            user.failures = 0
        living = [one for one in self.sessions if one.owner == who and not one.is_over]
        if len(living) >= LIMIT:
            min(living, key=lambda one: one.begun).is_over = True
        time = self._now()
        self.sessions.append(
            ModelSession(
                name=done.session.name,
                owner=who,
                begun=time,
                used=time,
                device_token=done.device_token or device_token,
                access=done.tokens.access_token,
                access_until=time + done.tokens.expires_in.ToTimedelta(),
                refresh_tokens=[done.tokens.refresh_token],
                newest_made=time,
            )
        )
        # Which of two is older counts by the second.
        self._do(self.stack.advance(timedelta(seconds=1)))

    @rule(who=st.integers(0, 1))
    def guess(self, who: int) -> None:
        user = self.users[who]
        if user.failures >= FREE_FAILURES - 1:
            return  # waits are another test's business
        failure, _ = self._outcome(user.person.sign_in(password=WRONG_PASSWORD))
        assert failure is not None
        assert failure.reason == "FACTOR_REFUSED"
        user.failures += 1

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99), passive=st.booleans(), strong=st.booleans())
    def verify(self, pick: int, passive: bool, strong: bool) -> None:
        session, time = self._pick(pick), self._now()
        failure, verified = self._outcome(verify(self.api, session.access, passive=passive, strong=strong))
        if time > session.access_until + timedelta(seconds=6):
            assert failure is not None
            assert failure.reason in {"TOKEN_INVALID", "SESSION_ENDED"}
        elif time < session.access_until - ROUNDING:
            self._check(session, time, failure)
        if failure is None:
            assert verified.session == session.name
            if not passive:
                session.used = time

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99))
    def introspect(self, pick: int) -> None:
        """Says the same as a refresh would, and is no use of the session."""
        session, time = self._pick(pick), self._now()
        request = tokens.IntrospectTokenRequest(token=session.refresh_tokens[-1])
        active = self._do(self.api.tokens.IntrospectToken(request)).active
        if session.surely_over(time) or session.is_contested:
            assert not active
        elif session.surely_alive(time):
            assert active

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99))
    def refresh(self, pick: int) -> None:
        session, time = self._pick(pick), self._now()
        failure, made = self._outcome(refresh(self.api, session.refresh_tokens[-1]))
        self._check(session, time, failure)
        if failure is None:
            assert made.session == session.name
            session.used = time
            self._take(session, made.tokens, time)

    @precondition(lambda self: any(len(one.refresh_tokens) > 1 for one in self.sessions))
    @rule(pick=st.integers(0, 99), back=st.integers(1, 5))
    def present_an_old_token(self, pick: int, back: int) -> None:
        """A lost answer, a late tab, or a thief."""
        session, time = self._pick(pick), self._now()
        if len(session.refresh_tokens) <= back:
            return
        failure, made = self._outcome(refresh(self.api, session.refresh_tokens[-1 - back]))
        if session.is_contested or not session.surely_alive(time):
            self._check(session, time, failure)
        elif back > 1:
            assert failure is not None
            assert failure.metadata["cause"] == "REPLAYED"
            session.is_contested = True
        elif time < session.newest_made + timedelta(seconds=28):
            assert failure is None
            assert made.tokens.refresh_token == session.refresh_tokens[-1]
            self._take(session, made.tokens, time)
        elif time > session.newest_made + timedelta(seconds=32):
            assert failure is not None
            assert failure.metadata["cause"] == "ANSWER_LATE"
        if failure is None:
            session.used = time

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99))
    def touch(self, pick: int) -> None:
        session, time = self._pick(pick), self._now()
        one = sessions.SessionTouch(name=session.name)
        one.active_time.FromDatetime(time)
        request = sessions.TouchSessionsRequest(parent=self.api.parent, touches=[one])
        answer = self._do(self.api.sessions.TouchSessions(request))
        assert not answer.unknown_sessions
        if session.surely_over(time):
            assert list(answer.ended_sessions) == [session.name]
        elif session.surely_alive(time):
            assert not answer.ended_sessions
        if not answer.ended_sessions and not session.is_contested:
            session.used = time

    @precondition(lambda self: self.sessions)
    @rule(pick=st.integers(0, 99))
    def terminate(self, pick: int) -> None:
        session = self._pick(pick)
        ended = self._do(terminate(self.api, session.name))
        assert ended.state == types.TERMINATION_STATE_ENDED
        assert ended.session.state == types.SESSION_STATE_ENDED
        session.is_over = True

    @rule(who=st.integers(0, 1), keeps_newest=st.booleans())
    def terminate_all(self, who: int, keeps_newest: bool) -> None:
        self._settle(who)
        living = [one for one in self.sessions if one.owner == who and not one.is_over]
        kept = living[-1] if living and keeps_newest else None
        request = sessions.TerminateSessionsRequest(
            parent=self.users[who].person.name, keep_session=kept.name if kept else ""
        )
        ended = self._do(self.api.sessions.TerminateSessions(request))
        assert ended.state == types.TERMINATION_STATE_ENDED
        for one in living:
            one.is_over = one is not kept
        self._do(self.stack.advance(timedelta(seconds=2)))

    @rule(who=st.integers(0, 1))
    def disable_or_enable(self, who: int) -> None:
        user = self.users[who]
        if user.is_disabled:
            self._do(self.api.users.EnableUser(users.EnableUserRequest(name=user.person.name)))
        else:
            self._do(self.api.users.DisableUser(users.DisableUserRequest(name=user.person.name)))
            for one in self.sessions:
                one.is_over = one.is_over or one.owner == who
        user.is_disabled = not user.is_disabled
        self._do(self.stack.advance(timedelta(seconds=2)))

    @rule(by=st.sampled_from([5, 35, 60, 240, 1200, 3000, 3700, 9000]))
    def let_time_pass(self, by: int) -> None:
        self._do(self.stack.advance(timedelta(seconds=by)))

    @rule()
    def sweep(self) -> None:
        self._do(self.stack.argus.effects.flush())
        self._do(self.stack.argus.sweeper.sweep())

    @rule()
    def redis_loses_everything(self) -> None:
        """Activity and bounds have reached PostgreSQL: then it is as if nothing had happened."""
        self._do(self.stack.argus.effects.flush())
        self._do(self.stack.argus.redis.client.flushall())
        for user in self.users:
            user.failures = 0

    # ---- what always holds

    @invariant()
    def lists_show_who_is_alive(self) -> None:
        if not self.users:
            return
        self._do(self.stack.argus.effects.flush())
        for who, user in enumerate(self.users):
            shown = {one.name for one in self._do(user.person.list())}
            time = self._now()
            own = [one for one in self.sessions if one.owner == who]
            assert {one.name for one in own if one.surely_alive(time)} <= shown
            assert not shown & {one.name for one in own if one.surely_over(time)}
            assert len(shown) <= LIMIT


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    made = await stack.new_tenant()
    document = {
        "idle_seconds": int(IDLE.total_seconds()),
        "absolute_seconds": int(ABSOLUTE.total_seconds()),
        "session_limit": LIMIT,
    }
    origin = Origin(tenant_id=made.tenant_id, actor="system:test", request_id=new_id())
    scope = Scope(kind="tenant", id=made.tenant_id)
    await stack.argus.policies.set_document(made.tenant_id, scope, document, origin=origin)
    await stack.argus.snapshot.refresh()
    return made


@pytest.fixture(scope="module")
async def loop(stack: Stack) -> asyncio.AbstractEventLoop:
    """The loop that the server runs in; it stands still between the machine's steps."""
    return asyncio.get_running_loop()


@pytest.mark.timeout(600)
def test_a_session_is_good_exactly_as_long_as_it_ought_to_be(
    stack: Stack, api: Api, loop: asyncio.AbstractEventLoop
) -> None:
    machine = type("SessionLifeHere", (SessionLife,), {"stack": stack, "api": api, "loop": loop})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
