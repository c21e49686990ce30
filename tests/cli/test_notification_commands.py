"""The commands for plans and notifications, as an operator runs them."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from argus.notifications.deliveries.model import DeliveryNotFoundError
from argus.server.api import Api
from argus.v1 import notification_service_pb2 as pb
from tests.support.hooks import Hooked
from tests.support.people import new_person
from tests.support.receivers import Receiver, receiver, status
from tests.support.shell import Shell
from tests.support.stack import Stack


@pytest.fixture
async def api(stack: Stack) -> Api:
    """A tenant of the test's own."""
    return await stack.new_tenant()


@pytest.fixture
def shell(stack: Stack, api: Api, tmp_path: Path) -> Shell:
    """A shell that may reach this machine."""
    return Shell(stack, api, tmp_path, ARGUS_WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


async def test_plans(shell: Shell, api: Api) -> None:
    rows = {row["feature"]: row for row in await shell.json("tenants", "plan", "show")}
    assert all(row["included"] for row in rows.values())
    given = await shell.json("tenants", "plan", "set", "professional", "--add-on", "multi_device_management")
    assert (given["plan"], given["add_ons"]) == ("professional", ["multi_device_management"])
    rows = {row["feature"]: row for row in await shell.json("tenants", "plan", "show")}
    assert rows["history"]["included"]
    assert not rows["threat_detection"]["included"]
    listed = {row["tenant"]: row for row in await shell.json("tenants", "list")}
    assert listed[api.tenant_id]["plan"] == "professional"
    await shell.run("tenants", "plan", "set", "platinum", code=2)
    await shell.run("tenants", "plan", "set", "professional", "--add-on", "gold", code=2)


async def test_a_channel_that_fails_and_is_helped(shell: Shell, api: Api, stack: Stack, endpoint: Receiver) -> None:
    """Add, test, see the dead letter, send it again."""
    made = await shell.json("notifications", "add-webhook", endpoint.url, "--event-type", "user.*")
    assert made["secret"].startswith("whsec_")
    hook = Hooked(stack, api, endpoint, f"{api.parent}/channels/{made['channel']}", made["secret"])
    assert (await shell.json("notifications", "test", made["channel"]))["outcome"] == "SENT"
    endpoint.usual = status(410)
    await shell.run("notifications", "test", made["channel"], code=1)
    await hook.happen(await new_person(api))
    await hook.settled()
    (listed,) = await shell.json("notifications", "channels")
    assert (listed["state"], listed["reason"]) == ("paused", "ENDPOINT_GONE")
    assert "secret" not in listed
    await stack.advance(timedelta(days=4))
    await stack.argus.notifications.deliveries.tidy()
    dead = await shell.json("notifications", "dead-letters")
    assert "user.updated" in {one["subject"] for one in dead}
    assert dead[0]["reason"] == "ENDPOINT_GONE"
    endpoint.usual = status(200)
    assert (await shell.json("notifications", "retry", dead[0]["delivery"]))["state"] == "waiting"
    assert (await shell.json("notifications", "resume", made["channel"]))["state"] == "active"
    await hook.settled()
    assert await hook.deliveries(pb.DELIVERY_STATE_SENT)
    rotated = await shell.json("notifications", "rotate-secret", made["channel"])
    assert rotated["secret"] != made["secret"]
    with pytest.raises(DeliveryNotFoundError):
        await shell.run("notifications", "retry", "no-such-delivery")
