"""The Valkey of the tests of the functions, and the Redis of this machine if it has one."""

from collections.abc import AsyncIterator, Iterator

import pytest

from argus.storage.embedded import StoreUrls
from argus.storage.postgres import Database
from tests.support.features import Features, own_database
from tests.support.valkey import Valkey, find_redis

SERVERS = {"valkey": None} | ({"redis": redis} if (redis := find_redis()) else {})


@pytest.fixture(scope="session", params=SERVERS)
def valkey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server that no other test knows; its tests keep to keys of their own, and may restart it."""
    server = Valkey(tmp_path_factory.mktemp(request.param), SERVERS[request.param])
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
async def features_url(stores: StoreUrls) -> AsyncIterator[str]:
    """A database that no server uses, so that its keys may be under any key-encryption key."""
    async with own_database(stores.database) as url:
        yield url


@pytest.fixture
async def features(features_url: str) -> AsyncIterator[Features]:
    """The features over that database; each test makes a tenant of its own."""
    async with Database.open(features_url, max_size=8) as db:
        made = Features(db)
        yield made
        made.passwords.close()
