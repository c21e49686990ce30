"""Sentinel over TLS: sentinels and data nodes are believed only with a certificate of the given authority."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from argus import _core
from argus.base.errors import UnavailableError
from argus.base.redis_url import RedisUrl
from argus.storage.redis import Redis
from argus.storage.sentinel import Located
from tests.support.sentinel import PATIENCE_SECONDS, Node
from tests.support.servers import free_ports, server_program
from tests.support.tls import TlsFront
from tests.support.valkey import Valkey


class Encrypted:
    """A data node and a sentinel that names it, both behind TLS and both with a password."""

    def __init__(self, folder: Path, *, has_one_authority: bool) -> None:
        self.node = Valkey(folder / "node")
        self.node.start()
        self.node.client.acl_setuser("argus", enabled=True, passwords="+p@ss", keys=["*"], categories=["+@all"])
        for name in ("node-tls", "sentinel-tls"):
            (folder / name).mkdir()
        self.node_front = TlsFront(folder / "node-tls", self.node.url.removeprefix("unix://"))
        (port,) = free_ports(1)
        self.sentinel = Node("sentinel", server_program("valkey"), folder, port, "s3cret")
        # It can't speak to the front itself, and so takes the node for down; where that is it says all the same.
        self.sentinel.configure(
            f"port {port}\nbind 127.0.0.1\nunixsocket {folder}/sentinel.sock\nrequirepass s3cret\n"
            f"dir {folder}\nsentinel monitor main 127.0.0.1 {self.node_front.port} 1\n",
            "--sentinel",
        )
        self.sentinel.launch()
        like = self.node_front if has_one_authority else None
        self.sentinel_front = TlsFront(folder / "sentinel-tls", f"{folder}/sentinel.sock", like=like)
        for name, front in (("node", self.node_front), ("sentinel", self.sentinel_front)):
            (folder / f"{name}.pem").write_bytes(front.ca_pem)
        self.url = f"rediss+sentinel://argus:p%40ss@127.0.0.1:{self.sentinel_front.port}/main?sentinel_password=s3cret"

    def close(self) -> None:
        """Ends everything."""
        self.node_front.close()
        self.sentinel_front.close()
        self.sentinel.kill()
        self.node.stop()


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Encrypted]:
    """As one has it."""
    made = Encrypted(tmp_path, has_one_authority=True)
    yield made
    made.close()


@pytest.fixture
def divided(tmp_path: Path) -> Iterator[Encrypted]:
    """Whoever believes the one's authority does not believe the other's."""
    made = Encrypted(tmp_path, has_one_authority=False)
    yield made
    made.close()


@asynccontextmanager
async def connected(url: str, ca_file: Path) -> AsyncIterator[Redis]:
    """A connection of its own."""
    redis = Redis(url, clock=_core.Clock(), ca_file=ca_file, lease=_core.Lease())
    try:
        yield redis
    finally:
        await redis.close()


async def located_by(redis: Redis) -> Located:
    """What the sentinel says; a busy machine may take longer than the half second that counts."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (located := await redis.locate()) is None:
            pass
    return located


async def test_both_halves_find_the_primary(encrypted: Encrypted, tmp_path: Path) -> None:
    async with connected(encrypted.url, tmp_path / "node.pem") as redis:
        located = await located_by(redis)
        assert (located.address, located.is_agreed) == (("127.0.0.1", encrypted.node_front.port), True)
        redis.move_to(located.address)
        node = await redis.node()
        assert node.lineage == encrypted.node.now_and_lineage()[1]
        lease = _core.Lease()
        lease.grant(node.lineage, lease.now_ms())
        engine = _core.Engine(
            redis_url=None, clock=_core.Clock(), lease=lease, redis_ca_pem=(tmp_path / "node.pem").read_bytes()
        )
        engine.use_primary(RedisUrl.parse(encrypted.url).at(*located.address))
        assert engine.ping() is None
        engine.close()
    # Neither without the password nor for another service.
    for url in (encrypted.url.replace("s3cret", "guess"), encrypted.url.replace("/main", "/other")):
        async with connected(url, tmp_path / "node.pem") as redis:
            assert await redis.locate() is None


async def test_sentinels_and_nodes_of_another_authority_are_not_spoken_to(divided: Encrypted, tmp_path: Path) -> None:
    async with connected(divided.url, tmp_path / "sentinel.pem") as redis:
        located = await located_by(redis)
        redis.move_to(located.address)
        with pytest.raises(UnavailableError):
            await redis.node()
    async with connected(divided.url, tmp_path / "node.pem") as redis:
        assert await redis.locate() is None
