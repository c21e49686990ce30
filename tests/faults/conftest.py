"""Accounts that Argus is run as, stores and networks that may be broken, and an Argus over them."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from argus import _core
from argus.storage.embedded import EmbeddedStores
from argus.storage.home import can_enter
from argus.storage.processes import Account
from drills.field.network import Network, find_toxiproxy
from tests.support.engine import Bench
from tests.support.toolchains import alone
from tests.support.valkey import Valkey

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.server.private_stack import PrivateStack
    from tests.support.people import Person

IS_ROOT = os.geteuid() == 0


@pytest.fixture(params=["root", "ordinary user"] if IS_ROOT else ["ordinary user"])
def as_account(request: pytest.FixtureRequest) -> list[str]:
    """What makes a command run under the account."""
    if request.param == "root" or not IS_ROOT:
        return []
    nobody = pwd.getpwnam("nobody")
    account = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    if can_enter(Path(sys.executable).resolve().parent, Account(uid=nobody.pw_uid, gid=nobody.pw_gid)):
        return account
    # The interpreter is in a folder of root's: may read it, and is an ordinary user in all else.
    return [*account, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]


@pytest.fixture
def folder(as_account: Sequence[str]) -> Iterator[Path]:
    """A data folder that is the account's."""
    with tempfile.TemporaryDirectory(prefix="argus-", ignore_cleanup_errors=True) as path:
        if as_account:
            nobody = pwd.getpwnam("nobody")
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
        else:
            Path(path).chmod(0o711)
        yield Path(path) / "data"


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedStores]:
    """Stores that no other test file uses."""
    with EmbeddedStores(tmp_path_factory.mktemp("breakable")) as stores:
        yield stores
        stores.delete()


@pytest.fixture(scope="module")
async def private(breakable: EmbeddedStores) -> AsyncIterator[PrivateStack]:
    """A server over them."""
    from argus.server.private_stack import stack_over

    async with stack_over(breakable.urls, redis_timeout=timedelta(milliseconds=300)) as made:
        yield made


@pytest.fixture(scope="module")
async def api(private: PrivateStack) -> AsyncIterator[Api]:
    """A tenant of it, with a client token that outlives outages."""
    made = await private.new_tenant()
    await made.token()
    yield made
    await made.close()


@pytest.fixture
async def person(api: Api) -> Person:
    """A user of that tenant."""
    from tests.support.people import new_person

    return await new_person(api)


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    """A network that can be broken."""
    program = await asyncio.to_thread(alone(find_toxiproxy))
    if program is None:
        pytest.skip("needs toxiproxy, or Go to build it")
    made = Network(tmp_path, program)
    made.launch()
    try:
        await made.answering()
        yield made
    finally:
        await made.close()
        made.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey of a file's own."""
    with Valkey(tmp_path_factory.mktemp("valkey")).running() as started:
        yield started


@pytest.fixture
def bench(server: Valkey) -> Iterator[Bench]:
    """What makes sessions, and ends them; by no way that breaks."""
    server.client.flushall()
    server.load()
    clock = _core.Clock()
    engine = _core.Engine(redis_url=server.url, clock=clock)
    yield Bench(server, engine, clock)
    engine.close()
