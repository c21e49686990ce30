"""What tests that walk through requests have in common."""

import pytest

from tests.support.stack import Stack
from tests.support.world import World


@pytest.fixture(scope="module")
async def world(stack: Stack) -> World:
    """What the requests of a file are about."""
    return await stack.new_world()


@pytest.fixture(scope="module")
async def authorization(stack: Stack, world: World) -> str:
    """A caller with every scope of the world's tenant."""
    return f"Bearer {await stack.api_of(world).token()}"
