"""All doors of one installation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from argus.storage.embedded import StoreUrls
from tests.conformance.doors import CACHES, Door, WireDoor, opened
from tests.support.stack import Stack
from tests.support.world import World


@pytest.fixture(scope="package", params=CACHES)
async def doors(
    request: pytest.FixtureRequest, stores: StoreUrls, stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Door]]:
    """The engine, grpcio and the front door, the latter two with and without TLS."""
    folder: Path = tmp_path_factory.mktemp("doors")
    async with opened(stores, stack, folder, CACHES[request.param]) as all_of_them:
        yield all_of_them


@pytest.fixture(scope="package")
def wire_doors(doors: dict[str, Door]) -> dict[str, WireDoor]:
    """Those that are reached over a network."""
    return {name: door for name, door in doors.items() if isinstance(door, WireDoor)}


@pytest.fixture(scope="package")
async def world(stack: Stack) -> World:
    """What the requests are about."""
    return await stack.new_world()


@pytest.fixture(scope="package")
async def authorization(stack: Stack, world: World) -> str:
    """A caller with every scope of the world's tenant."""
    return f"Bearer {await stack.api_of(world).token()}"
