"""What hot calls leave to be written: soon there, never forgotten by an outage, and no danger where it is."""

from __future__ import annotations

import statistics
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg

from argus.server.api import Api
from argus.server.private_stack import stack_over
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores
from tests.support.own_stores import lose_everything, until, without_postgresql, without_redis
from tests.support.people import Person, new_person, reason_of, refresh, verify
from tests.support.processes import frozen_postgresql, kill_postgresql

if TYPE_CHECKING:
    from pathlib import Path

    from argus.server.private_stack import PrivateStack

GRACE = timedelta(seconds=30)
SECOND = 1.0


async def bound_of(private: PrivateStack, name: str) -> tuple[int, str]:
    """Lower bound and state of a session in PostgreSQL."""
    row = await private.server.argus.db.fetch_one(
        "SELECT generation_bound, state FROM sessions WHERE session_id = %s", (name.rpartition("/")[2],)
    )
    assert row is not None
    return int(row["generation_bound"]), str(row["state"])


async def until_bound(private: PrivateStack, name: str, bound: int) -> float:
    """Seconds until PostgreSQL knows it."""

    async def is_there() -> bool:
        return (await bound_of(private, name))[0] >= bound

    return await until(is_there)


async def pass_time(private: PrivateStack, by: timedelta) -> None:
    """Moves the clocks, and leaves what waits to be written waiting."""
    private.clock.advance(round(by.total_seconds() * 1000))
    await private.server.argus.redis.load_functions()


async def replayed(private: PrivateStack, api: Api, person: Person) -> tuple[str, list[str]]:
    """A session, and its refresh tokens of three generations; the first is two behind."""
    done = await person.sign_in()
    chain = [done.tokens.refresh_token]
    for _ in range(2):
        chain.append((await refresh(api, chain[-1])).tokens.refresh_token)
        await private.advance(timedelta(minutes=2))
    return done.session.name, chain


async def test_a_second_after_a_rotation_postgresql_knows_it(private: PrivateStack, api: Api) -> None:
    waits = []
    for _ in range(5):
        done = await (await new_person(api)).sign_in()
        await refresh(api, done.tokens.refresh_token)
        waits.append(await until_bound(private, done.session.name, 2))
    # One may meet a busy machine.
    assert statistics.median(waits) < SECOND


async def test_while_postgresql_is_away_for_longer_than_a_grace_nothing_rotates(
    private: PrivateStack, breakable: EmbeddedStores, api: Api
) -> None:
    """An access token and no new refresh token; rotation goes on as soon as the bounds are written."""
    first, second = [await (await new_person(api)).sign_in() for _ in range(2)]
    async with without_postgresql(breakable, private):
        assert (await refresh(api, first.tokens.refresh_token)).tokens.refresh_token != first.tokens.refresh_token
        await pass_time(private, 2 * GRACE)
        held = (await refresh(api, second.tokens.refresh_token)).tokens
        assert held.refresh_token == second.tokens.refresh_token
        assert (await verify(api, held.access_token)).session == second.session.name
    await until_bound(private, first.session.name, 2)

    async def rotates() -> bool:
        again = await refresh(api, second.tokens.refresh_token)
        return again.tokens.refresh_token != second.tokens.refresh_token

    await until(rotates)


async def test_what_is_being_written_to_a_postgresql_that_hangs_still_waits(
    private: PrivateStack, breakable: EmbeddedStores, api: Api
) -> None:
    """Else nothing would seem to wait for most of the time, and rotation would go on."""
    first, second = [await (await new_person(api)).sign_in() for _ in range(2)]
    argus = private.server.argus

    async def is_being_written() -> bool:
        return argus.effects._turn.locked()

    with frozen_postgresql(breakable):
        await refresh(api, first.tokens.refresh_token)
        await until(is_being_written)
        await pass_time(private, 2 * GRACE)
        assert argus.engine.effects_queued()[1] >= 1000 * GRACE.total_seconds()
        held = (await refresh(api, second.tokens.refresh_token)).tokens
        assert held.refresh_token == second.tokens.refresh_token
    await until_bound(private, first.session.name, 2)


