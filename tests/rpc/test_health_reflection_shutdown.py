"""Health, reflection, request ids, deadlines, and a stop that drops nothing."""

import asyncio
import time
from datetime import timedelta

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from argus.rpc.services import all_services
from argus.server.api import Api, Failure, failure_of
from argus.server.private_stack import stack_over
from argus.storage.embedded import StoreUrls
from argus.v1 import user_service_pb2 as users
from tests.support.stack import Stack
from tests.support.world import World, make_world

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
GRACE = timedelta(seconds=60)


@pytest.fixture(scope="module")
async def world(stack: Stack) -> World:
    """A tenant with one of everything."""
    return await make_world(await stack.new_tenant())


@pytest.fixture(scope="module")
async def api(stack: Stack, world: World) -> Api:
    """Its client."""
    return stack.api_of(world)


async def test_every_service_is_serving(stack: Stack) -> None:
    """The server as a whole, and each service by its name; an unknown one is NOT_FOUND."""
    async with grpc.aio.insecure_channel(stack.server.grpc_address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", *all_services()):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == SERVING, service
        failure = await failure_of(health.Check(health_pb2.HealthCheckRequest(service="argus.v1.NoService")))
        assert failure is not None
        assert failure.code == "NOT_FOUND"


async def _reflected(address: str) -> set[str]:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo()
        await call.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        answer = await call.read()
        await call.done_writing()
        return {service.name for service in answer.list_services_response.service}


async def test_reflection_shows_every_service(stack: Stack) -> None:
    """So that grpcurl works against a development server."""
    assert set(all_services()) <= await _reflected(stack.server.grpc_address)


async def test_production_has_no_reflection(stores: StoreUrls, stack: Stack) -> None:
    """The API is no secret, but nobody needs it described by the server there."""
    key, clock = stack.private.settings.key_encryption_key, stack.private.clock
    changes = {"key_encryption_key": key, "production": True, "drain_time": timedelta(0)}
    async with stack_over(stores, clock=clock, **changes) as other:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _reflected(other.server.grpc_address)
    assert Failure.of(refused.value).reason == "UNIMPLEMENTED"


async def test_the_request_id_comes_back(stack: Stack, api: Api, world: World) -> None:
    """A well-formed one is taken, any other is replaced; it is in good answers and in refusals."""
    for given, is_taken in (("trace-1.2:3", True), ("a b", False), ("x" * 65, False), ("", False)):
        call = api.users.GetUser(users.GetUserRequest(name=world.user), metadata=(("x-request-id", given),))
        await call
        back = dict(await call.trailing_metadata())["x-request-id"]
        assert (back == given) == is_taken
        assert back
        refused = api.users.GetUser(users.GetUserRequest(name="x"), metadata=(("x-request-id", given),))
        failure = await failure_of(refused)
        assert failure is not None
        assert (failure.request_id == given) == is_taken


async def test_a_defect_tells_its_request_id_and_nothing_else(
    stack: Stack, api: Api, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A table that is gone stands for any defect; the trace is in the log under the same id."""
    async with stack.argus.db.transaction() as tx:
        await tx.execute("ALTER TABLE groups RENAME TO groups_elsewhere")
    try:
        failure = await failure_of(api.users.ListGroups(users.ListGroupsRequest(parent=world.tenant)))
    finally:
        async with stack.argus.db.transaction() as tx:
            await tx.execute("ALTER TABLE groups_elsewhere RENAME TO groups")
    assert failure is not None
    assert (failure.code, failure.reason) == ("INTERNAL", "INTERNAL")
    assert failure.message == f"internal error; request id {failure.request_id}"
    assert failure.metadata == {"requestId": failure.request_id}


async def test_a_deadline_that_passes(stack: Stack, api: Api, world: World) -> None:
    """A call that waits for a lock is given up by the server when its time is over."""
    async with stack.argus.db.transaction() as tx:
        await tx.execute("SELECT 1 FROM users WHERE tenant_id = %s FOR UPDATE", (world.tenant.partition("/")[2],))
        request = users.UpdateUserRequest(user=users.User(name=world.user, display_name="x"))
        request.update_mask.paths.append("display_name")
        failure = await failure_of(api.users.UpdateUser(request, timeout=0.2))
    assert failure is not None
    assert failure.code == "DEADLINE_EXCEEDED"


async def test_a_stop_finishes_what_is_under_way(stores: StoreUrls, stack: Stack) -> None:
    """NOT_SERVING first; the call that waits for a lock is answered; a new one finds nobody."""
    key = stack.private.settings.key_encryption_key
    api = await stack.new_tenant()
    world = await make_world(api)
    request = users.UpdateUserRequest(user=users.User(name=world.user, display_name="late"))
    request.update_mask.paths.append("display_name")
    entered = stack_over(stores, clock=stack.private.clock, key_encryption_key=key)
    other = await entered.__aenter__()
    async with grpc.aio.insecure_channel(other.server.grpc_address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=""))
        assert (await watch.read()).status == SERVING
        update: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/argus.v1.UserService/UpdateUser")
        metadata = (("authorization", f"Bearer {await api.token()}"),)
        async with stack.argus.db.transaction() as tx:
            await tx.execute("SELECT 1 FROM users WHERE tenant_id = %s FOR UPDATE", (api.tenant_id,))
            waiting = update(request.SerializeToString(), metadata=metadata)
            await _until_blocked(stack)
            stopping = asyncio.create_task(entered.__aexit__(None, None, None))
            assert (await watch.read()).status == NOT_SERVING
            assert not stopping.done()
        answer = users.UpdateUserResponse.FromString(await waiting)
        assert answer.user.display_name == "late"
        await stopping
        failure = await failure_of(update(request.SerializeToString(), metadata=metadata))
        assert failure is not None
        assert failure.code == "UNAVAILABLE"


@pytest.mark.parametrize("door", ["on", "off"])
async def test_who_watches_health_holds_up_no_stop(stores: StoreUrls, stack: Stack, door: str) -> None:
    """Watchers are told the last there is to know and sent away; the grace is for calls that end by themselves."""
    key, clock = stack.private.settings.key_encryption_key, stack.private.clock
    changes = {"key_encryption_key": key, "front_door": door, "drain_time": GRACE}
    entered = stack_over(stores, clock=clock, **changes)
    other = await entered.__aenter__()
    async with grpc.aio.insecure_channel(other.server.grpc_address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        names = {"": NOT_SERVING, "argus.v1.TokenService": NOT_SERVING, "argus.v1.NoService": SERVICE_UNKNOWN}
        watches = [(health.Watch(health_pb2.HealthCheckRequest(service=name)), last) for name, last in names.items()]
        leaving = health.Watch(health_pb2.HealthCheckRequest(service=""))
        for watch, last in watches:
            assert (await watch.read()).status == (SERVICE_UNKNOWN if last == SERVICE_UNKNOWN else SERVING)
        assert (await leaving.read()).status == SERVING
        leaving.cancel()
        begun = time.monotonic()
        await entered.__aexit__(None, None, None)
        assert time.monotonic() - begun < GRACE.total_seconds() / 2
        for watch, last in watches:
            if last != SERVICE_UNKNOWN:
                assert (await watch.read()).status == last
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await watch.read()
            told = Failure.of(ended.value)
            assert (told.reason, told.metadata) == ("UNAVAILABLE", {"component": "argus", "cause": "STOPPING"})


async def _until_blocked(stack: Stack) -> None:
    """Returns once a statement waits for a lock."""
    waiting = "SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    async with asyncio.timeout(5):
        while (await stack.argus.db.fetch_one(waiting) or {"n": 0})["n"] == 0:
            pass  # the question itself lets others go on
