"""Stores that go away in the middle of a step-up: nothing half-written, and a way on in every case."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from argus.internal.v1.engine_pb2 import Effect
from argus.server.api import failure_of
from argus.v1 import types_pb2 as types
from tests.support.own_stores import PATIENCE_SECONDS, without_postgresql, without_redis
from tests.support.people import (
    PASSWORD,
    reason_of,
    refresh,
    start_step_up,
    step_up,
    submit,
    terminate,
    verify,
)
from tests.support.theft import Theft, cause_of, contest, events_of, rotate, state_of

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores
    from tests.support.people import Person

GATE = 4711
# Every new family waits for the one who holds the gate: the stores can be broken at a known place.
GATED = f"""
    CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_advisory_xact_lock_shared({GATE}); RETURN NEW; END $$;
    CREATE TRIGGER gate BEFORE UPDATE ON sessions FOR EACH ROW WHEN (NEW.family > OLD.family) EXECUTE FUNCTION gate();
"""


@pytest.fixture(scope="module")
async def private(private: PrivateStack) -> PrivateStack:
    async with private.server.argus.db.transaction() as tx:
        await tx.execute(GATED)
    return private


@asynccontextmanager
async def _closed_gate(private: PrivateStack) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """No step-up gets further than to the write of its family."""
    url = private.settings.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (GATE,))
        yield connection


async def _stands_at_the_gate(connection: psycopg.AsyncConnection[Any]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            waiting = await connection.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            if await waiting.fetchone():
                return
            await asyncio.sleep(0.01)


async def _family(private: PrivateStack, session: str) -> tuple[int, str]:
    row = await private.server.argus.db.fetch_one(
        "SELECT family, state FROM sessions WHERE session_id = %s", (session.rpartition("/")[2],)
    )
    assert row is not None
    return row["family"], row["state"]


async def _record(private: PrivateStack, session: str) -> bytes:
    argus = private.server.argus
    value = await argus.redis.client.get(argus.keyspace.session_key(session.rpartition("/")[2]))
    return value if isinstance(value, bytes) else b""


async def _is_unavailable(call: object) -> None:
    failure = await failure_of(call)  # type: ignore[arg-type]  # a call of grpc.aio is awaitable, and not typed
    assert failure is not None
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "UNAVAILABLE"), failure
    assert failure.retry_after


async def _goes_on(api: Api, theft: Theft) -> None:
    """The owner gets a new family, and everything older is refused."""
    done = await step_up(api, theft.newest)
    assert (await verify(api, done.tokens.access_token)).session == theft.session
    renewed = (await refresh(api, done.tokens.refresh_token)).tokens
    assert (await verify(api, renewed.access_token)).session == theft.session
    assert await cause_of(refresh(api, theft.newest)) == "FAMILY_OLDER"
    assert await cause_of(verify(api, theft.access_token)) == "FAMILY_OLDER"


async def test_a_store_that_is_away_before_is_a_retry_and_nothing_else(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    """The try does not count, and with PostgreSQL away the same login token serves the next one."""
    theft = await contest(private, person)
    login_token, before = await start_step_up(api, theft.newest), await _record(private, theft.session)
    async with without_postgresql(breakable, private):
        await _is_unavailable(start_step_up(api, theft.newest))
        await _is_unavailable(submit(api, login_token, PASSWORD))
    assert await _record(private, theft.session) == before
    async with without_redis(breakable):
        await _is_unavailable(start_step_up(api, theft.newest))
        await _is_unavailable(submit(api, login_token, PASSWORD))
    assert await _family(private, theft.session) == (1, "contested")
    await _goes_on(api, theft)
    assert not [one for one in await events_of(api, theft.session) if one.type == "factor.refused"]


async def test_with_postgresql_back_the_same_login_token_serves(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    theft = await contest(private, person)
    login_token = await start_step_up(api, theft.newest)
    async with without_postgresql(breakable, private):
        await _is_unavailable(submit(api, login_token, PASSWORD))
    assert (await submit(api, login_token, PASSWORD)).session.name == theft.session


async def test_postgresql_lost_before_the_commit_leaves_both_stores_as_they_were(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    theft = await contest(private, person)
    login_token, before = await start_step_up(api, theft.newest), await _record(private, theft.session)
    async with _closed_gate(private) as gate:
        attempt = asyncio.create_task(_is_unavailable(submit(api, login_token, PASSWORD)))
        await _stands_at_the_gate(gate)
        async with without_postgresql(breakable, private):
            await attempt
    assert await _family(private, theft.session) == (1, "contested")
    assert await _record(private, theft.session) == before
    done = await submit(api, login_token, PASSWORD)
    assert (await verify(api, done.tokens.access_token)).session == theft.session
    assert await _family(private, theft.session) == (2, "active")


async def test_redis_lost_after_the_commit_is_a_lost_answer(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    """PostgreSQL has the family, nobody has tokens of it: old tokens lead to the next step-up."""
    theft = await contest(private, person)
    login_token = await start_step_up(api, theft.newest)
    async with _closed_gate(private) as gate:
        attempt = asyncio.create_task(_is_unavailable(submit(api, login_token, PASSWORD)))
        await _stands_at_the_gate(gate)
        async with without_redis(breakable):
            await gate.execute("SELECT pg_advisory_unlock(%s)", (GATE,))
            await attempt
    assert await _family(private, theft.session) == (2, "active")
    assert await cause_of(refresh(api, theft.newest)) == "FAMILY_OLDER"
    # Whether the token was given back depends on what Redis still knows.
    assert await reason_of(submit(api, login_token, PASSWORD)) in {"", "LOGIN_NOT_FOUND"}
    await _goes_on(api, theft)


async def test_a_token_of_a_family_that_redis_has_missed_is_good(
    private: PrivateStack, api: Api, person: Person
) -> None:
    """Redis has a current record of the old family, PostgreSQL the new one: it is read, whatever is asked first."""
    argus = private.server.argus
    for ask in (refresh, verify):
        theft = await contest(private, person)
        ids = (api.tenant_id, person.user_id, theft.session.rpartition("/")[2])
        before = await _record(private, theft.session)
        done = await step_up(api, theft.newest)
        await argus.redis.client.set(argus.keyspace.session_key(ids[2]), before)
        assert await cause_of(refresh(api, theft.newest)) == "CONTESTED"
        token = done.tokens.refresh_token if ask is refresh else done.tokens.access_token
        assert (await ask(api, token)).session == theft.session
        assert await cause_of(refresh(api, theft.newest)) == "FAMILY_OLDER"
        # And never back: a rebuild of whoever still believes in the old family.
        found = await argus.sessions.get(*ids)
        assert (found.family, found.state) == (2, "active")
        await argus.rebuild.session(*ids)
        assert await cause_of(verify(api, theft.access_token)) == "FAMILY_OLDER"


async def test_records_that_are_lost_on_the_way_are_rebuilt(private: PrivateStack, api: Api, person: Person) -> None:
    """The login is there, session and user are not: the rebuild brings the new family, and the tokens are good."""
    argus = private.server.argus
    theft = await contest(private, person)
    login_token = await start_step_up(api, theft.newest)
    await argus.redis.client.delete(
        argus.keyspace.session_key(theft.session.rpartition("/")[2]),
        argus.keyspace.user_key(api.tenant_id, person.user_id),
    )
    done = await submit(api, login_token, PASSWORD)
    assert (await verify(api, done.tokens.access_token)).session == theft.session
    assert (await refresh(api, done.tokens.refresh_token)).session == theft.session
    assert await cause_of(refresh(api, theft.newest)) == "FAMILY_OLDER"


@pytest.mark.parametrize("loss", ["everything", "a restart"])
async def test_the_new_family_outlives_a_loss(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person, loss: str
) -> None:
    """Neither the contested family nor the contest comes back, whatever Redis forgets."""
    theft = await contest(private, person)
    done = await step_up(api, theft.newest)
    newest = (await refresh(api, done.tokens.refresh_token)).tokens
    if loss == "everything":
        await private.server.argus.effects.flush()
        await private.server.argus.redis.client.flushall()
    else:
        async with without_redis(breakable):
            pass
    for token in theft.refresh_tokens:
        assert await cause_of(refresh(api, token)) == "FAMILY_OLDER"
    assert await cause_of(verify(api, theft.access_token)) == "FAMILY_OLDER"
    assert (await verify(api, newest.access_token)).session == theft.session
    assert (await refresh(api, newest.refresh_token)).session == theft.session
    assert (await state_of(api, theft.session)).state == types.SESSION_STATE_ACTIVE


async def test_a_contest_that_postgresql_learns_late_is_the_reason_and_no_more(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    """What this process knows is written first; what is told later of the old family does not touch the new one."""
    theft, effects = await rotate(private, person), private.server.argus.effects
    contested = Effect(
        tenant_id=api.tenant_id,
        user_id=person.user_id,
        session_id=theft.session.rpartition("/")[2],
        event="refresh.contested",
        outcome="failure",
        reason="REPLAYED",
        family=1,
    )
    login_token = await start_step_up(api, theft.newest)
    effects.queue([contested])
    done = await submit(api, login_token, PASSWORD)
    (stepped,) = [one for one in await events_of(api, theft.session) if one.type == "session.stepped_up"]
    assert stepped.reason == "CONTESTED"
    effects.queue([contested])
    await effects.flush()
    assert await _family(private, theft.session) == (2, "active")
    assert (await verify(api, done.tokens.access_token)).session == theft.session


async def test_an_end_that_is_pending_is_an_end(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    """It was made while PostgreSQL was away: Redis alone knows of it yet."""
    theft = await contest(private, person)
    login_token = await start_step_up(api, theft.newest)
    async with without_postgresql(breakable, private):
        assert (await terminate(api, theft.session)).state == types.TERMINATION_STATE_PENDING
    assert await reason_of(submit(api, login_token, PASSWORD)) == "SESSION_ENDED"
    assert await reason_of(start_step_up(api, theft.newest)) == "SESSION_ENDED"
    assert await reason_of(refresh(api, theft.newest)) == "SESSION_ENDED"
