"""The doors, and the engine of the tests."""

import pytest

from tests.rpc.engine.conftest import bench, engine_valkey, keeps
from tests.support.carried import Attacks
from tests.support.doors import Door, EngineDoor, GrpcDoor, SdkDoor
from tests.support.engine import Bench
from tests.support.stack import Stack

__all__ = ["attacks", "bench", "door", "engine_valkey", "grpc_door", "keeps"]


@pytest.fixture(scope="session")
def attacks() -> Attacks:
    """The attack cases."""
    return Attacks()


@pytest.fixture
async def grpc_door(stack: Stack) -> GrpcDoor:
    """The RPC, with a session of one's own."""
    return await GrpcDoor.open(stack)


@pytest.fixture(params=["engine", "grpc", "sdk"])
async def door(request: pytest.FixtureRequest, stack: Stack, bench: Bench) -> Door:
    """One door, with a session of one's own."""
    if request.param == "engine":
        return EngineDoor(bench)
    return await (SdkDoor if request.param == "sdk" else GrpcDoor).open(stack)
