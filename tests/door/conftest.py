"""A front door with servers behind it that say what reached them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.echo import Place, open_place


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Doors over an engine that knows nothing."""
    async with open_place(tmp_path) as made:
        yield made
