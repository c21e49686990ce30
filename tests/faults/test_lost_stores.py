"""A store that is away or has lost its data: nothing is answered wrongly, and nobody honest is logged out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from argus.base.errors import UnavailableError
from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.own_stores import PATIENCE_SECONDS, carried_out, lose_everything, without_postgresql, without_redis
from tests.support.people import new_person, reason_of, refresh, terminate, verify

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores
    from tests.support.people import Person


async def test_an_emptied_redis_logs_nobody_out(private: PrivateStack, api: Api, person: Person) -> None:
    done = await person.sign_in()
    token = (await refresh(api, done.tokens.refresh_token)).tokens
    await private.server.argus.effects.flush()
    await lose_everything(private)
    assert (await verify(api, token.access_token)).session == done.session.name
    await lose_everything(private)
    assert (await refresh(api, token.refresh_token)).session == done.session.name


async def test_what_ended_stays_ended_whatever_redis_forgets(private: PrivateStack, api: Api, person: Person) -> None:
    one, all_of_them = await person.sign_in(), await person.sign_in()
    await terminate(api, one.session.name)
    await lose_everything(private)
    failures = [
        await failure_of(verify(api, one.tokens.access_token)),
        await failure_of(refresh(api, one.tokens.refresh_token)),
    ]
    for failure in failures:
        assert failure is not None
        assert (failure.reason, failure.metadata["endReason"]) == ("SESSION_ENDED", "ENDED_BY_ADMIN")
    await api.users.DisableUser(users.DisableUserRequest(name=person.name))
    await lose_everything(private)
    assert await reason_of(verify(api, all_of_them.tokens.access_token)) == "SESSION_ENDED"


async def test_a_restarted_redis_is_asked_nothing_before_it_is_rebuilt(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    """Its old data may be older than they seem: the lineage has changed."""
    done = await person.sign_in()
    async with without_redis(breakable):
        pass
    assert (await verify(api, done.tokens.access_token)).session == done.session.name


async def test_limits_hold_over_a_loss(private: PrivateStack, api: Api, person: Person) -> None:
    for _ in range(10):
        await person.sign_in()
    await lose_everything(private)
    await person.sign_in()
    assert await person.count() == 10


async def test_a_token_of_no_session_is_no_token(private: PrivateStack, api: Api, person: Person) -> None:
    done = await person.sign_in()
    await lose_everything(private)
    async with private.server.argus.db.transaction() as tx:
        await tx.execute("DELETE FROM sessions WHERE tenant_id = %s AND user_id = %s", (api.tenant_id, person.user_id))
    assert await reason_of(verify(api, done.tokens.access_token)) == "TOKEN_INVALID"
    read = await api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=done.tokens.access_token))
    assert not read.active


async def test_a_batch_after_a_loss_has_an_answer_for_each(private: PrivateStack, api: Api) -> None:
    people = [await new_person(api) for _ in range(5)]
    done = [await one.sign_in() for one in people]
    await terminate(api, done[1].session.name)
    await lose_everything(private)
    presented = [*(one.tokens.access_token for one in done), "no token"]
    request = tokens.BatchVerifyAccessTokensRequest(
        requests=[tokens.VerifyAccessTokenRequest(access_token=one) for one in presented]
    )
    results = (await api.tokens.BatchVerifyAccessTokens(request)).results
    assert [one.code for one in results] == [0, 16, 0, 0, 0, 16]
    assert [one.verified.session for one in results[:1]] == [done[0].session.name]
    assert results[1].metadata["endReason"] == "ENDED_BY_ADMIN"


async def test_without_redis_nothing_is_decided(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    done = await person.sign_in()
    async with without_redis(breakable):
        failures = [
            await failure_of(verify(api, done.tokens.access_token)),
            await failure_of(refresh(api, done.tokens.refresh_token)),
            await failure_of(person.sign_in()),
            await failure_of(api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=done.tokens.access_token))),
        ]
        for failure in failures:
            assert failure is not None
            assert (failure.code, failure.reason) == ("UNAVAILABLE", "UNAVAILABLE")
            assert failure.retry_after
    assert (await refresh(api, done.tokens.refresh_token)).session == done.session.name


async def test_an_end_without_redis_is_pending_until_redis_knows(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    done = await person.sign_in()
    async with without_redis(breakable):
        first = await terminate(api, done.session.name)
        assert first.state == types.TERMINATION_STATE_PENDING
        assert first.operation
        again = await terminate(api, done.session.name)
        assert (again.state, again.operation) == (first.state, first.operation)
        assert await reason_of(_revoke(api, done.tokens.refresh_token)) == "UNAVAILABLE"
    await carried_out(private)
    ended = await terminate(api, done.session.name)
    assert ended.state == types.TERMINATION_STATE_ENDED
    assert ended.session.end_time == first.session.end_time
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"


async def test_a_user_that_is_disabled_without_redis_has_pending_ends(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    """The change is made; that its sessions are over everywhere is not said before it is so."""
    done = await person.sign_in()
    async with without_redis(breakable):
        disabled = await api.users.DisableUser(users.DisableUserRequest(name=person.name))
        assert disabled.user.state == users.USER_STATE_DISABLED
        assert disabled.sessions_state == types.TERMINATION_STATE_PENDING
    await carried_out(private)
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"
    again = await api.users.DisableUser(users.DisableUserRequest(name=person.name))
    assert again.sessions_state == types.TERMINATION_STATE_ENDED


async def test_without_postgresql_sessions_go_on_and_none_begins(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    done = await person.sign_in()
    await verify(api, done.tokens.access_token)
    async with without_postgresql(breakable, private):
        assert (await verify(api, done.tokens.access_token)).session == done.session.name
        renewed = await refresh(api, done.tokens.refresh_token)
        assert (await verify(api, renewed.tokens.access_token)).session == done.session.name
        assert await reason_of(person.sign_in()) == "UNAVAILABLE"
    assert (await person.sign_in()).session.name


async def test_an_end_without_postgresql_is_pending_and_holds_at_once(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    done, other = await person.sign_in(), await new_person(api)
    await verify(api, done.tokens.access_token)
    foreign = f"{other.name}/sessions/{done.session.name.rpartition('/')[2]}"
    async with without_postgresql(breakable, private):
        # Whose session it is must be known even now.
        assert await reason_of(terminate(api, foreign)) == "UNAVAILABLE"
        first = await terminate(api, done.session.name, comment="in the dark")
        assert first.state == types.TERMINATION_STATE_PENDING
        assert first.session.end_reason == types.END_REASON_ENDED_BY_ADMIN
        assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"
        again = await terminate(api, done.session.name)
        assert (again.operation, again.session.end_time) == (first.operation, first.session.end_time)
    await carried_out(private)
    ended = await terminate(api, done.session.name)
    assert ended.state == types.TERMINATION_STATE_ENDED
    assert ended.session.end_time.seconds == first.session.end_time.seconds
    await lose_everything(private)
    assert await reason_of(verify(api, done.tokens.access_token)) == "SESSION_ENDED"
    events = await api.sessions.ListSessionEvents(sessions.ListSessionEventsRequest(parent=done.session.name))
    assert [one.data["comment"] for one in events.events if one.type == "session.ended"] == ["in the dark"]


async def test_all_ends_without_postgresql_hold_at_once_too(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    done = [await person.sign_in() for _ in range(2)]
    await verify(api, done[0].tokens.access_token)
    async with without_postgresql(breakable, private):
        ended = await api.sessions.TerminateSessions(sessions.TerminateSessionsRequest(parent=person.name))
        assert ended.state == types.TERMINATION_STATE_PENDING
        assert ended.operation
        for one in done:
            assert await reason_of(verify(api, one.tokens.access_token)) == "SESSION_ENDED"
    await carried_out(private)
    assert await person.count() == 0
    await lose_everything(private)
    assert await reason_of(verify(api, done[0].tokens.access_token)) == "SESSION_ENDED"


async def test_a_replay_without_postgresql_is_written_when_it_is_back(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    done = await person.sign_in()
    tokens_by_age = [done.tokens.refresh_token]
    for _ in range(2):
        tokens_by_age.append((await refresh(api, tokens_by_age[-1])).tokens.refresh_token)
        await private.advance(timedelta(minutes=2))
    async with without_postgresql(breakable, private):
        assert await reason_of(refresh(api, tokens_by_age[0])) == "STEP_UP_REQUIRED"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                await private.server.argus.effects.flush()
                break
            except UnavailableError:
                await asyncio.sleep(0.05)
    read = await api.sessions.GetSession(sessions.GetSessionRequest(name=done.session.name))
    assert read.session.state == types.SESSION_STATE_CONTESTED
    await lose_everything(private)
    assert await reason_of(refresh(api, tokens_by_age[-1])) == "STEP_UP_REQUIRED"


async def _revoke(api: Api, token: str) -> object:
    return await api.tokens.RevokeToken(tokens.RevokeTokenRequest(token=token))
