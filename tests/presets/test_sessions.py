"""Sessions live exactly as long, and are exactly as many, as the frameworks say."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.presets.numbers import Number, concerns, numbers_of
from tests.presets.scene import SECOND, Office, new_office, office_of, office_of_number_alone, set_policy, time_of
from tests.support.moments import check_within, in_time
from tests.support.people import reason_of, refresh, verify

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.stack import Stack

LEEWAY = timedelta(seconds=6)


async def last_refresh(office: Office, refresh_token: str, deadline: datetime) -> str:
    """Refreshes a second before a deadline; returns the newer token."""
    await office.move_to(deadline - SECOND)
    answers: list[str] = []

    async def run() -> None:
        answers.append((await refresh(office.api, refresh_token)).tokens.refresh_token)

    failure = await failure_of(run())
    check_within(office.stack, deadline.replace(microsecond=0))
    assert failure is None, failure
    return answers[0]


@pytest.mark.parametrize("number", numbers_of("idle_seconds"))
async def test_idle(stack: Stack, number: Number) -> None:
    """A second before, a session goes on; another one that was not used by then is over."""

    async def attempt() -> None:
        office = await office_of(stack, number)
        person = await office.new_person()
        await office.begin_second()
        used, left = await office.vouch(person), await office.vouch(person)
        deadline = time_of(used.session.create_time) + timedelta(seconds=number.value)
        await last_refresh(office, used.tokens.refresh_token, deadline)
        await office.move_to(time_of(left.session.create_time) + timedelta(seconds=number.value))
        failure = await failure_of(refresh(office.api, left.tokens.refresh_token))
        assert failure is not None
        assert (failure.reason, failure.metadata) == ("SESSION_ENDED", {"endReason": "IDLE_TIMEOUT"})

    await in_time(attempt)


@pytest.mark.parametrize("number", numbers_of("refresh_is_activity"))
async def test_refresh_is_no_activity(stack: Stack, number: Number) -> None:
    """A program that refreshes by itself keeps no session alive: it is over when its user has left it for so long."""

    async def attempt() -> None:
        office = await office_of(stack, number, idle_seconds=120)
        person = await office.new_person()
        await office.begin_second()
        made = await office.vouch(person)
        deadline = time_of(made.session.create_time) + timedelta(seconds=120)
        newer = await last_refresh(office, made.tokens.refresh_token, deadline)
        await office.move_to(deadline)
        assert await reason_of(refresh(office.api, newer)) == "SESSION_ENDED"

    await in_time(attempt)


@pytest.mark.parametrize("number", numbers_of("refresh_seconds"))
async def test_refresh(stack: Stack, number: Number) -> None:
    """A refresh token that is not used for so long is good no more, though its session lives on."""

    async def attempt() -> None:
        office = await office_of_number_alone(stack, number)
        person = await office.new_person()
        await office.begin_second()
        made, other = await office.vouch(person), await office.vouch(person)
        deadline = time_of(made.session.create_time) + timedelta(seconds=number.value)
        await last_refresh(office, made.tokens.refresh_token, deadline)
        await office.move_to(time_of(other.session.create_time) + timedelta(seconds=number.value))
        assert await reason_of(refresh(office.api, other.tokens.refresh_token)) == "TOKEN_INVALID"
        assert len(await person.list()) == 2

    await in_time(attempt)


@pytest.mark.parametrize("number", numbers_of("absolute_seconds"))
async def test_absolute(stack: Stack, number: Number) -> None:
    """A second before, a session in constant use goes on; then it is over."""

    async def attempt() -> None:
        office = await office_of(stack, number)
        person = await office.new_person()
        await office.begin_second()
        made = await office.vouch(person)
        begun, idle = time_of(made.session.create_time), time_of(made.session.idle_expire_time)
        deadline = begun + timedelta(seconds=number.value)
        await use_until(office, made.session.name, deadline - 5 * SECOND, every=0.9 * (idle - begun))
        newer = await last_refresh(office, made.tokens.refresh_token, deadline)
        await office.move_to(deadline)
        assert await reason_of(refresh(office.api, newer)) in {"SESSION_ENDED", "TOKEN_INVALID"}
        shown = await office.api.sessions.GetSession(sessions.GetSessionRequest(name=made.session.name))
        assert shown.session.end_reason == types.END_REASON_ABSOLUTE_TIMEOUT

    await in_time(attempt)


async def use_until(office: Office, session: str, until: datetime, *, every: timedelta) -> None:
    """Uses a session again and again, as a service reports it."""
    while office.now + every < until:
        await office.move_to(office.now + every)
        touch = sessions.SessionTouch(name=session)
        touch.active_time.FromDatetime(office.now)
        request = sessions.TouchSessionsRequest(parent=office.api.parent, touches=[touch])
        assert not (await office.api.sessions.TouchSessions(request)).ended_sessions


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


@concerns("idle_seconds", "idle_seconds (privileged)", "session_limit", "session_limit (privileged)")
async def test_privileged_are_the_users_that_are_said_to_be(stack: Stack) -> None:
    """Of one tenant under NIST SP 800-53: an administrator may have three sessions of ten minutes, others two of 15."""
    office = await new_office(stack, {"presets": ["fedramp-high"]})
    administrator, other = await office.new_person(), await office.new_person()
    await set_policy(stack, office.api.tenant_id, {"privileged": True}, user_id=administrator.user_id)
    for person, sessions_at_once, minutes in ((administrator, 3, 10), (other, 2, 15)):
        for _ in range(4):
            made = await office.vouch(person)
            idle = time_of(made.session.idle_expire_time) - time_of(made.session.create_time)
            assert timedelta(minutes=minutes) - SECOND <= idle <= timedelta(minutes=minutes)
            await stack.advance(SECOND)
        assert len(await person.list()) == sessions_at_once
