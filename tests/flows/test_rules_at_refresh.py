"""Rules of policies count at refresh, too, where what they speak of may have changed since the session began."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.rpc.validate import to_duration
from argus.server.api import failure_of
from argus.v1 import device_service_pb2 as devices
from argus.v1 import session_service_pb2 as sessions
from tests.support.following import follow
from tests.support.moments import move_to, now
from tests.support.people import Person, new_person, reason_of, refresh
from tests.support.policies import set_document

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

HOUR: Final = timedelta(hours=1)
MINUTE: Final = timedelta(minutes=1)
ABSOLUTE: Final = {"absolute_seconds": 86400}


def rule(when: str, **then: Any) -> dict[str, Any]:
    return {**ABSOLUTE, "rules": [{"name": "one", "when": when, "then": then}]}


async def new_session(api: Api, person: Person) -> sessions.CreateSessionResponse:
    request = sessions.CreateSessionRequest(parent=person.name, acr="urn:argus:acr:1", amr=["pwd"])
    return await api.sessions.CreateSession(request)


async def to_next_hour(stack: Stack) -> int:
    """Moves the time to a moment after the next full hour; answers which hour it is."""
    full = now(stack).replace(minute=0, second=0, microsecond=0) + HOUR
    await move_to(stack, full + timedelta(seconds=1))
    return now(stack).astimezone(UTC).hour


async def test_a_rule_of_time_is_met_at_a_refresh_and_what_it_tightens_stays(stack: Stack) -> None:
    """Tokens live shorter from that hour on; the session says in its history under which number it went on."""
    api = await stack.new_tenant()
    hour = await to_next_hour(stack)
    await set_document(stack, api.tenant_id, rule(f"hour == {(hour + 1) % 24}", access_seconds=60))
    made = await new_session(api, await new_person(api))
    # What follows the new policy itself has followed it: from here on only refreshes find another hour.
    await move_to(stack, now(stack) + timedelta(seconds=61))
    await follow(stack)
    lives = []
    for _ in range(3):
        made.tokens.CopyFrom((await refresh(api, made.tokens.refresh_token)).tokens)
        lives.append(made.tokens.expires_in.seconds)
        await to_next_hour(stack)
    assert lives[0] > 60 >= max(lives[1:])
    rows = await stack.argus.db.fetch_all(
        "SELECT reason, data FROM audit_events WHERE tenant_id = %s AND type = 'session.policy_changed'",
        (api.tenant_id,),
    )
    assert [row["reason"] for row in rows] == ["RULE"]
    seen = {}
    for when in (made.session.create_time.ToDatetime(tzinfo=UTC), now(stack)):
        request = sessions.GetSessionAtRequest(name=made.session.name)
        request.time.FromDatetime(when)
        seen[when] = (await api.sessions.GetSessionAt(request)).policy_revision
    assert list(seen.values()) == [int(rows[0]["data"]["before"]), int(rows[0]["data"]["revision"])]


async def test_the_level_that_a_rule_requires_goes_with_it(stack: Stack) -> None:
    """Refused for the hour, with what to prove; nothing is spent, and the same token is good in the next one."""
    api = await stack.new_tenant()
    hour = await to_next_hour(stack)
    await set_document(stack, api.tenant_id, rule(f"hour == {(hour + 1) % 24}", required_acr=2))
    made = await new_session(api, await new_person(api))
    assert not await reason_of(refresh(api, made.tokens.refresh_token))
    other = await new_session(api, await new_person(api))
    await to_next_hour(stack)
    failure = await failure_of(refresh(api, other.tokens.refresh_token))
    assert failure is not None
    assert (failure.reason, failure.metadata["acrValues"]) == ("STEP_UP_REQUIRED", "urn:argus:acr:2")
    await to_next_hour(stack)
    assert not await reason_of(refresh(api, other.tokens.refresh_token))


async def test_a_rule_knows_whether_the_device_is_trusted(stack: Stack) -> None:
    """Of a session that lives when it is set, at its next refresh; and no more once the device is trusted."""
    api = await stack.new_tenant()
    person = await new_person(api)
    made = await new_session(api, person)
    await set_document(stack, api.tenant_id, rule("!device_trusted", required_acr=2))
    await follow(stack)
    assert await reason_of(refresh(api, made.tokens.refresh_token)) == "STEP_UP_REQUIRED"
    (device,) = (await api.devices.ListDevices(devices.ListDevicesRequest(parent=person.name))).devices
    await api.devices.TrustDevice(devices.TrustDeviceRequest(name=device.name))
    assert not await reason_of(refresh(api, made.tokens.refresh_token))


async def test_a_device_is_trusted_no_longer_than_the_policy_of_now_lets_it(stack: Stack) -> None:
    """At refresh and at sign-in; a longer time brings nothing back that is over."""
    api = await stack.new_tenant()
    person = await new_person(api)
    done = await person.sign_in()
    (device,) = (await api.devices.ListDevices(devices.ListDevicesRequest(parent=person.name))).devices
    await api.devices.TrustDevice(devices.TrustDeviceRequest(name=device.name, trusted_for=to_duration(20 * MINUTE)))
    await stack.advance(10 * MINUTE)
    held: list[tuple[int, bool, bool]] = []
    newest = done.tokens.refresh_token
    for seconds in (1200, 300, 0, 86400):
        if seconds > 1200:
            await stack.advance(10 * MINUTE)
        document = rule("!device_trusted", required_acr=2) | {"device_trusted_for_seconds": seconds}
        await set_document(stack, api.tenant_id, document)
        begun = await person.sign_in(device_token=done.device_token)
        failure = await failure_of(refresh(api, newest))
        if failure is None:
            newest = (await refresh(api, newest)).tokens.refresh_token
        held.append((seconds, bool(begun.session.name), failure is None))
    assert held == [(1200, True, True), (300, False, False), (0, False, False), (86400, False, False)]


@pytest.mark.parametrize(
    ("when", "is_judged"), [("'staff' in groups", False), ("device_class == 'phone'", False), ("hour < 6", True)]
)
async def test_only_rules_of_what_may_change_cost_a_refresh_anything(stack: Stack, when: str, is_judged: bool) -> None:
    api = await stack.new_tenant()
    await set_document(stack, api.tenant_id, rule(when, access_seconds=60))
    judged = await stack.argus.policies.judged_at_refresh(api.tenant_id)
    assert judged.holds(api.client_id) is is_judged
