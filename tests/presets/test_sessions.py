"""Sessions live exactly as long, and are exactly as many, as the frameworks say."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.presets.numbers import Number, numbers_of
from tests.presets.scene import SECOND, office_of, time_of
from tests.support.people import reason_of, refresh, verify

if TYPE_CHECKING:
    from tests.support.stack import Stack

LEEWAY = timedelta(seconds=6)


@pytest.mark.parametrize("number", numbers_of("idle_seconds"))
async def test_idle(stack: Stack, number: Number) -> None:
    """A second before, the session goes on; then it is over, however often a program has refreshed it by itself."""
    office = await office_of(stack, number)
    await office.begin_second()
    made = await office.vouch(await office.new_person())
    deadline = time_of(made.session.create_time) + timedelta(seconds=number.value)
    await office.move_to(deadline - SECOND)
    newer = (await refresh(office.api, made.tokens.refresh_token)).tokens
    await office.move_to(deadline)
    failure = await failure_of(refresh(office.api, newer.refresh_token))
    assert failure is not None
    assert (failure.reason, failure.metadata) == ("SESSION_ENDED", {"endReason": "IDLE_TIMEOUT"})


@pytest.mark.parametrize("number", numbers_of("absolute_seconds"))
async def test_absolute(stack: Stack, number: Number) -> None:
    """A second before, a session in constant use goes on; then it is over."""
    office = await office_of(stack, number)
    await office.begin_second()
    made = await office.vouch(await office.new_person())
    begun, idle = time_of(made.session.create_time), time_of(made.session.idle_expire_time)
    deadline = begun + timedelta(seconds=number.value)
    between = 0.9 * (idle - begun)
    while office.now + between < deadline - SECOND:
        await office.move_to(office.now + between)
        touch = sessions.SessionTouch(name=made.session.name)
        touch.active_time.FromDatetime(office.now)
        request = sessions.TouchSessionsRequest(parent=office.api.parent, touches=[touch])
        assert not (await office.api.sessions.TouchSessions(request)).ended_sessions
    await office.move_to(deadline - SECOND)
    newer = (await refresh(office.api, made.tokens.refresh_token)).tokens
    await office.move_to(deadline)
    assert await reason_of(refresh(office.api, newer.refresh_token)) in {"SESSION_ENDED", "TOKEN_INVALID"}
    shown = await office.api.sessions.GetSession(sessions.GetSessionRequest(name=made.session.name))
    assert shown.session.end_reason == types.END_REASON_ABSOLUTE_TIMEOUT


@pytest.mark.parametrize("number", numbers_of("access_seconds"))
async def test_access(stack: Stack, number: Number) -> None:
    """A token is good until it expires, and expires in time."""
    office = await office_of(stack, number)
    made = await office.vouch(await office.new_person())
    life = made.tokens.expires_in.ToTimedelta()
    assert 0.95 * number.value <= life.total_seconds() <= number.value
    begun = time_of(made.session.create_time)
    await office.move_to(begun + life - SECOND)
    assert (await verify(office.api, made.tokens.access_token)).session == made.session.name
    await office.move_to(begun + timedelta(seconds=number.value) + LEEWAY)
    assert await reason_of(verify(office.api, made.tokens.access_token)) == "TOKEN_INVALID"


@pytest.mark.parametrize("number", numbers_of("session_limit"))
async def test_session_limit(stack: Stack, number: Number) -> None:
    """So many live beside each other; with one more there are no more of them."""
    office = await office_of(stack, number)
    person = await office.new_person()
    made = []
    for _ in range(number.value):
        made.append(await office.vouch(person))
        await stack.advance(SECOND)
    assert {one.name for one in await person.list()} == {one.session.name for one in made}
    latest = await office.vouch(person)
    living = {one.name for one in await person.list()}
    assert len(living) == number.value
    assert latest.session.name in living
    assert await reason_of(verify(office.api, made[0].tokens.access_token)) == "SESSION_ENDED"
