"""Whatever is enrolled, removed, lost, used, reset or required, in any order: levels are what was proved.

The machine works on the real server; beside it stands the plainest model (`tests/support/factor_model.py`). Each law
has a name, which a failure begins with. The rules are in two halves: what changes (`FactorChanges`), and what is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from pydantic import SecretStr

from argus.server.api import Failure
from argus.server.private_stack import stack_over
from argus.v1 import authentication_service_pb2 as authentication
from tests.property.factor_changes import FactorChanges
from tests.support.factor_model import Model, Pending, Way, documented_ways, level
from tests.support.factor_scene import ACR, kinds
from tests.support.people import verify
from tests.support.stack import Stack

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from argus.storage.embedded import StoreUrls
    from tests.support.mails import MailServer

REFUSED = {"FACTOR_REFUSED", "FIELD_INVALID"}
ENDED = {"SESSION_ENDED", "TOKEN_INVALID"}
# What a login that was left half done may be refused with, after whatever happened meanwhile.
LATE = {*REFUSED, *ENDED, "LOGIN_NOT_FOUND", "LEVEL_UNREACHABLE", "USER_DISABLED", "ENROLMENT_NOT_FOUND"}
MOST_STEPS = 6
ERRORS = st.sampled_from(["", "", "", "", "first", "second"])


class FactorLife(FactorChanges):
    """Any order of changes and uses of one user's factors."""

    @initialize(attests=st.booleans())
    def a_user(self, attests: bool) -> None:
        self.begin(Model(password="seven quiet otters under a bridge", attests=attests))

    # ---- uses

    @rule(wanted=st.integers(0, 3), errs=ERRORS, pick=st.integers(0, 5), leaves=st.booleans(), by_mail=st.booleans())
    def sign_in(self, wanted: int, errs: str, pick: int, leaves: bool, by_mail: bool) -> None:
        wanted = self._reachable(wanted)
        begun = self.do(self.scene.start(acr_values=(f"{ACR}{wanted}",) if wanted else ()))
        self.walk(begun, wanted, errs=errs, pick=pick, leaves=leaves, by_mail=by_mail)

    @precondition(lambda self: self.sessions)
    @rule(which=st.integers(0, 9), wanted=st.integers(0, 3), errs=ERRORS, pick=st.integers(0, 5), leaves=st.booleans())
    def step_up(self, which: int, wanted: int, errs: str, pick: int, leaves: bool) -> None:
        name, wanted = list(self.sessions)[which % len(self.sessions)], self._reachable(wanted)
        asked = {"acr_values": [f"{ACR}{wanted}"]} if wanted else {}
        begun = self.do(self.scene.start_step_up(self.sessions[name].refresh_token, **asked))
        self.walk(begun, wanted, errs=errs, pick=pick, leaves=leaves, session=name)

    @precondition(lambda self: self.pending)
    @rule(which=st.integers(0, 9), pick=st.integers(0, 5))
    def go_on(self, which: int, pick: int) -> None:
        """A login that was left half done, whatever has happened meanwhile."""
        late = self.pending.pop(which % len(self.pending))
        self.walk(late.step, late.wanted, pick=pick, session=late.session, late=late)

    @precondition(lambda self: self.model.has_second_factor and not self.model.is_disabled)
    @rule(number=st.integers(0, 1))
    def go_on_after_a_reset(self, number: int) -> None:
        """A thief of the password waits at the second factor while its owner sets another one."""
        before = len(self.pending)
        self.sign_in(wanted=0, errs="", pick=0, leaves=True, by_mail=False)
        if len(self.pending) > before:
            self.reset_password(number)
            self.go_on(which=before, pick=0)

    @precondition(lambda self: self.sessions)
    @rule(which=st.integers(0, 9))
    def refresh(self, which: int) -> None:
        name = list(self.sessions)[which % len(self.sessions)]
        held = self.sessions[name]
        failure = self.refused(self.refreshed(name))
        if held.acr < self.model.required:
            assert isinstance(failure, Failure), "REQUIRED LEVEL: a session below it was refreshed"
            assert (failure.reason, failure.metadata["acrValues"]) == (
                "STEP_UP_REQUIRED",
                f"{ACR}{self.model.required}",
            )
            return
        assert failure is None, f"NOBODY IS SIGNED OUT: {failure}"

    @precondition(lambda self: self.dead)
    @rule(which=st.integers(0, 9))
    def use_what_is_over(self, which: int) -> None:
        token = self.dead[which % len(self.dead)]
        for call in (self.scene.start_step_up(token), self.refresh_call(token)):
            failure = self.refused(call)
            assert failure is not None, "ENDED IS ENDED: a session that is over was used"
            assert failure.reason in ENDED

    @rule()
    def come_back(self) -> None:
        """NOBODY IS LOCKED OUT: the way that the guide names leads in, from wherever the user is."""
        way = self.model.way()
        for _ in range(MOST_STEPS):
            way = self.model.way()
            self.take(way)
            if way in {"sign in", "recovery code", "enrol at sign-in"}:
                break
        before = set(self.sessions)
        self.walk(self.do(self.scene.start()), 0, insists=True)
        assert set(self.sessions) - before, f"NOBODY IS LOCKED OUT: {way} did not lead in"

    @invariant()
    def a_way_is_open(self) -> None:
        if hasattr(self, "model"):
            assert self.model.way() in documented_ways(), "NOBODY IS LOCKED OUT: no documented way is open"

    def teardown(self) -> None:
        if hasattr(self, "model"):
            self.come_back()

    # ---- what holds

    def walk(
        self,
        step: Any,
        wanted: int,
        *,
        errs: str = "",
        pick: int = 0,
        leaves: bool = False,
        by_mail: bool = False,
        session: str = "",
        late: Pending | None = None,
        insists: bool = False,
    ) -> None:
        """One login to its end, held against the laws at every step."""
        proofs = list(late.proofs) if late else []
        for number in range(MOST_STEPS):
            self._offer_is_right(step.login, proofs, wanted, is_late=late is not None)
            able = self.answers(step, wanted, by_mail=by_mail and not number)
            # The same key once more is taken, and leads nowhere.
            answers = [one for one in able if one[0] not in proofs]
            if errs == ("second" if proofs else "first"):
                self.answer_wrongly(step)
                return
            if not answers or (leaves and proofs):
                self.leave(step, proofs, wanted, session, late)
                assert not insists, f"NOBODY IS LOCKED OUT: stuck at {kinds(step.login)}"
                return
            proof, factor = answers[pick % len(answers)]
            outcome = self.hand_in(step.login_token, factor)
            if isinstance(outcome, Failure):
                self._may_refuse(outcome, wanted, is_late=late is not None)
                return
            assert not self.model.is_disabled, "DISABLED IS OUT: a factor of a disabled user was taken"
            proofs.append(proof)
            self.used(proof, factor)
            step = outcome
            if step.login.state == authentication.LOGIN_STATE_COMPLETE:
                self._completed(step, proofs, wanted, session, late)
                return
        raise AssertionError(f"EVERY LOGIN ENDS: {proofs}, and then {kinds(step.login)}")

    def _offer_is_right(self, login: Any, proofs: list[str], wanted: int, *, is_late: bool) -> None:
        offered = set(kinds(login))
        if not proofs:
            assert offered == {"PASSWORD", "WEBAUTHN", "EMAIL_CODE"}, "FIRST STEPS ARE ALIKE"
            return
        if is_late:
            return
        enrolled = self.model.enrolled
        if login.state == authentication.LOGIN_STATE_ENROLMENT_REQUIRED:
            assert level([*proofs, *enrolled])[0] == level(proofs)[0], "ENROLMENT COMES AFTER ALL THAT IS THERE"
            assert level(proofs)[0] < max(wanted, self.model.required)
            return
        there = {"password": "PASSWORD", "app": "TOTP", "code": "RECOVERY_CODE"}
        has = {there.get(one, "WEBAUTHN") for one in enrolled} | {"EMAIL_CODE"}
        assert offered, "NOBODY IS LOCKED OUT: nothing is offered"
        assert offered <= has, "OFFERED IS WHAT IS ENROLLED"

    def _may_refuse(self, failure: Failure, wanted: int, *, is_late: bool) -> None:
        """A right answer is refused for a reason alone."""
        if failure.reason == "LEVEL_UNREACHABLE":
            assert max(wanted, self.model.required) > (3 if self.model.attests else 2)
        elif is_late:
            assert failure.reason in LATE
        else:
            assert self.model.is_disabled, f"A RIGHT ANSWER IS TAKEN: {failure}"
            assert failure.reason in REFUSED

    def _completed(self, step: Any, proofs: list[str], wanted: int, session: str, late: Pending | None) -> None:
        """The session, its tokens and those of others say what was proved, not more and not less."""
        model, (reached, methods) = self.model, level(proofs)
        assert reached >= max(wanted, model.required), "REQUIRED LEVEL: a session began below it"
        if model.has_second_factor:
            assert any(one not in {"password", "mail"} for one in proofs), "A SECOND FACTOR IS ALWAYS ASKED FOR"
        if late is not None:
            assert "password" not in proofs or late.password == model.password, "REPLACED IS REPLACED"
            assert "app" not in late.proofs or model.app is not None, "REMOVED IS REMOVED"
            assert not session or session in self.sessions, "ENDED IS ENDED: its session was over"
        assert not session or step.session.name == session
        verified = self.do(verify(self.scene.api, step.tokens.access_token))
        for said in (step.session, verified):
            assert (said.acr, list(said.amr)) == (f"{ACR}{reached}", methods), f"LEVELS ARE WHAT WAS PROVED: {proofs}"
        self.keep(step, reached)
        shown = {one.name: one.acr for one in self.do(self.scene.person.list())}
        self.sessions = {name: held for name, held in self.sessions.items() if name in shown}
        for name, held in self.sessions.items():
            assert shown[name] == f"{ACR}{held.acr}", "LEVELS ARE WHAT WAS PROVED: of another session"

    def _reachable(self, wanted: int) -> int:
        return min(wanted, 3 if self.model.attests else 2)


