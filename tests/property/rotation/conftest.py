"""Stores that nobody else uses, and two servers over them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from argus.storage.embedded import EmbeddedStores
from tests.support.breakable_stores import BreakableStores
from tests.support.pair import Pair


@pytest.fixture(scope="package")
def breakable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BreakableStores]:
    """The stores; whoever breaks them puts them right."""
    with EmbeddedStores(tmp_path_factory.mktemp("breakable")) as stores:
        made = BreakableStores(stores)
        yield made
        made.close()
        stores.delete()


@pytest.fixture(scope="package")
async def pair(breakable: BreakableStores) -> AsyncIterator[Pair]:
    """The servers."""
    from tests.support.pair import pair_over

    async with pair_over(breakable) as made:
        yield made
