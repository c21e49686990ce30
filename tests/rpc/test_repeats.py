"""`validate_only` and `request_id` of every mutation, found by its descriptor: a new one needs no line here."""

import secrets
from typing import Any, Final

import pytest
from google.protobuf.message import Message

from argus.server.api import Api, Failure
from tests.support.stack import Stack
from tests.support.wire import ALL_RPCS, Rpc, Wire
from tests.support.world import World, make_world

# Their answers hold a secret that is shown once.
AS_OF_NOW: Final = (
    "/argus.v1.SessionService/",
    "/argus.v1.SelfService/",
    "/argus.v1.DeviceService/ForgetDevice",
)
SECRET_ONCE: Final = {
    "CreateChannel",
    "CreateClient",
    "ReplaceOwnRecoveryCodes",
    "ReplaceRecoveryCodes",
    "RotateClientSecret",
}

MANAGED: Final = (
    *("tenants", "users", "identifiers", "groups", "group_members", "clients", "credentials", "signing_keys"),
    *("totp_secrets", "recovery_codes"),
    *("channels", "channel_secrets", "notification_templates", "notification_preferences", "plans"),
    *("policies", "devices", "requests"),
)


def rpcs_with(field: str) -> list[Any]:
    """RPCs whose requests have a field."""
    found = [rpc for rpc in ALL_RPCS if not rpc.is_hot and field in rpc.method.input_type.fields_by_name]
    return [pytest.param(rpc, id=rpc.name) for rpc in found]


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    """A tenant of this file's own, whose client may do everything."""
    return await stack.private.new_tenant(is_system=True)


@pytest.fixture
async def world(stack: Stack) -> tuple[Api, World]:
    """A tenant that the test may spoil."""
    api = await stack.private.new_tenant(is_system=True)
    return api, await make_world(api)


@pytest.fixture(scope="module")
async def unspoilt(api: Api) -> World:
    """One of everything; nothing that only validates changes it."""
    return await make_world(api)


def of_its_own(rpc: Rpc, request: Message) -> Message:
    """The request, asking for a tenant that no other test makes."""
    if rpc.name == "CreateTenant":
        request.tenant_id = f"n{secrets.token_hex(8)}"  # type: ignore[attr-defined]  # by the name of the RPC
    return request


@pytest.mark.parametrize("rpc", rpcs_with("validate_only"))
async def test_validate_only_changes_nothing(rpc: Rpc, stack: Stack, wire: Wire, api: Api, unspoilt: World) -> None:
    """Everything is checked as if it were meant, and no row is added, taken or changed."""
    request = of_its_own(rpc, unspoilt.request(rpc.name))
    request.validate_only = True  # type: ignore[attr-defined]  # chosen for it
    authorization = f"Bearer {await api.token()}"
    before = await contents(stack, api.tenant_id)
    answer = await wire.call(rpc.path, request, authorization=authorization)
    assert not isinstance(answer, Failure), answer
    assert await contents(stack, api.tenant_id) == before


@pytest.mark.parametrize("rpc", rpcs_with("request_id"))
async def test_a_repeated_request_is_carried_out_once(
    rpc: Rpc, stack: Stack, wire: Wire, world: tuple[Api, World]
) -> None:
    """The repeat changes no row and is answered like the first; where a secret was shown, by REQUEST_ALREADY_DONE."""
    api, made = world
    request: Any = of_its_own(rpc, made.request(rpc.name))
    request.request_id = secrets.token_hex(8)
    authorization = f"Bearer {await api.token()}"
    first = await wire.call(rpc.path, request, authorization=authorization)
    assert not isinstance(first, Failure), first
    before = await contents(stack, api.tenant_id)
    again = await wire.call(rpc.path, request, authorization=authorization)
    if rpc.name in SECRET_ONCE:
        assert isinstance(again, Failure)
        assert again.reason == "REQUEST_ALREADY_DONE"
    elif isinstance(again, Failure):
        # The request ended its own caller's token, or the session of its user.
        assert again.reason in {"CALLER_TOKEN_INVALID", "SESSION_ENDED"}
        return
    elif not rpc.path.startswith(AS_OF_NOW):
        # How far an end has come, and what a session has done since, is told as it is now.
        assert again == first
    assert await contents(stack, api.tenant_id) == before


async def contents(stack: Stack, tenant_id: str) -> list[dict[str, Any]]:
    """All that management changes in a tenant, and which sessions live in it."""
    rows = await stack.argus.db.fetch_all(
        "SELECT session_id, state, display_name, category, revision FROM sessions WHERE tenant_id = %s ORDER BY 1",
        (tenant_id,),
    )
    for table in MANAGED:
        rows += await stack.argus.db.fetch_all(
            f"SELECT * FROM {table} WHERE tenant_id = %s ORDER BY 1, 2, 3",
            (tenant_id,),
        )
    return rows
