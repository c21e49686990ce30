"""Guesses wait, factors count, and changes need a proof as the frameworks say."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.server.api import Failure, failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import credential_service_pb2 as credentials
from tests.presets.numbers import Number, concerns, numbers_of
from tests.presets.scene import GOOD, HARDWARE, SECOND, Office, new_office, office_of, set_policy, time_of
from tests.support.factor_scene import Scene
from tests.support.moments import check_within, in_time
from tests.support.oneself import Acting
from tests.support.passkeys import authenticator_of, enrol_passkey, hand_in, options_of, sign_in_by_passkey
from tests.support.people import Person, reason_of, refresh, submit

if TYPE_CHECKING:
    from tests.support.stack import Stack

COMPLETE: Final = authentication.LOGIN_STATE_COMPLETE
# From the weakest: what was used, and the kinds that it is of.
FACTORS: Final[dict[str, tuple[str, ...]]] = {
    "any": ("pwd", "sms", "mfa"),
    "replay_resistant": ("pwd", "otp", "mfa"),
    "phishing_resistant": ("swk", "user", "mfa"),
    "hardware": HARDWARE,
}
KINDS: Final = tuple(FACTORS)


async def throttled(person: Person, password: str, **how: Any) -> Failure:
    """How a try is turned away unseen."""
    failure = await person.try_password(password, **how)
    assert failure is not None
    assert failure.reason == "GUESSING_THROTTLED"
    return failure


async def fail(person: Person, *, times: int, **how: Any) -> None:
    """Guesses wrong, and each guess is looked at."""
    for _ in range(times):
        refused = await person.try_password(**how)
        assert refused is not None
        assert refused.reason == "FACTOR_REFUSED"


async def fail_often(office: Office, person: Person, *, times: int, pause: timedelta = timedelta(0)) -> None:
    """The same for many; the first and the last two are guesses indeed."""
    known = await office.failures()
    await fail(person, times=1)
    (key,) = await office.failures() - known
    await office.set_failures(key, times - 2)
    for _ in range(2):
        await office.stack.advance(pause)
        await fail(person, times=1)
    await office.stack.advance(pause)


@pytest.mark.parametrize("number", numbers_of("lockout_tries"))
async def test_lockout_tries(stack: Stack, number: Number) -> None:
    """So many failures are looked at; then not even the password is."""
    office = await office_of(stack, number, lockout_seconds=3600)
    person = await office.new_person()
    await (fail(person, times=number.value) if number.value <= 10 else fail_often(office, person, times=number.value))
    await throttled(person, GOOD)


@pytest.mark.parametrize("number", numbers_of("lockout_tries", most=10))
async def test_lockout_of_nobody(stack: Stack, number: Number) -> None:
    """Who is no user waits just so."""
    office = await office_of(stack, number, lockout_seconds=3600)
    nobody = Person(api=office.api, name="", identifier="nobody@example.com")
    await fail(nobody, times=number.value)
    await throttled(nobody, GOOD)


@pytest.mark.parametrize("number", numbers_of("lockout_seconds"))
async def test_lockout_seconds(stack: Stack, number: Number) -> None:
    """Each further try waits so long, and not a second less."""
    office, lockout = await office_of(stack, number, lockout_tries=1), timedelta(seconds=number.value)
    person = await office.new_person()
    for _ in range(2):
        begun = office.now
        await fail(person, times=1)
        wait = (await throttled(person, GOOD)).retry_after
        assert wait is not None
        assert lockout - SECOND <= wait <= lockout
        await office.move_to(begun + lockout - SECOND)
        await throttled(person, GOOD)
        await office.stack.advance(2 * SECOND)


@pytest.mark.parametrize("number", numbers_of("password_closed_after"))
async def test_password_closed_after(stack: Stack, number: Number) -> None:
    """After one failure less the password still counts; after so many it counts no more from an unknown device."""
    office = await office_of(stack, number)
    for failures, reason in ((number.value - 1, "LEVEL_UNREACHABLE"), (number.value, "FACTOR_REFUSED")):
        person = await office.new_person()
        await fail_often(office, person, times=failures, pause=timedelta(minutes=16))
        refused = await person.try_password(GOOD)
        assert (refused.reason if refused else "LEVEL_UNREACHABLE") == reason


@pytest.mark.parametrize("number", numbers_of("lockout_tries", most=10))
async def test_nobody_is_locked_out_by_a_stranger(stack: Stack, number: Number) -> None:
    """A known device has failures of its own, as many; and whoever proves who it is otherwise is let in at once."""
    office = await office_of(stack, number, lockout_seconds=3600)
    person = await office.new_person()
    device_token = (await office.vouch(person)).device_token
    await fail(person, times=number.value)
    await throttled(person, GOOD)
    await fail(person, times=number.value, device_token=device_token)
    await throttled(person, GOOD, device_token=device_token)
    renewed = "nine patient herons on 1 shore"
    await office.api.credentials.SetPassword(credentials.SetPasswordRequest(parent=person.name, password=renewed))
    let_in = await person.try_password(renewed)
    assert let_in is None or let_in.reason == "LEVEL_UNREACHABLE"


@concerns("lockout_tries")
async def test_a_user_has_no_lockout_of_its_own(stack: Stack) -> None:
    """Else a wait would tell that there is such a user."""
    office = await new_office(stack, {"lockout_tries": 4})
    person = await office.new_person()
    await set_policy(stack, office.api.tenant_id, {"lockout_tries": 2}, user_id=person.user_id)
    reasons = [failure.reason for _ in range(5) if (failure := await person.try_password())]
    assert reasons == ["FACTOR_REFUSED"] * 4 + ["GUESSING_THROTTLED"]


@pytest.mark.parametrize("number", numbers_of("required_acr"))
async def test_required_acr(stack: Stack, number: Number) -> None:
    """Sign-ins and backends: a level below begins no session, whatever was used, and the level itself does."""
    office = await office_of(stack, number)
    person = await office.new_person()
    for acr in (1, 2, 3):
        reason = await reason_of(office.vouch(person, acr=acr, amr=HARDWARE))
        assert reason == ("" if acr >= number.value else "STEP_UP_REQUIRED"), acr
    assert await _sign_in_state(office, person) != COMPLETE


@pytest.mark.parametrize("number", numbers_of("second_factor"))
async def test_second_factor(stack: Stack, number: Number) -> None:
    """Sign-ins and backends: what is weaker than asked for begins no session, and a factor of the kind does."""
    office = await office_of(stack, number, required_acr=2)
    least = KINDS.index(number.value)
    person = await office.new_person()
    for kind, amr in FACTORS.items():
        reason = await reason_of(office.vouch(person, acr=3, amr=amr))
        assert reason == ("" if KINDS.index(kind) >= least else "STEP_UP_REQUIRED"), kind
    scene = Scene(stack, office.api, person)
    app = await scene.app()
    await scene.next_step()
    first = await _past_password(office, person)
    by_app = await failure_or_state(scene.hand_in(first.login_token, totp=app.code(scene.now)))
    assert (by_app == COMPLETE) == (least <= KINDS.index("replay_resistant"))
    authenticator = await authenticator_of(office.api)
    await enrol_passkey(office.api, person.name, authenticator)
    by_passkey = await failure_or_state(sign_in_by_passkey(office.api, authenticator))
    assert (by_passkey == COMPLETE) == (least <= KINDS.index("phishing_resistant"))


@concerns("required_acr", "second_factor")
async def test_living_sessions_step_up_to_the_kind(stack: Stack) -> None:
    """At their next refresh, and whoever has a factor of the kind does so; a session that has one goes on."""
    office = await new_office(stack, {"required_acr": 2})
    person = await office.new_person()
    by_app = await office.vouch(person, acr=2, amr=FACTORS["replay_resistant"])
    by_passkey = await office.vouch(person, acr=2, amr=FACTORS["phishing_resistant"])
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


@concerns("step_up_age_seconds")
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
