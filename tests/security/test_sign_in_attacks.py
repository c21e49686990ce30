"""Rows L01 to L04 of `endpoint-attacks.csv` over gRPC; L06 to L10 are in test_login_attacks.py and test_factors.py.

How long answers take is measured by `make timing`, and what they cost by test_known_and_unknown_users_look_alike.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from argus.server.api import failure_of
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import user_service_pb2 as users
from tests.support.people import PASSWORD, WRONG_PASSWORD, Person, new_person, reason_of, start_login, submit

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

SPRAYED = "Spring2026 spring2026"


@pytest.fixture
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def test_l01_unknown_known_and_disabled_users_get_one_answer(api: Api, person: Person) -> None:
    """Until they are throttled, which all of them are at the same failure; then a right password helps nobody."""
    disabled = await new_person(api)
    await api.users.DisableUser(users.DisableUserRequest(name=disabled.name))
    nobody = Person(api=api, name="", identifier="nobody@example.com")
    seen = []
    for one in (person, nobody, disabled):
        failures = [await failure_of(one.sign_in(password=WRONG_PASSWORD)) for _ in range(11)]
        failures.append(await failure_of(one.sign_in()))
        kept = [(f.code, f.reason, {k: v for k, v in f.metadata.items() if k != "requestId"}) for f in failures if f]
        seen.append(kept)
    assert seen[0] == seen[1] == seen[2]
    assert [reason for _, reason, _ in seen[0]] == ["FACTOR_REFUSED"] * 10 + ["GUESSING_THROTTLED"] * 2


@pytest.mark.parametrize(
    ("twin", "is_same"),
    [
        (str.upper, True),
        (lambda text: f"  {text} ", True),
        (lambda text: "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text), True),
        (lambda text: f"а{text[1:]}", False),
        (lambda text: f"{text[0]}\u200b{text[1:]}", False),
        (lambda text: f"\u202e{text}", False),
        (lambda text: f"{text}\0", False),
        (lambda text: text * 2000, False),
    ],
)
async def test_l02_names_have_one_form_or_are_refused(api: Api, person: Person, twin: object, *, is_same: bool) -> None:
    """Cyrillic letters, zero widths and overrides make another name, or none; never an error of ours."""
    text: str = twin(person.identifier)  # type: ignore[operator]
    if is_same:
        assert (await Person(api=api, name=person.name, identifier=text).sign_in()).HasField("tokens")
    else:
        reason = await reason_of(Person(api=api, name="", identifier=text).sign_in())
        assert reason in {"FACTOR_REFUSED", "FIELD_INVALID"}


async def test_l03_a_password_of_a_megabyte_is_refused_before_hashing(stack: Stack, api: Api, person: Person) -> None:
    before = stack.argus.passwords.hashes_done
    for length in (4097, 60_000, 1 << 20):
        assert await reason_of(submit(api, await person.start(), "x" * length)) == "FIELD_INVALID"
    assert stack.argus.passwords.hashes_done == before


async def test_l04_one_password_for_many_users_locks_none_of_them(api: Api) -> None:
    """Each of those who were tried gets in; the address that tries them is stopped. Nothing counts passwords yet."""
    people = [await new_person(api) for _ in range(40)]
    answers = []
    for one in people:
        failure = await one.try_password(SPRAYED, ip="203.0.113.9")
        answers.append(failure.reason if failure else "")
    assert set(answers) == {"FACTOR_REFUSED", "GUESSING_THROTTLED"}
    for one in people:
        login_token = await start_login(api, one.identifier, ip="198.51.100.7")
        done = await submit(api, login_token, PASSWORD, ip="198.51.100.7")
        assert done.login.state == authentication.LOGIN_STATE_COMPLETE
