"""A user by its own token: sees, names and ends what is its own, and learns nothing of anybody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.server.api import Api
from argus.v1 import self_service_pb2 as pb
from argus.v1 import types_pb2 as types
from tests.support.oneself import Acting
from tests.support.people import Person, new_client, new_person, reason_of, verify

if TYPE_CHECKING:
    from tests.support.stack import Stack

IP: Final = "192.0.2.77"


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def acting(person: Person, **how: Any) -> Acting:
    """A new session of a person."""
    return Acting(person.api, await person.sign_in(**how))


async def test_a_user_sees_who_it_is(person: Person) -> None:
    own = await acting(person)
    answer = await own.do("GetSelf")
    assert answer.user.name == person.name
    assert [one.value for one in answer.user.identifiers] == [person.identifier]
    assert (answer.session.name, answer.session.current) == (own.session, True)


async def test_a_user_sees_its_sessions_of_all_clients(stack: Stack, api: Api, person: Person) -> None:
    """Newest first, the present one marked, with device and address; those that are over on demand."""
    own = await acting(person, ip=IP)
    other_client = await new_client(api, stack.private)
    elsewhere = Acting(other_client, await Person(**fields_of(person, api=other_client)).sign_in())
    shown = await own.sessions()
    assert [(one.name, one.current) for one in shown] == [(elsewhere.session, False), (own.session, True)]
    assert {one.client_id for one in shown} == {api.client_id, other_client.client_id}
    assert (shown[1].device.browser, shown[1].device.type, shown[1].ip_address) == ("Firefox", "desktop", IP)
    assert shown[1].HasField("last_active_time")
    await own.do("TerminateOwnSession", name=elsewhere.session)
    assert [one.name for one in await own.sessions()] == [own.session]
    assert [one.name for one in await own.sessions(show_ended=True)] == [elsewhere.session, own.session]
    await other_client.close()


async def test_a_user_names_a_session(person: Person) -> None:
    own, other = await acting(person), await acting(person)
    session = types.Session(name=other.session, device=types.Device(display_name="Kitchen", category="home"))
    both = {"paths": ["device.display_name", "device.category"]}
    changed = (await own.do("UpdateOwnSession", session=session, update_mask=both)).session
    assert (changed.device.display_name, changed.device.category, changed.current) == ("Kitchen", "home", False)
    session.etag = "r1"
    assert (await own.refused("UpdateOwnSession", session=session, update_mask=both)).reason == "ETAG_MISMATCH"
    session.ClearField("etag")
    session.device.display_name = "x" * 101
    failure = await own.refused("UpdateOwnSession", session=session, update_mask=both)
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "session.device.display_name")


async def test_a_user_ends_another_session_and_its_own(api: Api, person: Person) -> None:
    """The other one was ended by its user, the own one is a sign-out; tokens of both are refused at once."""
    own, other = await acting(person), await acting(person)
    ended = await own.do("TerminateOwnSession", name=other.session)
    assert (ended.state, ended.session.end_reason) == (
        types.TERMINATION_STATE_ENDED,
        types.END_REASON_ENDED_BY_USER,
    )
    assert (await other.refused("GetSelf")).reason == "SESSION_ENDED"
    again = await own.do("TerminateOwnSession", name=other.session)
    assert again.session.end_time == ended.session.end_time
    signed_out = await own.do("TerminateOwnSession", name=own.session)
    assert (signed_out.session.end_reason, signed_out.session.current) == (types.END_REASON_SIGNED_OUT, True)
    assert await reason_of(verify(api, own.access_token)) == "SESSION_ENDED"
    assert (await own.refused("TerminateOwnSession", name=own.session)).reason == "SESSION_ENDED"


async def test_a_user_ends_all_others_or_all(api: Api, person: Person) -> None:
    neighbour = await acting(await new_person(api))
    own, *others = [await acting(person) for _ in range(3)]
    assert (await own.do("TerminateOwnSessions", validate_only=True)).ended_count == 2
    assert (await own.do("TerminateOwnSessions")).ended_count == 2
    for other in others:
        assert (await other.refused("GetSelf")).reason == "SESSION_ENDED"
    assert [one.name for one in await own.sessions()] == [own.session]
    assert (await own.do("TerminateOwnSessions", include_current=True)).ended_count == 1
    assert (await own.refused("GetSelf")).reason == "SESSION_ENDED"
    await neighbour.do("GetSelf")


async def test_ends_are_on_record_as_the_users_own(stack: Stack, person: Person) -> None:
    """The audit names the user, not the service that it came through."""
    own, other = await acting(person), await acting(person)
    await own.do("TerminateOwnSession", name=other.session)
    rows = await stack.argus.db.fetch_all(
        "SELECT actor FROM audit_events WHERE tenant_id = %s AND session_id = %s AND type = 'session.ended'",
        (person.api.tenant_id, other.session.rpartition("/")[2]),
    )
    assert [row["actor"] for row in rows] == [f"user:{person.user_id}"]


async def test_a_user_sees_what_concerns_its_safety(person: Person) -> None:
    """In codes; refused sign-ins of strangers are among them, what services do all day is not."""
    await person.try_password(ip=IP)
    own = await acting(person)
    other = await acting(person)
    await own.step_up()
    await own.do("TerminateOwnSession", name=other.session)
    events = await own.events()
    kinds = await own.kinds()
    assert kinds[:2] + kinds[-2:] == ["SESSION_ENDED", "STEPPED_UP", "FACTOR_REFUSED", "PASSWORD_CHANGED"]
    # Of one moment, in any order.
    assert [set(kinds[2:4]), set(kinds[4:6])] == [{"SIGNED_IN", "DEVICE_ADDED"}] * 2
    ended, refused = events[0], events[-2]
    assert (ended.session, ended.current, ended.by_user) == (other.session, False, True)
    assert (ended.end_reason, ended.device.browser) == (types.END_REASON_ENDED_BY_USER, "Firefox")
    assert (refused.session, refused.by_user, refused.ip_address) == ("", False, IP)
    history = (await own.do("ListOwnSessionEvents", parent=own.session)).events
    assert [one.session for one in history] == [own.session] * len(history)
    assert [one.kind for one in history] == [
        pb.SECURITY_EVENT_KIND_STEPPED_UP,
        pb.SECURITY_EVENT_KIND_SIGNED_IN,
    ]


async def test_events_are_paged(person: Person) -> None:
    own = await acting(person)
    for _ in range(4):
        await acting(person)
    seen: list[str] = []
    token = ""
    while token or not seen:
        page = await own.do("ListOwnSecurityEvents", page_size=2, page_token=token)
        seen += [one.name for one in page.events]
        token = page.next_page_token
    assert seen == [one.name for one in await own.events()]
    assert len(seen) == len(set(seen)) > 8


async def test_a_user_sees_and_forgets_its_devices(stack: Stack, api: Api, person: Person) -> None:
    """A forgotten device is unknown again, and its sessions end, but for the one that the user acts from."""
    first = await person.sign_in()
    own = Acting(api, first)
    second = await person.sign_in()
    other, again = Acting(api, second), Acting(api, await person.sign_in(device_token=second.device_token))
    assert again.device_id == other.device_id
    devices = (await own.do("ListOwnDevices")).devices
    assert [(one.device.name, one.current) for one in devices] == [(other.device_id, False), (own.device_id, True)]
    assert (devices[0].device.display_name, devices[0].device.browser) == ("Firefox on Linux", "Firefox")
    forgotten = await own.do("ForgetOwnDevice", device_id=other.device_id)
    assert (forgotten.ended_count, forgotten.state) == (2, types.TERMINATION_STATE_ENDED)
    assert [one.name for one in await own.sessions()] == [own.session]
    assert [one.device.name for one in (await own.do("ListOwnDevices")).devices] == [own.device_id]
    assert (await own.refused("ForgetOwnDevice", device_id=other.device_id)).reason == "DEVICE_NOT_FOUND"
    unknown = await person.sign_in(device_token=second.device_token)
    assert unknown.device_token  # it gets a new one, as an unknown device does
    assert (await own.do("ForgetOwnDevice", device_id=own.device_id)).ended_count == 0
    await own.do("GetSelf")


async def test_devices_are_paged(person: Person) -> None:
    own = await acting(person)
    for _ in range(3):
        await acting(person)
    first = await own.do("ListOwnDevices", page_size=3)
    rest = await own.do("ListOwnDevices", page_size=3, page_token=first.next_page_token)
    assert rest.next_page_token == ""
    names = [one.device.name for one in (*first.devices, *rest.devices)]
    assert len(names) == len(set(names)) == 4
    assert (await own.refused("ListOwnSessions", page_token=first.next_page_token)).reason == "PAGE_TOKEN_INVALID"


def fields_of(person: Person, **changes: Any) -> dict[str, Any]:
    return {"api": person.api, "name": person.name, "identifier": person.identifier} | changes


async def test_the_last_five_minutes_count_where_factors_change(stack: Stack, person: Person) -> None:
    """ASVS 5.0, 7.5.1: a proof that is older must be given anew, and then the change is made."""
    own, other = await acting(person), await acting(person)
    new_password = "eleven sleepy badgers near the pond"
    await stack.advance(timedelta(minutes=5, seconds=1))
    await own.refresh()
    failure = await own.refused("ChangeOwnPassword", password=new_password)
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "STEP_UP_REQUIRED")
    assert failure.metadata == {"acrValues": "urn:argus:acr:1", "maxAgeSeconds": "300", "cause": "AUTH_AGE"}
    await own.step_up()
    changed = await own.do("ChangeOwnPassword", password=new_password)
    assert (changed.ended_count, changed.sessions_state) == (1, types.TERMINATION_STATE_ENDED)
    await own.do("GetSelf")
    assert (await other.refused("GetSelf")).reason in {"SESSION_ENDED", "TOKEN_INVALID"}
    failure_of_old = await person.try_password("seven quiet otters under a bridge")
    assert failure_of_old is not None
    await person.sign_in(password=new_password)
    assert "PASSWORD_CHANGED" in await own.kinds()


async def test_other_sessions_may_be_kept(person: Person) -> None:
    own, other = await acting(person), await acting(person)
    request: dict[str, Any] = {"password": "twelve modest foxes by the fence", "keep_other_sessions": True}
    changed = await own.do("ChangeOwnPassword", **request)
    assert (changed.ended_count, changed.sessions_state) == (0, types.TERMINATION_STATE_UNSPECIFIED)
    await other.do("GetSelf")


async def test_a_password_that_breaks_a_rule_changes_nothing(person: Person) -> None:
    own, other = await acting(person), await acting(person)
    failure = await own.refused("ChangeOwnPassword", password="short")
    assert (failure.reason, failure.metadata["rule"]) == ("PASSWORD_REFUSED", "TOO_SHORT")
    await other.do("GetSelf")
    await person.sign_in()


async def test_a_repeat_by_request_id_may_come_with_a_newer_token(stack: Stack, person: Person) -> None:
    """The change is made once; the token and its proof are not part of what is asked for."""
    own = await acting(person)
    session = types.Session(name=own.session, device=types.Device(display_name="Desk"))
    request: dict[str, Any] = {
        "session": session,
        "update_mask": {"paths": ["device.display_name"]},
        "request_id": "once",
    }
    first = (await own.do("UpdateOwnSession", **request)).session
    before = own.access_token
    await own.refresh()
    assert own.access_token != before
    again = (await own.do("UpdateOwnSession", **request)).session
    assert again.etag == first.etag
    session.device.display_name = "Table"
    assert (await own.refused("UpdateOwnSession", **request)).reason == "REQUEST_ID_REUSED"
    # Request ids are the user's own: another user of the same service may use the same.
    neighbour = await acting(await new_person(person.api))
    session = types.Session(name=neighbour.session, device=types.Device(display_name="Desk"))
    await neighbour.do("UpdateOwnSession", **(request | {"session": session}))
