"""Guesses wait, factors count, and changes need a proof as the frameworks say."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.server.api import Failure, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from tests.presets.numbers import Number, numbers_of
from tests.presets.scene import GOOD, HARDWARE, SECOND, Office, new_office, office_of, set_policy, time_of
from tests.support.factor_scene import Scene
from tests.support.moments import check_within, in_time
from tests.support.oneself import Acting
from tests.support.passkeys import authenticator_of, enrol_passkey, hand_in, options_of, sign_in_by_passkey
from tests.support.people import Person, reason_of, refresh, submit

if TYPE_CHECKING:
    from tests.support.stack import Stack

COMPLETE: Final = authentication.LOGIN_STATE_COMPLETE
# What each kind signs in, from the weakest.
FACTORS: Final = ("password", "app", "passkey", "hardware")
ASSERTED: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "password": (1, ("pwd",)),
    "app": (2, ("pwd", "otp", "mfa")),
    "passkey": (2, ("swk", "user", "mfa")),
    "hardware": (3, HARDWARE),
}


async def throttled(person: Person, password: str, **how: Any) -> Failure:
    """How a try is turned away unseen."""
    failure = await person.try_password(password, **how)
    assert failure is not None
    assert failure.reason == "GUESSING_THROTTLED"
    return failure


async def spend(office: Office, person: Person, number: Number, **how: Any) -> None:
    """Fails as often as is looked at; where waits grow, until they are long enough to be met."""
    tries, lockout = number.value
    waits = [0] * tries + ([] if lockout else [1, 2, 4])
    for wait in waits:
        await office.stack.advance(timedelta(seconds=wait))
        refused = await person.try_password(**how)
        assert refused is not None
        assert refused.reason == "FACTOR_REFUSED"


@pytest.mark.parametrize("number", numbers_of("lockout"))
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
async def test_lockout(stack: Stack, number: Number, is_known: bool) -> None:
    """So many failures are looked at; then not even the password is, until the time is over; for nobody just so."""
    tries, lockout = number.value
    office = await office_of(stack, number)
    person = await office.new_person()
    if not is_known:
        person = Person(api=office.api, name="", identifier="nobody@example.com")
    for _ in range(tries):
        refused = await person.try_password()
        assert refused is not None
        assert refused.reason == "FACTOR_REFUSED"
    begun = office.now
    wait = (await throttled(person, GOOD)).retry_after
    assert wait is not None
    assert timedelta(seconds=(lockout or 1) - 1) <= wait <= timedelta(seconds=lockout or 1)
    if lockout:
        await office.move_to(begun + timedelta(seconds=lockout) - 2 * SECOND)
        await throttled(person, GOOD)
    await office.move_to(begun + timedelta(seconds=lockout or 1))
    again = await person.try_password()
    assert again is not None
    assert again.reason == "FACTOR_REFUSED"
    after = (await throttled(person, GOOD)).retry_after
    assert after is not None
    assert after >= timedelta(seconds=lockout - 1 if lockout else 2)


@pytest.mark.parametrize("number", numbers_of("lockout"))
async def test_nobody_is_locked_out_by_a_stranger(stack: Stack, number: Number) -> None:
    """A known device has failures of its own, as many; and whoever proves who it is otherwise is let in at once."""
    office = await office_of(stack, number)
    person = await office.new_person()
    device_token = (await office.vouch(person)).device_token
    await spend(office, person, number)
    await throttled(person, GOOD)
    await spend(office, person, number, device_token=device_token)
    await throttled(person, GOOD, device_token=device_token)
    renewed = "nine patient herons on 1 shore"
    await office.api.credentials.SetPassword(credentials.SetPasswordRequest(parent=person.name, password=renewed))
    let_in = await person.try_password(renewed)
    assert let_in is None or let_in.reason == "LEVEL_UNREACHABLE"


async def test_a_user_has_no_lockout_of_its_own(stack: Stack) -> None:
    """Else a wait would tell that there is such a user."""
    office = await new_office(stack, {"lockout_tries": 4})
    person = await office.new_person()
    await set_policy(stack, office.api.tenant_id, {"lockout_tries": 2}, user_id=person.user_id)
    reasons = [failure.reason for _ in range(5) if (failure := await person.try_password())]
    assert reasons == ["FACTOR_REFUSED"] * 4 + ["GUESSING_THROTTLED"]


@pytest.mark.parametrize("number", numbers_of("second_factor"))
async def test_second_factor(stack: Stack, number: Number) -> None:
    """Sign-ins and backends: what is weaker than asked for begins no session, and a factor of the kind does."""
    office = await office_of(stack, number)
    least = FACTORS.index(number.value)
    person = await office.new_person()
    for factor in FACTORS:
        acr, amr = ASSERTED[factor]
        reason = await reason_of(office.vouch(person, acr=acr, amr=amr))
        assert reason == ("" if FACTORS.index(factor) >= least else "STEP_UP_REQUIRED"), factor
    by_password = await _sign_in_state(office, person)
    assert (by_password == COMPLETE) == (number.value == "password")
    scene = Scene(stack, office.api, person)
    app = await scene.app()
    await scene.next_step()
    first = await _past_password(office, person)
    by_app = await failure_or_state(scene.hand_in(first.login_token, totp=app.code(scene.now)))
    assert (by_app == COMPLETE) == (least <= FACTORS.index("app"))
    authenticator = await authenticator_of(office.api)
    await enrol_passkey(office.api, person.name, authenticator)
    by_passkey = await failure_or_state(sign_in_by_passkey(office.api, authenticator))
    assert (by_passkey == COMPLETE) == (least <= FACTORS.index("passkey"))


async def test_living_sessions_step_up_to_the_kind(stack: Stack) -> None:
    """At their next refresh, and whoever has a factor of the kind does so; a session that has one goes on."""
    office = await new_office(stack, {"required_acr": 2})
    person = await office.new_person()
    by_app = await office.vouch(person, acr=2, amr=ASSERTED["app"][1])
    by_passkey = await office.vouch(person, acr=2, amr=ASSERTED["passkey"][1])
    await set_policy(stack, office.api.tenant_id, {"required_acr": 2, "second_factor": "phishing_resistant"})
    failure = await failure_of(refresh(office.api, by_app.tokens.refresh_token))
    assert failure is not None
    assert (failure.reason, failure.metadata) == (
        "STEP_UP_REQUIRED",
        {"cause": "SECOND_FACTOR", "acrValues": "urn:argus:acr:2", "secondFactor": "phishing_resistant"},
    )
    await refresh(office.api, by_passkey.tokens.refresh_token)
    authenticator = await authenticator_of(office.api)
    await enrol_passkey(office.api, person.name, authenticator)
    begun = await Scene(stack, office.api, person).start_step_up(by_app.tokens.refresh_token)
    answer = authenticator.get(options_of(begun.login))
    done = await hand_in(office.api, begun.login_token, webauthn_json=answer)
    assert done.session.name == by_app.session.name
    await refresh(office.api, done.tokens.refresh_token)


@pytest.mark.parametrize("number", numbers_of("step_up_age_seconds"))
async def test_step_up_age(stack: Stack, number: Number) -> None:
    """Just before a change is let in, just after it is not; where every change needs a proof, the second is not."""

    async def attempt() -> None:
        office = await office_of(stack, number)
        person = await office.new_person()
        await office.begin_second()
        made = await office.vouch(person)
        limit = time_of(made.session.auth_time) + timedelta(seconds=number.value)
        own, cause = Acting(office.api, made), "AUTH_AGE" if number.value else "PROOF_USED"
        if number.value:
            await office.move_to(limit - 2 * SECOND)
            own.access_token = (await _newer(office, made)).access_token
        failure = await failure_of(own.do("ReplaceOwnRecoveryCodes"))
        if number.value:
            check_within(stack, limit)
        assert failure is None, failure
        if number.value:
            await office.move_to(limit + SECOND)
            own.access_token = (await _newer(office, made)).access_token
        refused = await own.refused("ReplaceOwnRecoveryCodes")
        assert (refused.reason, refused.metadata["cause"]) == ("STEP_UP_REQUIRED", cause)
        assert refused.metadata["maxAgeSeconds"] == str(number.value)

    await in_time(attempt)


async def test_asvs_7_5_3_a_proof_counts_once_and_a_failure_does_not_use_it(stack: Stack) -> None:
    office = await new_office(stack, {"step_up_age_seconds": 0})
    own = Acting(office.api, await office.vouch(await office.new_person()))
    failure = await own.refused("ChangeOwnPassword", password="short")
    assert failure.reason == "PASSWORD_REFUSED"
    await own.do("ChangeOwnPassword", password="nine patient herons on 1 shore")
    for rpc in ("ReplaceOwnRecoveryCodes", "StartOwnTotpEnrolment"):
        assert (await own.refused(rpc)).metadata["cause"] == "PROOF_USED"


async def _newer(office: Office, made: Any) -> Any:
    return (await refresh(office.api, made.tokens.refresh_token)).tokens


async def _past_password(office: Office, person: Person) -> authentication.SubmitFactorResponse:
    return await submit(office.api, await person.start(), GOOD)


async def _sign_in_state(office: Office, person: Person) -> Any:
    return await failure_or_state(_past_password(office, person))


async def failure_or_state(call: Any) -> Any:
    """The state that a login has come to; the reason, if it was refused."""
    answers = []

    async def run() -> None:
        answers.append(await call)

    failure = await failure_of(run())
    return failure.reason if failure else answers[0].login.state
