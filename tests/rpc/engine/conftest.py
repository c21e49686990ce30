"""The engine of the tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import pytest

from argus import _core
from tests.support.engine import CACHES, Bench, Caches
from tests.support.valkey import Valkey

_WITH_CACHES_TOO: Final = {"test_callers", "test_families", "test_proofs", "test_verify"}


@pytest.fixture(scope="session")
def engine_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server for engines; each test empties it."""
    with Valkey(tmp_path_factory.mktemp("valkey")).running() as server:
        yield server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is said of verification holds of an engine that keeps everything in memory, too."""
    is_about_verification = metafunc.module.__name__.rpartition(".")[2] in _WITH_CACHES_TOO
    if "keeps" in metafunc.fixturenames and is_about_verification:
        metafunc.parametrize("keeps", [{}, CACHES], indirect=True, ids=["reads", "caches"])


@pytest.fixture
def keeps(request: pytest.FixtureRequest) -> Caches:
    """What the engine keeps in memory: nothing, so that every answer is read, unless the module wants both."""
    return cast("Caches", getattr(request, "param", {}))


@pytest.fixture
def bench(engine_valkey: Valkey, keeps: Caches) -> Iterator[Bench]:
    """An engine over an empty server, at the system's time."""
    engine_valkey.client.flushall()
    engine_valkey.load()
    clock = _core.Clock()
    engine = _core.Engine(redis_url=engine_valkey.url, clock=clock, **keeps)
    yield Bench(engine_valkey, engine, clock, is_cached=bool(keeps))
    engine.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Bench]:
    """A bench whose server may be stopped."""
    with Valkey(tmp_path).running() as server:
        clock = _core.Clock()
        engine = _core.Engine(redis_url=server.url, clock=clock, redis_timeout_ms=500)
        yield Bench(server, engine, clock)
        engine.close()
