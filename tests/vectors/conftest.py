"""The doors, and the engine of the tests."""

import pytest

from tests.rpc.engine.conftest import bench, engine_valkey
from tests.support.carried import Attacks
from tests.support.doors import Door, EngineDoor, GrpcDoor
from tests.support.engine import Bench
from tests.support.stack import Stack

__all__ = ["attacks", "bench", "door", "engine_valkey", "grpc_door"]


@pytest.fixture(scope="session")
def attacks() -> Attacks:
    """The attack cases."""
    return Attacks()


@pytest.fixture
async def grpc_door(stack: Stack) -> GrpcDoor:
    """The RPC, with a session of one's own."""
    return await GrpcDoor.open(stack)


@pytest.fixture(params=["engine", "grpc"])
async def door(request: pytest.FixtureRequest, stack: Stack, bench: Bench) -> Door:
    """Either door, with a session of one's own."""
    return EngineDoor(bench) if request.param == "engine" else await GrpcDoor.open(stack)
