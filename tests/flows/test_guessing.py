"""Guessing gets slower and slower, for whoever is guessed at, and keeps nobody out who is on a device of their own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.server.api import failure_of
from argus.threats.guessing.model import CLOSING_FAILURES
from argus.v1 import credential_service_pb2 as credentials
from argus.v1 import token_service_pb2 as tokens
from tests.support.people import PASSWORD, Person, new_person

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

FREE = 10
FREE_OF_AN_ADDRESS = 30


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


async def _spend(person: Person, tries: int) -> list[str]:
    failures = [await person.try_password() for _ in range(tries)]
    return [failure.reason if failure else "" for failure in failures]


async def test_ten_failures_are_free_then_waits_double_up_to_a_quarter_of_an_hour(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    assert await _spend(person, FREE) == ["FACTOR_REFUSED"] * FREE
    waits = []
    for _ in range(12):
        throttled = await person.try_password(PASSWORD)
        assert throttled is not None
        assert throttled.reason == "GUESSING_THROTTLED"
        assert throttled.code == "RESOURCE_EXHAUSTED"
        assert throttled.retry_after is not None
        assert throttled.metadata["retryAfterSeconds"] == str(int(throttled.retry_after.total_seconds()))
        waits.append(int(throttled.retry_after.total_seconds()))
        await stack.advance(throttled.retry_after)
        assert (await _spend(person, 1)) == ["FACTOR_REFUSED"]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


async def test_a_success_makes_up_for_the_failures_before(api: Api) -> None:
    person = await new_person(api)
    for _ in range(3):
        await _spend(person, FREE - 1)
        assert (await person.sign_in()).session.name


async def test_known_and_unknown_are_throttled_alike(api: Api) -> None:
    known = await new_person(api)
    unknown = Person(api=api, name="", identifier="never-heard-of@example.com")
    seen = []
    for one in (known, unknown):
        failures = [await one.try_password() for _ in range(FREE + 2)]
        seen.append([(failure.code, failure.reason, failure.message) for failure in failures if failure])
    assert seen[0] == seen[1]
    assert seen[0][-1][1] == "GUESSING_THROTTLED"


async def test_guesses_in_parallel_share_the_budget(stack: Stack, api: Api) -> None:
    """A try is counted before anything is compared."""
    person = await new_person(api)
    hashes = stack.argus.passwords.hashes_done
    failures = await asyncio.gather(*(person.try_password() for _ in range(4 * FREE)))
    reasons = [failure.reason for failure in failures if failure]
    assert reasons.count("FACTOR_REFUSED") == FREE
    assert reasons.count("GUESSING_THROTTLED") == 3 * FREE
    assert stack.argus.passwords.hashes_done - hashes == FREE


async def test_the_owner_on_a_known_device_signs_in_while_somebody_guesses(api: Api) -> None:
    person = await new_person(api)
    device_token = (await person.sign_in()).device_token
    assert (await _spend(person, FREE + 5))[-1] == "GUESSING_THROTTLED"
    assert (await person.sign_in(device_token=device_token)).session.name
    # The success on the known device gives the guesser nothing.
    throttled = await person.try_password(PASSWORD)
    assert throttled is not None
    assert throttled.reason == "GUESSING_THROTTLED"


async def test_a_known_device_has_a_budget_of_its_own(api: Api) -> None:
    person = await new_person(api)
    device_token = (await person.sign_in()).device_token
    failures = [await person.try_password(device_token=device_token) for _ in range(FREE + 1)]
    assert [failure.reason for failure in failures if failure][-1] == "GUESSING_THROTTLED"
    assert (await person.sign_in()).session.name


async def test_a_guesser_with_a_device_of_his_own_gains_nothing(api: Api) -> None:
    person, guesser = await new_person(api), await new_person(api)
    device_token = (await guesser.sign_in()).device_token
    await _spend(person, FREE)
    throttled = await person.try_password(device_token=device_token)
    assert throttled is not None
    assert throttled.reason == "GUESSING_THROTTLED"


async def test_at_a_hundred_failures_the_password_is_closed_to_unknown_devices(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    device_token = (await person.sign_in()).device_token
    made = 0
    while made < CLOSING_FAILURES:
        failure = await person.try_password()
        assert failure is not None
        if failure.reason == "GUESSING_THROTTLED":
            assert failure.retry_after is not None
            await stack.advance(failure.retry_after)
        else:
            made += 1
    await stack.advance(timedelta(minutes=16))
    refused = await person.try_password(PASSWORD)
    assert refused is not None
    assert refused.reason == "FACTOR_REFUSED"
    assert (await person.sign_in(device_token=device_token)).session.name
    renewed = "nine patient herons on the shore"
    await api.credentials.SetPassword(credentials.SetPasswordRequest(parent=person.name, password=renewed))
    assert (await person.sign_in(password=renewed)).session.name


async def test_an_address_has_a_budget_apart_and_forgives(stack: Stack, api: Api) -> None:
    """Spraying one password over many accounts runs into it; whoever sits elsewhere does not."""
    ip = "198.51.100.7"
    people = [Person(api=api, name="", identifier=f"spray{n}@example.com") for n in range(FREE_OF_AN_ADDRESS + 1)]
    reasons = [failure.reason for one in people if (failure := await one.try_password(ip=ip))]
    assert reasons == ["FACTOR_REFUSED"] * FREE_OF_AN_ADDRESS + ["GUESSING_THROTTLED"]
    person = await new_person(api)
    assert (await person.sign_in(ip="198.51.100.8")).session.name
    await stack.advance(timedelta(minutes=5))
    assert (await person.sign_in(ip=ip)).session.name


async def test_addresses_of_one_ipv6_network_are_one_address(api: Api) -> None:
    people = [Person(api=api, name="", identifier=f"six{n}@example.com") for n in range(FREE_OF_AN_ADDRESS + 1)]
    failures = [await one.try_password(ip=f"2001:db8:7::{n:x}") for n, one in enumerate(people)]
    assert failures[-1] is not None
    assert failures[-1].reason == "GUESSING_THROTTLED"
    other = await Person(api=api, name="", identifier="six@example.com").try_password(ip="2001:db8:8::1")
    assert other is not None
    assert other.reason == "FACTOR_REFUSED"


async def test_client_secrets_are_throttled_too(stack: Stack) -> None:
    api = await stack.new_tenant()
    for _ in range(FREE):
        failure = await failure_of(api.issue(secret="wrong" * 8))
        assert failure is not None
        assert failure.reason == "CALLER_CREDENTIALS_INVALID"
    throttled = await failure_of(api.issue())
    assert throttled is not None
    assert throttled.reason == "GUESSING_THROTTLED"
    assert throttled.retry_after is not None
    await stack.advance(throttled.retry_after)
    assert (await api.issue()).tokens.access_token


async def test_an_unknown_client_is_throttled_alike(api: Api) -> None:
    request = tokens.IssueClientTokenRequest(parent=api.parent, client_id="no-such", client_secret="guess")
    failures = [await failure_of(api.tokens.IssueClientToken(request)) for _ in range(FREE + 1)]
    reasons = [failure.reason for failure in failures if failure]
    assert reasons == ["CALLER_CREDENTIALS_INVALID"] * FREE + ["GUESSING_THROTTLED"]


async def test_no_identifier_or_address_stands_in_redis(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    await person.try_password(ip="203.0.113.9")
    keys = [key async for key in stack.argus.redis.client.scan_iter(match="a1:g:*", count=1000)]
    assert keys
    for key in keys:
        assert person.identifier.encode() not in key
        assert b"203.0.113.9" not in key
        assert await stack.argus.redis.client.pttl(key) > 0