@pytest.fixture(scope="module")
async def offering(stack: Stack, stores: StoreUrls, mails: MailServer) -> AsyncIterator[Stack]:
    """A further server over the same stores, which offers codes by mail."""
    settings = stack.private.settings
    async with stack_over(
        stores,
        clock=stack.private.clock,
        key_encryption_key=settings.key_encryption_key,
        mail_url=SecretStr(f"smtp+plain://127.0.0.1:{mails.port}"),
        mail_from="accounts@argus.example",
        email_codes=True,
    ) as private:
        yield Stack(private)


@pytest.fixture(scope="module")
async def loop(offering: Stack) -> asyncio.AbstractEventLoop:
    """The loop that the server runs in; it stands still between the machine's steps."""
    import asyncio

    del offering
    return asyncio.get_running_loop()


def test_the_guide_names_the_ways_back() -> None:
    """Each way that the model knows, and no other."""
    assert documented_ways() == set(get_args(Way))


@pytest.mark.timeout(300)
def test_levels_are_what_was_proved_and_nobody_is_locked_out(
    offering: Stack, mails: MailServer, loop: asyncio.AbstractEventLoop
) -> None:
    machine = type("FactorLifeHere", (FactorLife,), {"stack": offering, "mails": mails, "loop": loop})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            # A smaller case would take longer to find than the law that broke takes to understand.
            phases=(Phase.generate,),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
        ),
    )
