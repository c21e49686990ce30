"""New passwords are what the frameworks ask for, and old ones count no longer than they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from argus.server.api import Failure, failure_of
from argus.v1 import credential_service_pb2 as credentials
from tests.presets.numbers import Number, concerns, numbers_of
from tests.presets.scene import GOOD, Office, new_office, office_of, office_of_number_alone, set_policy
from tests.support.people import Person, reason_of

if TYPE_CHECKING:
    from tests.support.stack import Stack

ALPHABET = "k4w9xq7mzt2vhp3rjd6n"
OTHERS = [f"{number} patient herons on a cold shore" for number in range(1, 9)]


async def set_password(office: Office, person: Person, password: str) -> None:
    """Sets a user's password."""
    request = credentials.SetPasswordRequest(parent=person.name, password=password)
    await office.api.credentials.SetPassword(request)


async def refusal(office: Office, person: Person, password: str) -> Failure:
    """How a password is refused."""
    failure = await failure_of(set_password(office, person, password))
    assert failure is not None
    assert failure.reason == "PASSWORD_REFUSED"
    return failure


@pytest.mark.parametrize("number", numbers_of("password_min_alone"))
async def test_password_min_alone(stack: Stack, number: Number) -> None:
    """Whoever may sign in by a password alone."""
    await check_least(await office_of_number_alone(stack, number), number)


@pytest.mark.parametrize("number", numbers_of("password_min_with_second_factor"))
async def test_password_min_with_second_factor(stack: Stack, number: Number) -> None:
    """Where no session begins by a password alone."""
    await check_least(await office_of(stack, number, required_acr=2), number)


async def check_least(office: Office, number: Number) -> None:
    """One character less is refused."""
    person = await office.new_person()
    failure = await refusal(office, person, ALPHABET[: number.value - 1])
    assert (failure.metadata["rule"], failure.metadata["minLength"]) == ("TOO_SHORT", str(number.value))
    await set_password(office, person, ALPHABET[: number.value])


@pytest.mark.parametrize("number", numbers_of("password_composition"))
async def test_password_composition(stack: Stack, number: Number) -> None:
    office = await office_of(stack, number)
    person = await office.new_person()
    for password in ("kwxqmztvhprjdnbc", "4927301856492730"):
        assert (await refusal(office, person, password)).metadata["rule"] == "COMPOSITION"
    await set_password(office, person, "kwxqmztvhprjdnb1")


@pytest.mark.parametrize("number", numbers_of("password_history"))
async def test_password_history(stack: Stack, number: Number) -> None:
    """As many back as the number says are refused, the present one among them; the one before those is free again."""
    office = await office_of(stack, number)
    person = await office.new_person()
    used = [GOOD]
    for password in OTHERS[: number.value]:
        for known in used[-number.value :]:
            failure = await refusal(office, person, known)
            assert failure.metadata["rule"] == "REUSED"
            assert failure.metadata["passwordHistory"] == str(number.value)
        await set_password(office, person, password)
        used.append(password)
    await set_password(office, person, GOOD)
    kept = await office.count("FROM password_history WHERE user_id = %s", person.user_id)
    assert kept == number.value - 1


@concerns("password_history")
async def test_hashes_are_kept_no_longer_than_they_are_asked_for(stack: Stack) -> None:
    """A policy that asks for fewer forgets the rest with the next password."""
    office = await new_office(stack, {"password_history": 5})
    person = await office.new_person()
    for password in OTHERS[:4]:
        await set_password(office, person, password)
    of_person = "FROM password_history WHERE user_id = %s"
    assert await office.count(of_person, person.user_id) == 4
    await set_policy(stack, office.api.tenant_id, {"password_history": 2})
    await set_password(office, person, OTHERS[5])
    assert await office.count(of_person, person.user_id) == 1
    await set_policy(stack, office.api.tenant_id, {})
    await set_password(office, person, OTHERS[6])
    assert await office.count(of_person, person.user_id) == 0


@pytest.mark.parametrize("number", numbers_of("password_max_age_seconds"))
async def test_password_age(stack: Stack, number: Number) -> None:
    """A password that is the only factor begins sessions until it is so old; beside another factor it may be older."""
    office = await office_of_number_alone(stack, number)
    person = await office.new_person()
    for age, reason in ((number.value - 30, ""), (number.value, "PASSWORD_EXPIRED")):
        await office.execute(
            "UPDATE credentials SET create_time = %s - make_interval(secs => %s) WHERE user_id = %s",
            office.now,
            age,
            person.user_id,
        )
        assert await reason_of(person.sign_in(password=GOOD)) == reason
    # Set by a way that proves who it is, a new one counts.
    await set_password(office, person, OTHERS[0])
    assert (await person.sign_in(password=OTHERS[0])).session.name
