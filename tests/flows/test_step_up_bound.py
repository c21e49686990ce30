"""Step-up and binding: a new family may be bound to a key, and a bound session is stepped up with its very key only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.dpop import DpopClient
from tests.support.people import PASSWORD, Person, context, new_person, reason_of, refresh, start_step_up, submit
from tests.support.theft import cause_of, contest

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

REFUSED = "TOKEN_PROOF_REQUIRED"


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


class Keyholder:
    """A client with a key, at step-ups."""

    def __init__(self, stack: Stack, person: Person) -> None:
        self.stack, self.api, self.person = stack, person.api, person
        self.client = DpopClient()

    def proof(self, *, access_token: str = "") -> types.Proof:
        """A new proof."""
        return self.client.proof(now=self.stack.private.clock.now_ms() // 1000, access_token=access_token)

    async def start(self, refresh_token: str) -> str:
        """Begins a step-up with a proof; returns its login token."""
        request = authentication.StartStepUpRequest(
            parent=self.api.parent, refresh_token=refresh_token, proof=self.proof(), client_context=context()
        )
        return str((await self.api.authentication.StartStepUp(request)).login_token)

    async def submit(self, login_token: str) -> authentication.SubmitFactorResponse:
        """Hands in the password with a proof."""
        request = authentication.SubmitFactorRequest(
            parent=self.api.parent,
            login_token=login_token,
            password=PASSWORD,
            client_context=context(),
            proof=self.proof(),
        )
        return await self.api.authentication.SubmitFactor(request)

    async def refresh(self, refresh_token: str) -> types.TokenSet:
        """Refreshes with a proof."""
        request = tokens.RefreshTokenRequest(refresh_token=refresh_token, proof=self.proof(), client_context=context())
        return (await self.api.tokens.RefreshToken(request)).tokens


@pytest.fixture
async def owner(stack: Stack, api: Api) -> Keyholder:
    return Keyholder(stack, await new_person(api))


async def test_a_proof_at_the_step_up_binds_what_was_not_bound(stack: Stack, api: Api, owner: Keyholder) -> None:
    """From then on in PostgreSQL, in the record, and in the tokens: a copy of them is worth nothing."""
    theft = await contest(stack, owner.person)
    done = await owner.submit(await start_step_up(api, theft.newest))
    assert (done.session.name, done.tokens.token_type) == (theft.session, "DPoP")
    assert await reason_of(refresh(api, done.tokens.refresh_token)) == REFUSED
    newest = await owner.refresh(done.tokens.refresh_token)
    session_id = theft.session.rpartition("/")[2]
    await stack.argus.effects.flush()
    await stack.argus.redis.client.delete(stack.argus.keyspace.session_key(session_id))
    assert await reason_of(refresh(api, newest.refresh_token)) == REFUSED
    assert (await owner.refresh(newest.refresh_token)).token_type == "DPoP"
    # Old tokens are not bound; that of a thief without the key is asked for a proof before anything else.
    assert await reason_of(refresh(api, theft.newest)) == REFUSED
    assert await cause_of(owner.refresh(theft.newest)) == "FAMILY_OLDER"


async def test_a_bound_session_is_stepped_up_with_its_very_key_only(stack: Stack, api: Api, owner: Keyholder) -> None:
    """At the beginning and at the end; the password moves the session to no other key, and is not even looked at."""
    done = await owner.submit(await owner.person.start())
    stranger = Keyholder(stack, owner.person)
    token = done.tokens.refresh_token
    assert await reason_of(start_step_up(api, token)) == REFUSED
    assert await reason_of(stranger.start(token)) == REFUSED
    login_token = await owner.start(token)
    hashes = stack.argus.passwords.hashes_done
    assert await reason_of(submit(api, login_token, PASSWORD)) == REFUSED
    assert await reason_of(stranger.submit(login_token)) == REFUSED
    assert stack.argus.passwords.hashes_done == hashes
    stepped = await owner.submit(login_token)
    assert (stepped.session.name, stepped.tokens.token_type) == (done.session.name, "DPoP")
    assert await reason_of(stranger.refresh(stepped.tokens.refresh_token)) == REFUSED
    assert (await owner.refresh(stepped.tokens.refresh_token)).refresh_token
    assert await cause_of(owner.refresh(token)) == "FAMILY_OLDER"


async def test_a_lost_answer_of_a_step_up_that_binds_is_mended_with_the_key(
    stack: Stack, api: Api, owner: Keyholder
) -> None:
    """The client holds tokens that are not bound, and the key."""
    theft = await contest(stack, owner.person)
    await owner.submit(await start_step_up(api, theft.newest))  # the answer is lost
    assert await reason_of(start_step_up(api, theft.newest)) == REFUSED
    stepped = await owner.submit(await owner.start(theft.newest))
    assert (await owner.refresh(stepped.tokens.refresh_token)).token_type == "DPoP"


async def test_a_proof_at_the_beginning_alone_binds_nothing(stack: Stack, api: Api, owner: Keyholder) -> None:
    """What binds is the proof of the submit that completes it."""
    theft = await contest(stack, owner.person)
    stepped = await submit(api, await owner.start(theft.newest), PASSWORD)
    assert stepped.tokens.token_type == "Bearer"
    assert (await refresh(api, stepped.tokens.refresh_token)).session == theft.session
