"""A process that is behind looks before it refuses anything: what it does not know another may have made just now."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Final

import pytest
from google.protobuf.message import Message
from google.rpc import status_pb2

from argus.base.ids import new_id
from argus.clients.model import ClientFields
from argus.flows.step_up import StepUpRequest
from argus.rpc.access import AccessRule, authenticate
from argus.rpc.context import Call, Caller
from argus.rpc.errors import StatusError, reason_of
from argus.server.api import Api
from argus.server.app import Argus, open_argus
from argus.tokens.model import KeyUse
from argus.v1 import token_service_pb2 as pb
from tests.support.features import origin
from tests.support.people import Person, new_person
from tests.support.stack import Stack

SERVICE: Final = "/argus.v1.TokenService/"
RULE: Final = AccessRule(scope="users.read", anonymous=False, system_tenant_only=False)
CROWD: Final = 300
PATIENCE: Final = 30


@pytest.fixture(scope="module")
async def behind(stack: Stack) -> AsyncIterator[Argus]:
    """Another process of the installation, that does not follow the changes."""
    async with open_argus(stack.private.settings, clock=stack.private.clock) as argus:
        yield argus


@pytest.fixture
async def person(stack: Stack) -> Person:
    return await new_person(await stack.new_tenant())


async def rotate(stack: Stack, api: Api, use: KeyUse) -> None:
    """A new key signs, and only this process knows."""
    await stack.argus.signing_keys.rotate(api.tenant_id, use, immediate=True, origin=origin(api.tenant_id))
    await stack.argus.snapshot.refresh()


async def hot(argus: Argus, method: str, request: Message | bytes, bearer: str) -> tuple[int, bytes]:
    """What a process answers."""
    return await argus.hot.answer(
        SERVICE + method,
        request if isinstance(request, bytes) else request.SerializeToString(),
        authorization=f"Bearer {bearer}",
        request_id="the same for all",
        deadline_ms=10_000,
    )


async def caller(argus: Argus, bearer: str) -> Caller:
    """Whom a process takes a caller of another method for."""
    call = Call(method="/a.B/C", request_id="the same for all", authorization=f"Bearer {bearer}")
    return await authenticate(argus.engine, argus.snapshot, RULE, call)


def under_another_kid(token: str) -> str:
    """The token with the name of a key that there is not."""
    header, rest = token.split(".", 1)
    said = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4))) | {"kid": new_id()}
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode() + "." + rest


async def test_callers_with_tokens_of_a_new_key_client_or_tenant_are_known(stack: Stack, behind: Argus) -> None:
    """Whatever method they call, and many at once under one request id."""
    api = await stack.new_tenant()
    tokens = [await api.token()]
    await rotate(stack, api, "access")
    tokens.append(await api.at(stack.server.grpc_address).token())
    for token in tokens:
        found = await asyncio.gather(*(caller(behind, token) for _ in range(20)))
        assert {one.tenant_id for one in found} == {api.tenant_id}
    fields = ClientFields(display_name="late", scopes=(RULE.scope,), resource="https://late.example.com")
    _, secret = await stack.argus.clients.create(api.tenant_id, "late", fields, origin=origin(api.tenant_id))
    late = await stack.argus.client_tokens.issue(
        api.tenant_id, "late", secret, scopes=(), resource="", peer=None, origin=origin(api.tenant_id)
    )
    assert (await caller(behind, late.access_token)).client_id == "late"


async def test_tokens_of_a_new_key_are_good_at_once(stack: Stack, behind: Argus, person: Person) -> None:
    """Verified, refreshed, revoked, and good for a step-up."""
    api = person.api
    for use in ("access", "refresh", "refresh_id"):
        await rotate(stack, api, use)
        done = await person.sign_in()
        bearer = await api.token()
        verify = pb.VerifyAccessTokenRequest(access_token=done.tokens.access_token)
        answers = await asyncio.gather(*(hot(behind, "VerifyAccessToken", verify, bearer) for _ in range(20)))
        assert {kind for kind, _ in answers} == {0}
        refresh = pb.RefreshTokenRequest(refresh_token=done.tokens.refresh_token)
        assert (await hot(behind, "RefreshToken", refresh, bearer))[0] == 0
        await rotate(stack, api, use)
        done = await person.sign_in()
        started = await behind.step_up.start(
            StepUpRequest(
                tenant_id=api.tenant_id,
                refresh_token=done.tokens.refresh_token,
                caller_id=api.client_id,
                may_any=False,
            ),
            origin=origin(api.tenant_id),
        )
        assert started.login_token
        await rotate(stack, api, use)
        done = await person.sign_in()
        await behind.revoke_token.revoke(
            done.tokens.refresh_token, caller_id=api.client_id, may_any=False, origin=origin(api.tenant_id)
        )
        request = pb.IntrospectTokenRequest(token=done.tokens.access_token)
        _, content = await hot(behind, "IntrospectToken", request, bearer)
        assert not pb.IntrospectTokenResponse.FromString(content).active


async def test_a_batch_is_not_looked_at_before_its_caller(stack: Stack, behind: Argus, person: Person) -> None:
    """One under a forged name is refused whatever it holds; one under a new key is answered whole."""
    api = person.api
    forged = under_another_kid(await api.token())
    for request in (b"", b"\x0a\x00" * 2000, b"\xff"):
        kind, content = await hot(behind, "BatchVerifyAccessTokens", request, forged)
        assert (kind, reason_of(status_pb2.Status.FromString(content))) == (1, "CALLER_TOKEN_INVALID")
    await rotate(stack, api, "access")
    bearer = await api.at(stack.server.grpc_address).token()
    kind, content = await hot(behind, "BatchVerifyAccessTokens", b"\x0a\x00" * 2000, bearer)
    assert (kind, reason_of(status_pb2.Status.FromString(content))) == (1, "FIELD_INVALID")
    await rotate(stack, api, "access")
    token = (await person.sign_in()).tokens.access_token
    items = [pb.VerifyAccessTokenRequest(access_token=one) for one in (token, "a.b.c", token)]
    batch = pb.BatchVerifyAccessTokensRequest(requests=items)
    kind, content = await hot(behind, "BatchVerifyAccessTokens", batch, bearer)
    results = pb.BatchVerifyAccessTokensResponse.FromString(content).results
    assert (kind, [one.HasField("verified") for one in results]) == (0, [True, False, True])


async def test_a_key_that_the_engine_refuses_keeps_no_other_from_its_changes(stack: Stack, behind: Argus) -> None:
    """The process is not ready, and says so once; nothing else is held up."""
    spoilt, other = await stack.new_tenant(), await stack.new_tenant()
    await behind.snapshot.refresh()
    key = await stack.argus.signing_keys.rotate(
        spoilt.tenant_id, "refresh", immediate=False, origin=origin(spoilt.tenant_id)
    )
    (old,) = {one["kid"] for one in json.loads(behind.engine.jwks(other.tenant_id) or b"")["keys"]}
    for algorithm, fault in (("RS256", "can't be loaded"), ("EdDSA", "")):
        async with stack.argus.db.transaction() as tx:
            await tx.execute(
                "UPDATE signing_keys SET algorithm = %s, state = state WHERE tenant_id = %s AND kid = %s",
                (algorithm, spoilt.tenant_id, key.kid),
            )
        await stack.argus.signing_keys.revoke(other.tenant_id, old, origin(other.tenant_id))
        await behind.snapshot.refresh()
        assert behind.snapshot.fault == fault
        assert old.encode() not in (behind.engine.jwks(other.tenant_id) or b"")


async def test_a_flood_of_names_that_nobody_knows_costs_a_few_readings(
    stack: Stack, behind: Argus, person: Person
) -> None:
    """And each of them is refused, by a process that has just looked."""
    bearer = await person.api.token()
    await caller(behind, bearer)
    tokens = [under_another_kid(bearer) for _ in range(CROWD)]
    before = behind.snapshot.readings
    outcomes = await asyncio.gather(*(caller(behind, one) for one in tokens), return_exceptions=True)
    assert {reason_of(one.status) for one in outcomes if isinstance(one, StatusError)} == {"CALLER_TOKEN_INVALID"}
    assert len([one for one in outcomes if isinstance(one, StatusError)]) == CROWD
    assert behind.snapshot.readings - before <= 2
    # One good token in the midst of them waits for no more than they do.
    await rotate(stack, person.api, "access")
    fresh = await person.api.at(stack.server.grpc_address).token()
    flood = asyncio.gather(*(caller(behind, one) for one in tokens), return_exceptions=True)
    assert (await caller(behind, fresh)).client_id == person.api.client_id
    await flood


async def test_a_reading_that_began_before_the_question_does_not_answer_it(stack: Stack, behind: Argus) -> None:
    """What came into being while a reading was under way is met by the next one."""
    api, db = await stack.new_tenant(), stack.argus.db
    await behind.snapshot.refresh()

    async def change() -> int:
        await stack.argus.signing_keys.rotate(api.tenant_id, "refresh", immediate=True, origin=origin(api.tenant_id))
        row = await db.fetch_one("SELECT version FROM configuration_version")
        assert row is not None
        return int(row["version"])

    async with db.transaction() as tx:
        # Where a reading has seen the version, and not yet all of the tenant.
        await tx.execute("LOCK TABLE policies IN ACCESS EXCLUSIVE MODE")
        await change()
        first = asyncio.create_task(behind.snapshot.refresh())
        async with asyncio.timeout(PATIENCE):
            while not await db.fetch_all(
                "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'policies'::regclass"
            ):
                assert not first.done()
        changed = await change()
        second = asyncio.create_task(behind.snapshot.refresh())
        await asyncio.sleep(0)
    await asyncio.gather(first, second)
    assert behind.engine.snapshot_version() >= changed
