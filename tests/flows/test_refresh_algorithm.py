"""The algorithm of refresh tokens is a setting: it changes with the next key, and nobody is signed out by it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import pytest

from argus.server.api import Api
from argus.server.private_stack import PrivateStack, stack_over
from argus.storage.embedded import StoreUrls
from argus.v1 import key_service_pb2 as keys
from argus.v1 import session_service_pb2 as sessions
from tests.support.people import new_person, refresh
from tests.support.presented import RefreshToken, header_of
from tests.support.stack import Stack

# A refresh rotates then, and does not repeat the answer before.
PAST_GRACE: Final = timedelta(seconds=41)


@pytest.fixture(scope="module")
async def rsa(stack: Stack, stores: StoreUrls) -> AsyncIterator[PrivateStack]:
    """Another server of the installation, which was started with the other setting."""
    async with stack_over(
        stores,
        clock=stack.private.clock,
        key_encryption_key=stack.private.settings.key_encryption_key,
        refresh_token_alg="RS256",
    ) as made:
        yield made


@pytest.fixture
async def apis(stack: Stack, rsa: PrivateStack) -> AsyncIterator[tuple[Api, Api]]:
    """One client of a tenant of its own: through the EdDSA server, and through the RS256 one."""
    one = await stack.new_tenant()
    await rsa.server.argus.snapshot.refresh()
    other = one.at(rsa.server.grpc_address, clock=rsa.clock)
    yield one, other
    await other.close()


async def rotate(stack: Stack, rsa: PrivateStack, api: Api) -> keys.Key:
    """A new key for refresh tokens by the server of `api`, known to both, when a refresh rotates again."""
    request = keys.RotateKeyRequest(parent=api.parent, use=keys.KEY_USE_REFRESH, immediate=True)
    made = (await api.keys.RotateKey(request)).key
    for server in (stack.server, rsa.server):
        await server.argus.snapshot.refresh()
    await stack.advance(PAST_GRACE)
    return made


async def test_a_change_takes_effect_with_the_next_key(stack: Stack, rsa: PrivateStack, apis: tuple[Api, Api]) -> None:
    """There and back: every token goes on, whichever server is asked, and a retry gets the same successor."""
    one, other = apis
    person = await new_person(one)
    begun = await one.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name))
    # The other server has the other setting, and the ring has this key still.
    token = (await refresh(other, begun.tokens.refresh_token)).tokens.refresh_token
    assert [header_of(was)["alg"] for was in (begun.tokens.refresh_token, token)] == ["EdDSA", "EdDSA"]
    for api, algorithm in ((other, "RS256"), (one, "EdDSA")):
        key = await rotate(stack, rsa, api)
        kid = key.name.rpartition("/")[2]
        before = RefreshToken.read(token)
        # The answer of the first is lost.
        lost, token = [(await refresh(asked, token)).tokens.refresh_token for asked in apis]
        for made in (lost, token):
            assert header_of(made) == {"alg": algorithm, "typ": "rt+jwt", "kid": kid}
            assert RefreshToken.read(made).generation == before.generation + 1
        assert RefreshToken.read(lost).jti == RefreshToken.read(token).jti
