"""An engine over a Valkey of its own."""

from collections.abc import Iterator

import pytest

from argus import _core
from argus.base.logging import configure_logging
from tests.support.engine import Bench
from tests.support.valkey import Valkey


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The engine with a tenant, a client and a policy; RSA-2048 and Ed25519."""
    configure_logging(json=False, level="error")
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    server.load()
    clock = _core.Clock()
    engine = _core.Engine(redis_url=server.url, clock=clock)
    yield Bench(server, engine, clock)
    engine.close()
    server.stop()
