"""The Valkey of the tests of the functions."""

import functools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from argus.storage.embedded import StoreUrls
from argus.storage.postgres import Database
from tests.support.features import Features, own_database
from tests.support.servers import KINDS
from tests.support.valkey import Valkey

_KEY: Final = os.urandom(32)


@pytest.fixture(scope="session")
def function_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Valkey]]:
    """Servers that no other test knows, one a kind, started by the first that asks."""
    with ExitStack() as stack:

        @functools.cache
        def server_of(kind: str) -> Valkey:
            server = Valkey(tmp_path_factory.mktemp(kind), kind=kind)
            server.start()
            stack.callback(server.stop)
            return server

        yield server_of


@pytest.fixture(params=KINDS)
def valkey(request: pytest.FixtureRequest, function_servers: Callable[[str], Valkey]) -> Valkey:
    """A Valkey, then a Redis; tests keep to keys of their own, and may restart it."""
    return function_servers(request.param)


@pytest.fixture(scope="session")
async def features_url(stores: StoreUrls) -> AsyncIterator[str]:
    """A database that no server uses: its keys are under a key-encryption key of the tests' own."""
    async with own_database(stores.database) as url:
        yield url


@pytest.fixture
async def features(features_url: str) -> AsyncIterator[Features]:
    """The features over that database; each test makes a tenant of its own."""
    async with Database.open(features_url, max_size=8) as db:
        made = Features(db, key=_KEY)
        await made.keks.ensure()
        yield made
        made.passwords.close()
