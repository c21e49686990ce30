"""Sentinel over TLS: sentinels and data nodes are believed only with a certificate of the given authority."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from argus import _core
from argus.base.errors import UnavailableError
from argus.base.redis_url import RedisUrl
from argus.storage.redis import Redis
from tests.support.sentinel import Node
from tests.support.servers import free_ports, server_program
from tests.support.tls import TlsFront
from tests.support.valkey import Valkey


class Encrypted:
    """A data node and a sentinel that names it, both behind TLS and both with a password."""

    def __init__(self, folder: Path) -> None:
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
        self.sentinel_front = TlsFront(folder / "sentinel-tls", f"{folder}/sentinel.sock")
        # Each front has an authority of its own.
        self.authorities = folder / "authorities.pem"
        self.authorities.write_bytes(self.node_front.ca_pem + self.sentinel_front.ca_pem)
        self.url = f"rediss+sentinel://argus:p%40ss@127.0.0.1:{self.sentinel_front.port}/main?sentinel_password=s3cret"

    def close(self) -> None:
        """Ends everything."""
        self.node_front.close()
        self.sentinel_front.close()
        self.sentinel.kill()
        self.node.stop()


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Encrypted]:
    made = Encrypted(tmp_path)
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


async def test_both_halves_find_the_primary(encrypted: Encrypted) -> None:
    async with connected(encrypted.url, encrypted.authorities) as redis:
        located = await redis.locate()
        assert located is not None
        assert (located.address, located.is_agreed) == (("127.0.0.1", encrypted.node_front.port), True)
        redis.move_to(located.address)
        node = await redis.node()
        assert node.lineage == encrypted.node.now_and_lineage()[1]
        lease = _core.Lease()
        lease.grant(node.lineage, lease.now_ms())
        authorities = encrypted.authorities.read_bytes()
        engine = _core.Engine(redis_url=None, clock=_core.Clock(), lease=lease, redis_ca_pem=authorities)
        engine.use_primary(RedisUrl.parse(encrypted.url).at(*located.address))
        assert engine.ping() is None
        engine.close()


async def test_a_sentinel_of_another_authority_or_without_the_password_says_nothing(
    encrypted: Encrypted, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(encrypted.node_front.ca_pem)
    async with connected(encrypted.url, wrong) as redis:
        assert await redis.locate() is None
    async with connected(encrypted.url.replace("s3cret", "guess"), encrypted.authorities) as redis:
        assert await redis.locate() is None
    async with connected(encrypted.url.replace("/main", "/other"), encrypted.authorities) as redis:
        assert await redis.locate() is None


async def test_a_node_of_another_authority_is_not_spoken_to(encrypted: Encrypted, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_bytes(encrypted.sentinel_front.ca_pem)
    async with connected(encrypted.url, wrong) as redis:
        located = await redis.locate()
        assert located is not None
        redis.move_to(located.address)
        with pytest.raises(UnavailableError):
            await redis.node()
