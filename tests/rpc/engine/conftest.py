"""The engine of the tests."""

from collections.abc import Iterator

import pytest

from argus import _core
from tests.support.engine import Bench
from tests.support.valkey import Valkey


@pytest.fixture(scope="session")
def engine_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server for engines; each test empties it."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def bench(engine_valkey: Valkey) -> Iterator[Bench]:
    """An engine over an empty server, at the system's time."""
    engine_valkey.client.flushall()
    engine_valkey.load()
    clock = _core.Clock()
    engine = _core.Engine(redis_url=engine_valkey.url, clock=clock)
    yield Bench(engine_valkey, engine, clock)
    engine.close()
