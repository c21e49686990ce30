"""Whatever plans a tenant has had in between: nothing of its users is lost, and what is not sold is not shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.plans.model import ADD_ONS, PLANS, AddOn, Plan, Subscription
from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from tests.support.people import Person, new_person

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

T = TypeVar("T")

NAMES = st.sampled_from(["Kitchen", "Office", "Grandmother's", ""])


class PlansInTurn(RuleBasedStateMachine):
    """Any order of plans, sign-ins, names and categories; the model is a dictionary of what was said."""

    stack: Stack
    api: Api
    loop: asyncio.AbstractEventLoop
    person: Person

    @initialize()
    def begin(self) -> None:
        self.bought = Subscription()
        self.said: dict[str, tuple[str, str]] = {}
        self.events: dict[str, int] = {}
        self.person = self._do(new_person(self.api))
        self._give(self.bought)

    @rule(plan=st.sampled_from(PLANS), add_ons=st.frozensets(st.sampled_from(ADD_ONS)))
    def change_plan(self, plan: Plan, add_ons: frozenset[AddOn]) -> None:
        self._give(Subscription(plan=plan, add_ons=add_ons if plan == "professional" else frozenset()))

    @rule()
    def sign_in(self) -> None:
        name = self._do(self.person.sign_in()).session.name
        self.said[name] = ("Firefox on Linux", "")
        self.events[name] = 1

    @rule(pick=st.integers(0, 99), display_name=NAMES, category=NAMES)
    def describe(self, pick: int, display_name: str, category: str) -> None:
        if not self.said:
            return
        name = sorted(self.said)[pick % len(self.said)]
        request = sessions.UpdateSessionRequest(update_mask=FieldMask(paths=["device.display_name", "device.category"]))
        request.session.name = name
        request.session.device.display_name, request.session.device.category = display_name, category
        failure = self._do(failure_of(self.api.sessions.UpdateSession(request)))
        if not self._is_sold:
            assert failure is not None
            assert failure.reason == "FEATURE_NOT_IN_PLAN"
            return
        assert failure is None, failure
        self.said[name] = (display_name, category)
        self.events[name] += 1

    @invariant()
    def lists_show_what_was_said_where_it_is_sold(self) -> None:
        if not hasattr(self, "said"):
            return
        living = {one.name: one.device for one in self._do(self.person.list())}
        assert living.keys() <= self.said.keys()
        for name, device in living.items():
            wanted = self.said[name] if self._is_sold else ("Firefox on Linux", "")
            assert (device.display_name, device.category) == wanted

    def teardown(self) -> None:
        """In the end all is there, of the times without it, too."""
        if not hasattr(self, "said"):
            return
        self._give(Subscription())
        for session in self._do(self.person.list(with_ended=True)):
            assert (session.device.display_name, session.device.category) == self.said[session.name]
            request = sessions.ListSessionEventsRequest(parent=session.name, page_size=100)
            types = [one.type for one in self._do(self.api.sessions.ListSessionEvents(request)).events]
            told = [one for one in types if one in {"session.created", "session.updated"}]
            assert len(told) == self.events[session.name], types

    @property
    def _is_sold(self) -> bool:
        return self.bought.plan == "enterprise" or "multi_device_management" in self.bought.add_ons

    def _give(self, bought: Subscription) -> None:
        origin = Origin(tenant_id=self.api.tenant_id, actor="system:test", request_id=new_id())
        self._do(self.stack.argus.plans.set(self.api.tenant_id, bought, origin=origin))
        self._do(self.stack.argus.snapshot.refresh())
        self.bought = bought

    def _do(self, call: Awaitable[T]) -> T:
        async def run() -> T:
            return await call

        return self.loop.run_until_complete(run())


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture(scope="module")
async def loop(stack: Stack) -> asyncio.AbstractEventLoop:
    """The loop that the server runs in; it stands still between the machine's steps."""
    return asyncio.get_running_loop()


@pytest.mark.timeout(600)
def test_no_change_of_plans_loses_anything(stack: Stack, api: Api, loop: asyncio.AbstractEventLoop) -> None:
    machine = type("PlansHere", (PlansInTurn,), {"stack": stack, "api": api, "loop": loop})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
