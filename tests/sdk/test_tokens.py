"""Tokens that renew themselves, over a whole server: no lost answer, no outage and no restart ends a session."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from argus.sdk.channel import open_channel
from argus.sdk.offline.feed import RevocationFeed
from argus.sdk.tokens.failures import Told
from argus.sdk.tokens.interceptors import client_interceptors
from argus.sdk.tokens.renewal import RenewalUnavailableError
from argus.sdk.tokens.session import SavedSession, SessionOverError, SessionTokens
from argus.v1 import key_service_pb2 as keys
from argus.v1 import session_service_pb2 as sessions
from argus.v1.session_service_pb2_grpc import SessionServiceStub
from argus.v1.types_pb2 import TokenSet
from tests.support.people import new_person, terminate, verify
from tests.support.presented import claims_of, header_of
from tests.support.service import Service

PATIENCE_SECONDS = 60
LIFE = timedelta(minutes=5)
# Longer than the debounce: the next refresh rotates.
LATER = timedelta(seconds=45)


class Owner:
    """Holds one session: what it saved, and what it was told."""

    def __init__(self, service: Service, tokens: TokenSet, session: str) -> None:
        self.service = service
        self.first = tokens
        self.session = session
        self.saved = [SavedSession.of(tokens.refresh_token)]
        self.told: list[SessionOverError] = []
        self.disk_works = True
        self.tokens = self.restart()

    def restart(self, channel: grpc.aio.Channel | None = None) -> SessionTokens:
        """Goes on with what was saved."""
        self.tokens = SessionTokens(
            channel or self.service.channel,
            self.saved[-1],
            save=self._save,
            on_over=self.told.append,
            now=self.service.clock,
        )
        return self.tokens

    async def _save(self, saved: SavedSession) -> None:
        if not self.disk_works:
            raise OSError("the disk is full")
        self.saved.append(saved)


@pytest.fixture
async def owner(service: Service) -> AsyncIterator[Owner]:
    """Holds a new session."""
    signed_in = await (await new_person(service.api)).sign_in()
    one = Owner(service, signed_in.tokens, signed_in.session.name)
    yield one
    await one.tokens.close()


async def test_one_refresh_for_all_callers_is_saved_before_anybody_has_its_token(owner: Owner) -> None:
    tokens = await asyncio.gather(*(owner.tokens.token() for _ in range(64)))
    assert len(set(tokens)) == 1
    assert len(owner.saved) == 2
    assert claims_of(owner.saved[-1].refresh_token)["gen"] == 2
    await verify(owner.service.api, tokens[0])


async def test_a_session_goes_on_for_as_long_as_it_is_used(owner: Owner) -> None:
    """A day's worth of refreshes would be the same: each successor is saved."""
    stack = owner.service.stack
    seen = {await owner.tokens.token()}
    for _ in range(3):
        await stack.advance(LATER)
        owner.service.clock.ahead += LIFE
        seen.add(await owner.tokens.token())
    assert len(seen) == 4
    assert [claims_of(one.refresh_token)["gen"] for one in owner.saved] == [1, 2, 3, 4, 5]
    assert len({one.attempt_id for one in owner.saved}) == 5


async def test_a_refresh_that_is_answered_without_rotation_is_no_new_state(owner: Owner) -> None:
    await owner.tokens.token()
    owner.service.clock.ahead += LIFE
    await owner.tokens.token()
    assert len(owner.saved) == 2


async def test_a_crash_before_the_answer_was_saved_leads_to_the_same_successor(owner: Owner) -> None:
    """The attempt's id is saved with the token that it will be presented with, so the retry is known as one."""
    owner.disk_works = False
    await owner.tokens.token()
    lost = owner.tokens._saved.refresh_token
    assert owner.tokens._saving is not None
    await owner.tokens._saving
    owner.disk_works = True
    sent = _Sent()
    interceptors = [*client_interceptors(owner.service.tokens), sent]
    async with grpc.aio.insecure_channel(owner.service.api.address, interceptors=interceptors) as channel:
        for _ in range(2):
            await owner.restart(channel).token()
            assert owner.saved.pop().refresh_token == lost
    assert sent.attempts == [owner.saved[0].attempt_id] * 2
    assert not owner.told


class _Sent(grpc.aio.UnaryUnaryClientInterceptor):
    """The attempts that went out."""

    def __init__(self) -> None:
        self.attempts: list[str] = []

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        self.attempts.append(request.attempt_id)
        return await continuation(client_call_details, request)


async def test_what_could_not_be_saved_is_saved_with_the_next_use(owner: Owner) -> None:
    owner.disk_works = False
    token = await owner.tokens.token()
    owner.disk_works = True
    # The token in memory is the right one whatever the disk says.
    assert await owner.tokens.token() == token
    assert owner.tokens._saving is not None
    await owner.tokens._saving
    assert claims_of(owner.saved[-1].refresh_token)["gen"] == 2


