"""What a tenant has not bought is refused by name, everywhere alike, and is all there again once it is bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.plans.model import AddOn, Subscription, entitlements
from argus.server.api import Api, Failure, failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from tests.support.browsers import Browser
from tests.support.oneself import Acting
from tests.support.people import new_person
from tests.support.readers import new_reader
from tests.support.wire import ALL_RPCS, Rpc

if TYPE_CHECKING:
    from tests.support.mails import MailServer
    from tests.support.stack import Stack
    from tests.support.world import World

CORE: Final = Subscription(plan="professional")
MULTI_DEVICE: Final = Subscription(plan="professional", add_ons=frozenset({"multi_device_management"}))
GUARDED: Final = [rpc for rpc in ALL_RPCS if not rpc.access.anonymous]


async def give(stack: Stack, api: Api, bought: Subscription) -> None:
    """Gives a tenant a plan."""
    origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id=new_id())
    await stack.argus.plans.set(api.tenant_id, bought, origin=origin)
    await stack.argus.snapshot.refresh()


def table_name(rpc: Rpc) -> str:
    """The RPC's name in the table."""
    service, _, method = rpc.path.removeprefix("/argus.v1.").partition("/")
    return f"{service}.{method}"


def needed(rpc: Rpc) -> AddOn | None:
    """The add-on that the RPC needs beside the smallest plan."""
    return entitlements().features[entitlements().feature_of(table_name(rpc))].add_on


@pytest.fixture(scope="module")
async def core(stack: Stack) -> World:
    """A tenant with one of everything, and the smallest plan."""
    world = await stack.new_world()
    await give(stack, stack.api_of(world), CORE)
    return world


@pytest.mark.parametrize("rpc", [rpc for rpc in GUARDED if not needed(rpc)], ids=table_name)
async def test_the_core_is_in_the_smallest_plan(stack: Stack, core: World, rpc: Rpc) -> None:
    authorization = f"Bearer {await stack.api_of(core).token()}"
    answer = await stack.wire.call(rpc.path, core.request(rpc.name), authorization=authorization)
    assert not isinstance(answer, Failure) or answer.reason != "FEATURE_NOT_IN_PLAN"


@pytest.mark.parametrize("rpc", [rpc for rpc in GUARDED if needed(rpc)], ids=table_name)
async def test_what_an_add_on_brings_is_refused_without_it(stack: Stack, rpc: Rpc) -> None:
    """And answered with the add-on that the refusal names."""
    world = await stack.new_world()
    api, add_on = stack.api_of(world), needed(rpc)
    assert add_on is not None
    await give(stack, api, CORE)
    authorization = f"Bearer {await api.token()}"
    answer = await stack.wire.call(rpc.path, world.request(rpc.name), authorization=authorization)
    assert isinstance(answer, Failure)
    assert (answer.code, answer.reason) == ("FAILED_PRECONDITION", "FEATURE_NOT_IN_PLAN")
    feature = entitlements().feature_of(table_name(rpc))
    assert answer.metadata == {"feature": feature, "plan": "professional", "addOn": add_on}
    await give(stack, api, Subscription(plan="professional", add_ons=frozenset({add_on})))
    answer = await stack.wire.call(rpc.path, world.request(rpc.name), authorization=authorization)
    assert not isinstance(answer, Failure), answer


async def test_ended_sessions_are_history(stack: Stack) -> None:
    api = await stack.new_tenant()
    person = await new_person(api)
    acting = Acting(api, await person.sign_in())
    await give(stack, api, CORE)
    failure = await failure_of(person.list(with_ended=True))
    assert failure is not None
    assert failure.metadata["feature"] == "history"
    assert (await acting.refused("ListOwnSessions", show_ended=True)).reason == "FEATURE_NOT_IN_PLAN"
    assert len(await person.list()) == len(await acting.sessions()) == 1


async def test_who_asks_what_was_bought_is_told_of_every_feature(stack: Stack) -> None:
    api = await stack.new_tenant()
    assert (await stack.argus.plans.of(api.tenant_id)).plan == "enterprise"
    await give(stack, api, MULTI_DEVICE)
    told = await api.tenants.GetEntitlements(tenants.GetEntitlementsRequest(name=api.parent))
    assert told.plan == tenants.PLAN_PROFESSIONAL
    assert list(told.add_ons) == [tenants.ADD_ON_MULTI_DEVICE_MANAGEMENT]
    assert {one.feature for one in told.entitlements} == entitlements().features.keys()
    assert {one.feature for one in told.entitlements if not one.included} == {"threat_detection"}
    tenant = (await api.tenants.GetTenant(tenants.GetTenantRequest(name=api.parent))).tenant
    assert (tenant.plan, list(tenant.add_ons)) == (told.plan, list(told.add_ons))


