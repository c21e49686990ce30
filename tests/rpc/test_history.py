"""What concerned a user, for administrators: filtered, in pages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from google.protobuf.timestamp_pb2 import Timestamp

from argus.base.clock import now
from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as pb
from argus.v1 import types_pb2 as types
from tests.support.people import new_person, step_up, terminate
from tests.support.policies import set_policy
from tests.support.theft import contest

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.stack import Stack

DAY: Final = 86400


async def test_the_security_events_of_a_user_by_filter_and_page(stack: Stack) -> None:
    api = await stack.new_tenant()
    person, other = await new_person(api), await new_person(api)
    await other.sign_in()
    first = await person.sign_in()
    await person.try_password()
    await stack.advance(timedelta(minutes=1))
    middle = Timestamp()
    middle.FromDatetime(now(stack.private.clock))
    await terminate(api, first.session.name)

    async def types(**fields: object) -> list[str]:
        request = pb.ListSecurityEventsRequest(parent=person.name, page_size=100, **fields)  # type: ignore[arg-type]
        return [one.type for one in (await api.sessions.ListSecurityEvents(request)).events]

    everything = ["session.ended", "factor.refused", "device.created", "session.created"]
    assert sorted(await types()) == sorted([*everything, "credential.password_set"])
    assert await types(outcome="failure") == ["factor.refused"]
    assert await types(types=["session.created", "session.ended"]) == ["session.ended", "session.created"]
    assert await types(start_time=middle) == ["session.ended"]
    assert "session.ended" not in await types(end_time=middle)
    assert await types(client_id="nobody") == []
    pages, token = [], ""
    while True:
        request = pb.ListSecurityEventsRequest(parent=person.name, page_size=2, page_token=token)
        page = await api.sessions.ListSecurityEvents(request)
        pages += [one.type for one in page.events]
        if not (token := page.next_page_token):
            break
    assert pages == await types()
    failure = await failure_of(
        api.sessions.ListSecurityEvents(pb.ListSecurityEventsRequest(parent=person.name, types=["token.refreshed"]))
    )
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "types[0]")


async def test_nobody_looks_into_the_future(stack: Stack) -> None:
    api = await stack.new_tenant()
    done = await (await new_person(api)).sign_in()
    instant = Timestamp()
    instant.FromDatetime(now(stack.private.clock) + timedelta(hours=1))
    failure = await failure_of(api.sessions.GetSessionAt(pb.GetSessionAtRequest(name=done.session.name, time=instant)))
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "time")


async def test_what_purged_rows_alone_could_say_is_not_known(stack: Stack) -> None:
    """Neither of a contested session, nor of what it lived by; of what came since, and of others, as ever."""
    api = await stack.new_tenant()
    person = await new_person(api)
    await set_policy(stack, api, audit_retention_seconds=DAY, idle_seconds=3 * DAY, absolute_seconds=9 * DAY)
    theft, good = await contest(stack, person), (await person.sign_in()).session.name

    async def at(session: str, instant: datetime) -> list[tuple[int, int, int, bool]]:
        request = pb.GetSessionAtRequest(name=session)
        request.time.FromDatetime(instant)
        found = await api.sessions.GetSessionAt(request)
        return [(found.state, found.decision, found.refresh_decision, bool(found.policy_document))]

    await stack.advance(timedelta(minutes=1))
    then = now(stack.private.clock)
    contested = [(types.SESSION_STATE_CONTESTED, *[pb.SESSION_DECISION_STEP_UP_REQUIRED] * 2, True)]
    allowed = [(types.SESSION_STATE_ACTIVE, *[pb.SESSION_DECISION_ALLOWED] * 2, True)]
    assert (await at(theft.session, then), await at(good, then)) == (contested, allowed)
    await stack.advance(timedelta(days=1, minutes=10))
    await stack.argus.audit_upkeep.purge()
    assert await at(theft.session, then) == [(types.SESSION_STATE_UNSPECIFIED, 0, 0, False)]
    assert await at(good, then) == [(types.SESSION_STATE_ACTIVE, 0, 0, False)]
    done = await step_up(api, theft.newest)
    assert await at(done.session.name, now(stack.private.clock)) == allowed