async def test_an_end_is_told_to_the_owner_once_and_to_every_caller(owner: Owner) -> None:
    await owner.tokens.token()
    await terminate(owner.service.api, owner.session)
    owner.service.clock.ahead += LIFE
    outcomes = await asyncio.gather(*(owner.tokens.token() for _ in range(32)), return_exceptions=True)
    assert {type(one) for one in outcomes} == {SessionOverError}
    assert [(one.reason, one.metadata["endReason"]) for one in owner.told] == [("SESSION_ENDED", "ENDED_BY_ADMIN")]
    with pytest.raises(SessionOverError):
        await owner.tokens.token()
    assert len(owner.told) == 1


async def test_after_a_step_up_the_owner_goes_on(owner: Owner) -> None:
    """A refresh of another holder that is older than the grace: the user must prove itself; then it goes on."""
    owner.disk_works = False
    await owner.tokens.token()
    await owner.service.stack.advance(LATER)
    owner.disk_works = True
    with pytest.raises(SessionOverError) as told:
        await owner.restart().token()
    assert told.value.reason == "STEP_UP_REQUIRED"
    again = await (await new_person(owner.service.api)).sign_in()
    await owner.tokens.adopt(again.tokens)
    assert await owner.tokens.token() == again.tokens.access_token
    assert owner.saved[-1].refresh_token == again.tokens.refresh_token


async def test_an_outage_is_no_end(owner: Owner) -> None:
    """The token is used while it lives; the retry has the same attempt."""
    async with grpc.aio.insecure_channel("127.0.0.1:1") as nowhere:
        tokens = owner.restart(nowhere)
        await tokens.adopt(owner.first)
        owner.service.clock.ahead += owner.first.expires_in.ToTimedelta() * 0.96
        for _ in range(5):
            assert await tokens.token() == owner.first.access_token
        owner.service.clock.ahead += LIFE
        with pytest.raises(RenewalUnavailableError, match="UNAVAILABLE"):
            await tokens.token()
    assert not owner.told
    await owner.restart().token()
    assert not owner.told


@pytest.mark.parametrize("reason", ["CALLER_CREDENTIALS_INVALID", "CALLER_UNAUTHENTICATED"])
async def test_the_services_own_refusal_is_no_end_of_the_session(owner: Owner, reason: str) -> None:
    """CALLER_… is about who calls: a wrong secret, or a call without a token, ends nobody's session."""
    wrong = owner.service.client_tokens(client_secret="wrong") if reason == "CALLER_CREDENTIALS_INVALID" else None
    async with open_channel(owner.service.api.address, tokens=wrong) as channel:
        with pytest.raises(RenewalUnavailableError, match=reason):
            await owner.restart(channel).token()
    assert not owner.told
    await owner.restart().token()


async def test_a_client_token_that_is_refused_is_replaced_and_the_call_made_again(service: Service) -> None:
    """Its key was pulled: the service notices nothing."""
    stub: Any = SessionServiceStub(service.channel)
    request = sessions.ListSessionsRequest(parent=(await new_person(service.api)).name)
    await stub.ListSessions(request)
    first = await service.tokens.token()
    name = f"{service.api.parent}/keys/{header_of(first)['kid']}"
    await service.api.keys.RevokeKey(keys.RevokeKeyRequest(name=name))
    service.clock.ahead += timedelta(seconds=11)
    await stub.ListSessions(request)
    assert await service.tokens.token() != first


async def test_a_stream_that_is_refused_is_begun_anew_with_another_token(service: Service) -> None:
    """The key of its token was pulled: a feed is behind for a moment, and not until the token is over."""
    async with RevocationFeed(service.connect, tenant_id=service.api.tenant_id) as feed:
        await feed.warm()
        first = await service.tokens.token()
        name = f"{service.api.parent}/keys/{header_of(first)['kid']}"
        service.clock.ahead += timedelta(seconds=11)
        await service.api.keys.RevokeKey(keys.RevokeKeyRequest(name=name))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await service.tokens.token() == first:  # noqa: ASYNC110 - the feed's own doing is waited for
                await asyncio.sleep(0.05)
        await feed.warm()


async def test_a_refused_refresh_token_is_not_taken_for_a_refused_caller(owner: Owner) -> None:
    """The service's own token stays, and the refresh is not made twice."""
    first = await owner.service.tokens.token()
    owner.service.clock.ahead += timedelta(seconds=11)
    owner.saved.append(SavedSession.of("no token"))
    with pytest.raises(SessionOverError) as told:
        await owner.restart().token()
    assert told.value.reason == "TOKEN_INVALID"
    assert await owner.service.tokens.token() == first


def test_what_is_not_argus_says_nothing_of_argus() -> None:
    assert Told.of(grpc.StatusCode.UNAUTHENTICATED, [("grpc-status-details-bin", b"\xff\xff")]).reason == ""
    assert Told.of(grpc.StatusCode.UNAUTHENTICATED, None).reason == ""
