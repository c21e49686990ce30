"""The server's deadline holds whatever the work below it does."""

import asyncio
from datetime import timedelta

import pytest

from argus.rpc.context import Call
from argus.rpc.errors import DeadlineError
from argus.rpc.interceptors import _in_time
from argus.server.api import failure_of
from argus.server.private_stack import stack_over
from argus.storage.embedded import StoreUrls
from argus.v1 import user_service_pb2 as users
from tests.support.stack import Stack
from tests.support.world import make_world


async def test_work_that_resists_its_cancelling_does_not_hold_the_answer_up() -> None:
    """As a database driver does that waits for a server that hangs."""
    resisted, over = asyncio.Event(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await over.wait()
        except asyncio.CancelledError:
            resisted.set()
            await over.wait()

    with pytest.raises(DeadlineError):
        await _in_time(stubborn(), Call(method="/a.B/C", request_id="r", deadline_ms=10))
    await resisted.wait()
    over.set()


async def test_what_is_in_time_is_passed_on() -> None:
    """Answers and errors alike."""
    call = Call(method="/a.B/C", request_id="r", deadline_ms=10_000)

    async def answer() -> int:
        return 7

    async def fail() -> int:
        raise KeyError("x")

    assert await _in_time(answer(), call) == 7
    with pytest.raises(KeyError):
        await _in_time(fail(), call)


async def test_a_client_that_would_wait_longer_than_the_server_is_told_to_try_again(
    stores: StoreUrls, stack: Stack
) -> None:
    """It still waits: what it gets must say that nothing was refused, as when a store is away."""
    key = stack.private.settings.key_encryption_key
    shortest = timedelta(seconds=1)
    async with (
        stack_over(stores, clock=stack.private.clock, key_encryption_key=key, request_deadline=shortest) as hasty,
        hasty.fresh_tenant() as api,
    ):
        world = await make_world(api)
        request = users.UpdateUserRequest(user=users.User(name=world.user, display_name="x"))
        request.update_mask.paths.append("display_name")
        async with hasty.server.argus.db.transaction() as tx:
            await tx.execute("SELECT 1 FROM users WHERE tenant_id = %s FOR UPDATE", (api.tenant_id,))
            failure = await failure_of(api.users.UpdateUser(request, timeout=30))
    assert failure is not None
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "UNAVAILABLE")
    assert failure.metadata == {"component": "argus", "cause": "SERVER_DEADLINE"}