async def test_only_the_operator_changes_a_plan(stack: Stack) -> None:
    api, operator = await stack.new_tenant(), await stack.private.new_tenant(is_system=True)
    try:
        asked = tenants.SetPlanRequest(name=api.parent, plan=tenants.PLAN_PROFESSIONAL)
        failure = await failure_of(api.tenants.SetPlan(asked))
        assert failure is not None
        assert failure.code == "PERMISSION_DENIED"
        asked.validate_only = True
        await operator.tenants.SetPlan(asked)
        assert (await stack.argus.plans.of(api.tenant_id)).plan == "enterprise"
        asked.validate_only = False
        assert (await operator.tenants.SetPlan(asked)).tenant.plan == tenants.PLAN_PROFESSIONAL
        asked.add_ons.append(tenants.ADD_ON_MULTI_DEVICE_MANAGEMENT)
        asked.plan = tenants.PLAN_ENTERPRISE
        failure = await failure_of(operator.tenants.SetPlan(asked))
        assert failure is not None
        assert (failure.reason, failure.field) == ("FIELD_INVALID", "add_ons")
    finally:
        await operator.close()


async def test_no_call_asks_postgresql_what_was_bought(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers come from what the snapshot has brought."""
    api = await stack.new_tenant()
    person = await new_person(api)
    await give(stack, api, CORE)

    async def asked(*_: object) -> None:
        pytest.fail("PostgreSQL was asked")

    monkeypatch.setattr("argus.plans.service.store.find", asked)
    assert await person.list() == []
    request = sessions.ListSessionEventsRequest(parent=f"{person.name}/sessions/x")
    failure = await failure_of(api.sessions.ListSessionEvents(request))
    assert failure is not None
    assert failure.reason == "FEATURE_NOT_IN_PLAN"


async def test_new_devices_are_kept_while_nobody_is_told_of_them(stack: Stack, mails: MailServer) -> None:
    """A device of the time between is none that is new after it."""
    reader = await new_reader(stack, mails)
    api, person = reader.post.api, reader.person
    await person.sign_in()
    await give(stack, api, CORE)
    between = await person.sign_in(ip="192.0.2.1")
    assert await reader.told() == {}
    await give(stack, api, MULTI_DEVICE)
    await person.sign_in(device_token=between.device_token)
    assert await reader.told() == {}
    await person.sign_in(ip="192.0.2.2")
    assert await reader.told() == {"Sign-in on a new device": 1}


async def test_pages_show_what_is_sold_and_do_not_break(stack: Stack) -> None:
    api = await stack.new_tenant()
    person = await new_person(api)
    async with httpx.AsyncClient() as http:
        browser = Browser(stack, api.tenant_id, http=http)
        await browser.sign_in(person.identifier)
        (session,) = await person.list()
        session.device.display_name, session.device.category = "Kitchen table", "home"
        mask = FieldMask(paths=["device.display_name", "device.category"])
        await api.sessions.UpdateSession(sessions.UpdateSessionRequest(session=session, update_mask=mask))
        one = f"/account/devices/{session.name.rpartition('/')[2]}"

        async def page(path: str, *, form: dict[str, str] | None = None) -> httpx.Response:
            url = f"{stack.server.http_url}/t/{api.tenant_id}{path}"
            headers = {"accept": "text/html", "cookie": browser.jar.header(), "sec-fetch-site": "same-origin"}
            if form is None:
                return await http.get(url, headers=headers)
            return await http.post(url, data=form, headers=headers | {"origin": browser.origin})

        async def shows() -> dict[str, bool]:
            device, listed = (await page(one)).text, (await page("/account/devices")).text
            return {
                "name": "Kitchen table" in device and "Kitchen table" in listed,
                "rename": "/rename" in device,
                "history": 'id="history"' in device,
                "activity": "/account/activity" in listed,
                "end all": "/account/devices/end-all" in listed,
                "system": "Firefox on Linux" in device,
            }

        everything = dict.fromkeys(["name", "rename", "history", "activity", "end all"], True)
        core = dict.fromkeys(["name", "rename", "history", "activity"], False) | {"end all": True, "system": True}
        before = await shows()
        assert before == everything | {"system": before["system"]}
        await give(stack, api, CORE)
        assert await shows() == core
        for path, form in (("/account/activity", None), (f"{one}/rename", {"name": "Hall"})):
            refused = await page(path, form=form)
            assert refused.status_code == 409
            assert "This is not available here" in refused.text
        assert (await page("/account/security")).status_code == 200
        await give(stack, api, Subscription())
        assert await shows() == before
