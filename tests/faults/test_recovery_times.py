"""A store is killed and comes back: how long the answers take meanwhile, and how soon everything goes on."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from argus.server.api import failure_of
from argus.v1 import types_pb2 as types
from tests.support.own_stores import lose_everything, until, without_both, without_postgresql, without_redis
from tests.support.people import Person, new_person, refresh, terminate, verify

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest

    from argus.server.api import Api
    from argus.server.private_stack import PrivateStack
    from argus.storage.embedded import EmbeddedStores

SOON_SECONDS = 2.0
BACK_SECONDS = 10.0


async def unavailable(call: Awaitable[object]) -> float:
    """Seconds until a call is told to come back."""
    begun = time.monotonic()
    failure = await failure_of(call)
    assert failure is not None
    assert failure.code == "UNAVAILABLE", failure
    assert failure.retry_after
    return time.monotonic() - begun


async def again(call: Callable[[], Awaitable[object]]) -> float:
    """Seconds until a call is answered; until then it is told to come back, and nothing else."""

    async def is_answered() -> bool:
        failure = await failure_of(call())
        assert failure is None or failure.code == "UNAVAILABLE", failure
        return failure is None

    return await until(is_answered)


def show(capsys: pytest.CaptureFixture[str], store: str, seconds: dict[str, float]) -> None:
    """Figures for who reads the log."""
    with capsys.disabled():
        figures = ", ".join(f"{what} {1000 * value:.0f} ms" for what, value in seconds.items())
        sys.stdout.write(f"\n  {store} back: {figures}\n")


async def ended(api: Api, name: str) -> bool:
    """The end is known everywhere."""
    return (await terminate(api, name)).state == types.TERMINATION_STATE_ENDED


async def test_postgresql_away_and_back(
    private: PrivateStack,
    breakable: EmbeddedStores,
    api: Api,
    person: Person,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A sign-in, a refresh that needs a rebuild, an end that is pending."""
    lost, ending = await (await new_person(api)).sign_in(), await (await new_person(api)).sign_in()
    await asyncio.gather(*(private.server.argus.db.fetch_one("SELECT 1") for _ in range(16)))
    async with without_postgresql(breakable):
        for _ in range(3):
            assert await unavailable(person.start()) < SOON_SECONDS
            begun = time.monotonic()
            assert (await terminate(api, ending.session.name)).state == types.TERMINATION_STATE_PENDING
            assert time.monotonic() - begun < SOON_SECONDS
        await lose_session(private, lost.session.name)
        assert await unavailable(refresh(api, lost.tokens.refresh_token)) < SOON_SECONDS
    seconds = {
        "refresh with rebuild": await again(lambda: refresh(api, lost.tokens.refresh_token)),
        "sign-in": await again(person.sign_in),
        "end": await until(lambda: ended(api, ending.session.name)),
    }
    show(capsys, "PostgreSQL", seconds)
    assert max(seconds.values()) < BACK_SECONDS


async def test_redis_away_and_back(
    private: PrivateStack,
    breakable: EmbeddedStores,
    api: Api,
    person: Person,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done, ending = await (await new_person(api)).sign_in(), await (await new_person(api)).sign_in()
    async with without_redis(breakable):
        for _ in range(3):
            assert await unavailable(verify(api, done.tokens.access_token)) < SOON_SECONDS
            assert await unavailable(refresh(api, done.tokens.refresh_token)) < SOON_SECONDS
            assert await unavailable(person.start()) < SOON_SECONDS
        begun = time.monotonic()
        assert (await terminate(api, ending.session.name)).state == types.TERMINATION_STATE_PENDING
        assert time.monotonic() - begun < SOON_SECONDS
    seconds = {
        "verify": await again(lambda: verify(api, done.tokens.access_token)),
        "refresh": await again(lambda: refresh(api, done.tokens.refresh_token)),
        "sign-in": await again(person.sign_in),
    }
    outbox = "SELECT count(*) AS n FROM outbox WHERE tenant_id = %s AND kind = 'sessions.ended'"

    async def is_delivered() -> bool:
        return await private.server.argus.db.fetch_one(outbox, (api.tenant_id,)) == {"n": 0}

    seconds["end, by the worker alone"] = await until(is_delivered)
    show(capsys, "Redis", seconds)
    assert max(seconds.values()) < BACK_SECONDS
    assert await ended(api, ending.session.name)


async def test_both_away_and_back(
    private: PrivateStack, breakable: EmbeddedStores, api: Api, person: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    done = await (await new_person(api)).sign_in()
    async with without_both(breakable):
        assert await unavailable(verify(api, done.tokens.access_token)) < SOON_SECONDS
        assert await unavailable(terminate(api, done.session.name)) < 2 * SOON_SECONDS
    seconds = {
        "refresh with rebuild": await again(lambda: refresh(api, done.tokens.refresh_token)),
        "sign-in": await again(person.sign_in),
    }
    show(capsys, "both", seconds)
    assert max(seconds.values()) < BACK_SECONDS
    await lose_everything(private)
    assert (await verify(api, done.tokens.access_token)).session == done.session.name


async def lose_session(private: PrivateStack, name: str) -> None:
    """Redis forgets one session."""
    argus = private.server.argus
    await argus.redis.client.delete(argus.keyspace.session_key(name.rpartition("/")[2]))
