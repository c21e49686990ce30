"""Requests of one jar, or of copies of one, in any order and with answers in any order: nobody is signed out.

What a server that renders pages does with the cookies of a browser: it asks for many things at once, and takes
`Set-Cookie` as the answers come. Three laws, of `concepts/rotation.md`: one jar whose answers arrive is never refused
anything; where they are lost, or a jar was copied, the worst is a step-up, after which it goes on; and bound to a key
there is not even that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.support.browsers import Browser, Holder, Jar
from tests.support.people import PASSWORD, new_person

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

T = TypeVar("T")

DEADLINE = 10
"""Seconds: no answer is on its way for longer."""
PAUSES = st.sampled_from([1, 5, 9, 29, 31, 39, 41, 120, 290, 600, 3600])
PICKS = st.integers(0, 99)


class Machine(RuleBasedStateMachine):
    """What all of them do."""

    stack: Stack
    api: Api
    http: httpx.AsyncClient
    loop: asyncio.AbstractEventLoop

    @initialize()
    def sign_in(self) -> None:
        self.person = self.do(new_person(self.api))
        self.browser = Browser(self.stack, self.api.tenant_id, http=self.http)
        self.begin()

    def begin(self) -> None:
        """Signs in."""
        assert self.do(self.browser.sign_in(self.person.identifier)).status_code == 200

    def do(self, work: Awaitable[T]) -> T:
        """Has the loop run, which stands still otherwise."""
        return self.loop.run_until_complete(work)

    def stepped_up(self, browser: Browser) -> None:
        """Proves itself again, by which a jar goes on."""
        assert self.do(browser.ask("/step-up", {})).status_code == 200
        assert self.do(browser.ask("/factor", {"password": PASSWORD})).status_code == 200
        assert self.do(browser.refresh()).status_code == 200

    def lives(self) -> None:
        """Holds that there is the one session, and that it is not over."""
        assert self.do(self.person.count()) == 1


class OneJar(Machine):
    """A jar, and answers on their way to it. None is lost, and none is later than a request may take."""

    may_lose = False

    def __init__(self) -> None:
        super().__init__()
        self.on_their_way: list[httpx.Response] = []
        self.passed = 0
        self.has_lost = False

    @rule(requests=st.integers(1, 6))
    def ask(self, requests: int) -> None:
        """All with the cookies of now."""
        answers = self.do(_at_once(self.browser, requests))
        refused = [one.json()["reason"] for one in answers if one.status_code != 200]
        if refused:
            assert self.has_lost, "nothing was lost, and nothing is refused"
            assert set(refused) == {"STEP_UP_REQUIRED"}
            assert not any(one.headers.get_list("set-cookie") for one in answers if one.status_code != 200)
            self.on_their_way.clear()
            self.stepped_up(self.browser)
            self.has_lost = False
        else:
            self.on_their_way += answers

    @precondition(lambda self: self.on_their_way)
    @rule(pick=PICKS)
    def arrive(self, pick: int) -> None:
        self.browser.jar.take(self.on_their_way.pop(pick % len(self.on_their_way)))

    @precondition(lambda self: self.may_lose and self.on_their_way)
    @rule(pick=PICKS)
    def lose(self, pick: int) -> None:
        self.on_their_way.pop(pick % len(self.on_their_way))
        self.has_lost = True

    @rule(seconds=PAUSES, order=st.randoms(use_true_random=False))
    def wait(self, seconds: int, order: object) -> None:
        """Whatever would be too late arrives before."""
        if self.passed + seconds >= DEADLINE:
            order.shuffle(self.on_their_way)  # type: ignore[attr-defined]
            for one in self.on_their_way:
                self.browser.jar.take(one)
            self.on_their_way.clear()
            self.passed = 0
        else:
            self.passed += seconds
        self.do(self.stack.advance(timedelta(seconds=seconds)))

    def teardown(self) -> None:
        """It goes on."""
        if hasattr(self, "browser"):
            self.wait(DEADLINE, _Unshuffled())
            self.ask(1)
            self.lives()


class LosingJar(OneJar):
    """The same, and any answer may be lost on its way."""

    may_lose = True


class CopiedJars(Machine):
    """Three renderers, each with a copy of the jar that goes its own way."""

    def begin(self) -> None:
        super().begin()
        self.jars = [self.browser, self.browser.copied(), self.browser.copied()]

    @rule(pick=PICKS, requests=st.integers(1, 3))
    def ask(self, pick: int, requests: int) -> None:
        one = self.jars[pick % len(self.jars)]
        answers = self.do(_at_once(one, requests))
        refused = {answer.json()["reason"] for answer in answers if answer.status_code != 200}
        assert refused <= {"STEP_UP_REQUIRED"}
        for answer in answers:
            one.jar.take(answer)
        if refused:
            self.stepped_up(one)

    @rule(seconds=PAUSES)
    def wait(self, seconds: int) -> None:
        self.do(self.stack.advance(timedelta(seconds=seconds)))

    def teardown(self) -> None:
        if hasattr(self, "jars"):
            for number in range(len(self.jars)):
                self.ask(number, 1)
            self.lives()


class BoundJars(Machine):
    """The same with a key that all of them hold: not even a step-up, however old a copy is."""

    def begin(self) -> None:
        self.holder = Holder(self.stack, self.browser)
        assert self.do(self.holder.sign_in(self.person.identifier)).status_code == 200
        self.holders = [self.holder, self.holder.copied(), self.holder.copied()]

    @rule(pick=PICKS, keeps=st.booleans())
    def ask(self, pick: int, *, keeps: bool) -> None:
        one = self.holders[pick % len(self.holders)]
        before = Jar(one.browser.jar)
        answer = self.do(one.ask("/refresh", {}))
        assert answer.status_code == 200, answer.text
        if not keeps:
            one.browser.jar = before

    @rule(seconds=PAUSES)
    def wait(self, seconds: int) -> None:
        self.do(self.stack.advance(timedelta(seconds=seconds)))

    def teardown(self) -> None:
        if hasattr(self, "holders"):
            for number in range(len(self.holders)):
                self.ask(number, keeps=True)
            self.lives()


class _Unshuffled:
    """Leaves an order as it is."""

    def shuffle(self, _: list[httpx.Response]) -> None:
        """Does nothing."""


async def _at_once(browser: Browser, requests: int) -> list[httpx.Response]:
    return list(await asyncio.gather(*(browser.send("/refresh", {}) for _ in range(requests))))


@pytest.fixture
async def loop(stack: Stack) -> asyncio.AbstractEventLoop:
    """The loop that the server runs in; it stands still between the machine's steps."""
    return asyncio.get_running_loop()


def play(machine: type[Machine], stack: Stack, loop: asyncio.AbstractEventLoop) -> None:
    """Plays with a machine in a tenant of its own."""
    api = loop.run_until_complete(stack.new_tenant())
    http = httpx.AsyncClient(timeout=30)
    here = type(f"{machine.__name__}Here", (machine,), {"stack": stack, "api": api, "http": http, "loop": loop})
    try:
        run_state_machine_as_test(
            here,
            settings=settings(
                max_examples=12,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
    finally:
        loop.run_until_complete(http.aclose())


def test_one_jar_whose_answers_arrive_is_never_refused(stack: Stack, loop: asyncio.AbstractEventLoop) -> None:
    play(OneJar, stack, loop)


def test_one_jar_whose_answers_are_lost_steps_up_at_worst(stack: Stack, loop: asyncio.AbstractEventLoop) -> None:
    play(LosingJar, stack, loop)


def test_copied_jars_step_up_at_worst(stack: Stack, loop: asyncio.AbstractEventLoop) -> None:
    play(CopiedJars, stack, loop)


def test_copied_jars_with_the_key_never_step_up(stack: Stack, loop: asyncio.AbstractEventLoop) -> None:
    play(BoundJars, stack, loop)
