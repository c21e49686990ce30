"""Quotas of callers and tenants: whoever asks too much is turned away, and nobody else."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest

from argus.server.api import Api, Failure, failure_of
from argus.server.private_stack import PrivateStack, stack_over
from argus.storage.embedded import StoreUrls
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.people import Person, new_person, verify
from tests.support.stack import Stack

QUOTA = 40


async def asked_at_once(ask: Callable[[], Awaitable[object]], times: int) -> tuple[list[Failure | None], float]:
    """How so many calls end that are made at once, and how long they take."""
    begun = time.monotonic()
    ends = await asyncio.gather(*(failure_of(ask()) for _ in range(times)))
    return list(ends), time.monotonic() - begun


async def held_to_quota(ask: Callable[[], Awaitable[object]], scope: str) -> None:
    """Of twice what a second gives at most that passes and what comes in meanwhile; the rest is told when to return."""
    await until_full(ask)
    ends, took = await asked_at_once(ask, 2 * QUOTA)
    refused = [end for end in ends if end is not None]
    assert {end.reason for end in refused} == {"QUOTA_EXCEEDED"}
    assert all(end.metadata == {"scope": scope, "perSecond": str(QUOTA)} for end in refused)
    assert all(end.retry_after for end in refused)
    good = len(ends) - len(refused)
    # The clock of the quota began to run a little before the test's.
    assert good <= QUOTA * (1 + took) + 5, Counter(end and end.reason for end in ends)


async def until_full(ask: Callable[[], Awaitable[object]]) -> None:
    """Waits as long as it is told, until a call passes."""
    async with asyncio.timeout(30):
        while (failure := await failure_of(ask())) is not None:
            assert failure.reason == "QUOTA_EXCEEDED"
            assert failure.retry_after
            await asyncio.sleep(failure.retry_after.total_seconds())
        # For the rest of its second it has a little less than all.
        await asyncio.sleep(1)


async def signed_in(private: PrivateStack, api: Api) -> tuple[Person, types.TokenSet]:
    """A user with tokens, made by the server whose quota is not the question."""
    person = await new_person(api)
    return person, (await person.sign_in()).tokens


@pytest.mark.parametrize("front_door", ["on", "off"])
async def test_a_caller_is_held_to_its_quota(stores: StoreUrls, stack: Stack, front_door: str) -> None:
    """By the engine's own answers and by Python's alike; another tenant's caller has its own."""
    key = stack.private.settings.key_encryption_key
    async with (
        stack_over(
            stores, clock=stack.private.clock, key_encryption_key=key, front_door=front_door, caller_quota=QUOTA
        ) as narrow,
        stack.private.fresh_tenant() as wide_api,
        stack.private.fresh_tenant() as other_wide,
    ):
        api, other = wide_api.at(narrow.server.grpc_address), other_wide.at(narrow.server.grpc_address)
        person, token_set = await signed_in(narrow, wide_api)
        _, other_tokens = await signed_in(narrow, other_wide)
        there = Person(api=api, name=person.name, identifier=person.identifier)
        await held_to_quota(lambda: verify(api, token_set.access_token, passive=True), "caller")
        assert await failure_of(verify(other, other_tokens.access_token, passive=True)) is None
        await held_to_quota(there.count, "caller")
        assert await failure_of(verify(other, other_tokens.access_token, passive=True)) is None
        await api.close()
        await other.close()


async def test_what_a_call_needs_beside_redis_costs_nothing_more(stores: StoreUrls, stack: Stack) -> None:
    """A session that Redis has lost is rebuilt, and the engine asked again, within the one call; of a batch, each."""
    key = stack.private.settings.key_encryption_key
    async with (
        stack_over(stores, clock=stack.private.clock, key_encryption_key=key, caller_quota=1) as narrow,
        stack.private.fresh_tenant() as wide_api,
    ):
        api, argus = wide_api.at(narrow.server.grpc_address), narrow.server.argus
        person, token_set = await signed_in(narrow, wide_api)
        (session,) = await person.list()
        one = tokens.VerifyAccessTokenRequest(access_token=token_set.access_token, activity=types.ACTIVITY_PASSIVE)
        batch = tokens.BatchVerifyAccessTokensRequest(requests=[one] * 3)

        async def lost() -> None:
            await until_full(lambda: api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token="x")))
            await argus.redis.client.delete(argus.keyspace.session_key(session.name.rpartition("/")[2]))

        await lost()
        await verify(api, token_set.access_token, passive=True)
        await lost()
        assert {one.reason for one in (await api.tokens.BatchVerifyAccessTokens(batch)).results} == {0}
        await api.close()


async def test_a_batch_costs_what_its_tokens_cost(stores: StoreUrls, stack: Stack) -> None:
    """Else a quota would be worth a hundred times as much."""
    key = stack.private.settings.key_encryption_key
    async with (
        stack_over(stores, clock=stack.private.clock, key_encryption_key=key, tenant_quota=QUOTA) as narrow,
        stack.private.fresh_tenant() as wide_api,
    ):
        api = wide_api.at(narrow.server.grpc_address)
        _, token_set = await signed_in(narrow, wide_api)
        one = tokens.VerifyAccessTokenRequest(access_token=token_set.access_token, activity=types.ACTIVITY_PASSIVE)
        batch = tokens.BatchVerifyAccessTokensRequest(requests=[one] * QUOTA)

        async def ask() -> None:
            await api.tokens.BatchVerifyAccessTokens(batch)

        await until_full(ask)
        ends, took = await asked_at_once(ask, 10)
        good = sum(end is None for end in ends)
        assert 1 <= good <= 2 + took
        assert {end.metadata["scope"] for end in ends if end} == {"tenant"}
        await api.close()
