"""A service that uses the SDK."""

from collections.abc import AsyncIterator

import pytest

from tests.support.service import Service, new_service
from tests.support.stack import Stack


@pytest.fixture
async def service(stack: Stack) -> AsyncIterator[Service]:
    """A service of a tenant of its own."""
    async with new_service(stack) as one:
        yield one