async def test_a_killed_process_takes_a_bound_along_and_the_token_itself_says_it(tmp_path: Path) -> None:
    """It rotates, dies before PostgreSQL knows, and Redis loses everything: the client's newest token goes on."""
    with EmbeddedStores(tmp_path / "stores") as stores:
        async with stack_over(stores.urls) as own:
            api = await own.new_tenant()
            done = await (await new_person(api)).sign_in()
            served = Served(own.settings, tmp_path / "served")
            newest = await _rotate_and_die(served, stores, api, done.session.name, done.tokens.refresh_token)
            assert await bound_of(own, done.session.name) == (1, "active")
            await lose_everything(own)
            following = await refresh(api, newest)
            assert (following.session, following.tokens.refresh_token) == (done.session.name, newest)
            await until_bound(own, done.session.name, 2)
            await own.advance(timedelta(minutes=2))
            assert (await refresh(api, newest)).tokens.refresh_token != newest
            await until_bound(own, done.session.name, 3)
            events = await own.server.argus.db.fetch_all(
                "SELECT type FROM audit_events WHERE tenant_id = %s AND type LIKE 'refresh.%%'", (api.tenant_id,)
            )
            assert [row["type"] for row in events] == ["refresh.adopted"]
            await api.close()


async def _rotate_and_die(served: Served, stores: EmbeddedStores, api: Api, name: str, token: str) -> str:
    """Another process gives out the next token, and is killed before the bound can be written."""
    with served.running():
        there = api.at(served.grpc_address)
        async with await psycopg.AsyncConnection.connect(stores.urls.database) as holder:
            # Nobody can write the bound while this is held.
            held = "SELECT 1 FROM sessions WHERE session_id = %s FOR SHARE"
            await holder.execute(held, (name.rpartition("/")[2],))
            newest = str((await refresh(there, token)).tokens.refresh_token)
            assert newest != token
            served.kill()
            await holder.rollback()
        await there.close()
    return newest


async def test_what_waits_is_written_when_a_process_stops(breakable: EmbeddedStores, private: PrivateStack) -> None:
    """Nothing is lost by a stop in good order; while PostgreSQL is away it ends all the same."""
    key = private.settings.key_encryption_key
    api = await private.new_tenant()
    people = [await new_person(api) for _ in range(2)]
    for person, is_there in zip(people, (True, False), strict=True):
        session = await person.sign_in()
        async with stack_over(breakable.urls, clock=private.clock, key_encryption_key=key) as other:
            there = api.at(other.server.grpc_address)
            await there.token()
            if not is_there:
                kill_postgresql(breakable)
            await refresh(there, session.tokens.refresh_token)
            await there.close()
        if not is_there:
            breakable.launch_postgresql()
            breakable.wait()
        assert (await bound_of(private, session.session.name))[0] == (2 if is_there else 1)
    await api.close()


async def test_a_tenant_that_was_never_verified_goes_on_without_postgresql(
    private: PrivateStack, breakable: EmbeddedStores, api: Api
) -> None:
    """Its sign-in has written all that a use needs."""
    await verify(api, (await (await new_person(api)).sign_in()).tokens.access_token)
    await private.server.argus.covers.keep()
    made = await private.new_tenant()
    done = await (await new_person(made)).sign_in()
    async with without_postgresql(breakable, private):
        assert (await verify(made, done.tokens.access_token)).session == done.session.name
        assert (await refresh(made, done.tokens.refresh_token)).session == done.session.name
    await made.close()


async def test_an_emptied_redis_gets_the_not_befores_of_all_tenants_unasked(private: PrivateStack, api: Api) -> None:
    argus = private.server.argus
    name = argus.keyspace.not_before_key(api.tenant_id)
    await lose_everything(private)
    await until(lambda: argus.redis.client.exists(name))
    assert await argus.redis.client.exists(argus.keyspace.not_before_key(api.tenant_id, "backend"))
    assert await argus.covers.keep() == 0


async def test_contested_in_postgresql_before_the_answer(private: PrivateStack, api: Api, person: Person) -> None:
    """And Redis may forget it."""
    name, chain = await replayed(private, api, person)
    assert await reason_of(refresh(api, chain[0])) == "STEP_UP_REQUIRED"
    assert (await bound_of(private, name))[1] == "contested"
    await lose_everything(private)
    assert await reason_of(refresh(api, chain[-1])) == "STEP_UP_REQUIRED"


async def test_contested_in_redis_alone_outlives_its_restart(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person
) -> None:
    """PostgreSQL was away, and the process that knew it died: the old record still says so."""
    name, chain = await replayed(private, api, person)
    engine = private.server.argus.engine
    async with without_postgresql(breakable, private):
        assert await reason_of(refresh(api, chain[0])) == "STEP_UP_REQUIRED"
        engine.discard_effects(engine.effects_queued()[0])
    async with without_redis(breakable):
        pass
    assert (await bound_of(private, name))[1] == "active"
    assert await reason_of(refresh(api, chain[-1])) == "STEP_UP_REQUIRED"
