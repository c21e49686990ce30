"""Live state under a lease: what the Python half reads and writes counts only while the node does."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from argus import _core
from argus.base.errors import UnavailableError
from argus.sessions.live_store import LiveSessions
from argus.sessions.login_store import Login, LoginStore
from argus.sessions.model import EndReason
from argus.storage.redis import NO_LEASE, NotPrimaryError, Redis
from argus.storage.redis_batch import Call, call_all
from tests.support.sentinel import Node, wait_until
from tests.support.servers import free_ports, server_program

TENANT, USER = "acme", "u-1"
PASSWORD = "made-up"
OTHER = b"another."


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[tuple[Node, Node]]:
    """A primary, and another server."""
    program = server_program("valkey")
    made = [Node(f"node-{port}", program, tmp_path, port, PASSWORD) for port in free_ports(2)]
    for node in made:
        node.configure(f"port {node.port}\nbind 127.0.0.1\nrequirepass {PASSWORD}\nmasterauth {PASSWORD}\nsave ''\n")
        node.launch()
    yield made[0], made[1]
    for node in made:
        node.kill()


@pytest.fixture
def lease() -> _core.Lease:
    """Held by nobody yet."""
    return _core.Lease()


@pytest.fixture
async def redis(nodes: tuple[Node, Node], lease: _core.Lease) -> AsyncIterator[Redis]:
    """A connection that is moved by hand: its sentinel does not exist."""
    url = f"redis+sentinel://:{PASSWORD}@127.0.0.1:1/argus"
    made = Redis(url, clock=_core.Clock(), lease=lease)
    made.move_to(nodes[0].address)
    yield made
    await made.close()


@pytest.fixture
def live(redis: Redis) -> LiveSessions:
    return LiveSessions(redis, _core.Keyspace(bytes(32)), now=lambda: datetime.now(UTC))


async def end(live: LiveSessions, session_id: str) -> object:
    """Ends a session that nobody has heard of."""
    return await live.end(TENANT, USER, session_id, at=datetime.now(UTC), reason=EndReason.SIGNED_OUT, life=600)


async def test_only_the_leased_node_is_believed(live: LiveSessions, redis: Redis, lease: _core.Lease) -> None:
    session_id = live.new_session_id(TENANT, USER)
    with pytest.raises(UnavailableError, match=NO_LEASE):
        await live.session(session_id)
    lease.grant((await redis.node()).lineage, lease.now_ms())
    assert (await live.session(session_id)).value == b""
    assert await end(live, session_id)
    lease.grant((await redis.node()).lineage, lease.now_ms() - lease.LIFE_MS)
    with pytest.raises(UnavailableError, match=NO_LEASE):
        await live.session(session_id)


async def test_a_tombstone_that_another_node_took_is_no_end(
    live: LiveSessions, redis: Redis, lease: _core.Lease, nodes: tuple[Node, Node]
) -> None:
    """It is written there, and may be lost with that node: the end stays pending."""
    session_id = live.new_session_id(TENANT, USER)
    await redis.load_functions()
    lease.grant(OTHER, lease.now_ms())
    with pytest.raises(UnavailableError, match=NO_LEASE) as caught:
        await end(live, session_id)
    assert caught.value.metadata == {"component": "redis", "cause": NO_LEASE}
    assert nodes[0].client.exists(_core.Keyspace.session_key(session_id))


async def test_batches_are_believed_like_single_calls(redis: Redis, lease: _core.Lease) -> None:
    """One answer of another node spoils them all."""
    await redis.load_functions()
    calls = [Call(function="stamped", keys=[_core.Keyspace.not_before_key(TENANT)], reads=True)] * 3
    lease.grant(OTHER, lease.now_ms())
    with pytest.raises(UnavailableError, match=NO_LEASE):
        await call_all(redis, calls)
    lease.grant((await redis.node()).lineage, lease.now_ms())
    assert len(await call_all(redis, calls)) == 3


async def test_a_plain_answer_that_comes_after_the_lease_is_not_used(redis: Redis, lease: _core.Lease) -> None:
    """As after a pause of the process."""

    async def ask() -> None:
        async with redis.guard():
            await redis.client.get("anything")
            lease.revoke()

    lease.grant(OTHER, lease.now_ms())
    with pytest.raises(UnavailableError, match=NO_LEASE):
        await ask()


async def test_plain_commands_need_a_lease_too(redis: Redis, lease: _core.Lease) -> None:
    logins = LoginStore(redis)
    login = Login(
        tenant_id=TENANT,
        login_id="l",
        client_id="web",
        identifier="somebody",
        scope="",
        resource="",
        device_id=None,
        token_sha256="",
        expire_time=1e10,
    )
    with pytest.raises(UnavailableError, match=NO_LEASE):
        await logins.add(login)
    lease.grant(OTHER, lease.now_ms())
    await logins.add(login)


async def test_connections_follow_the_primary_and_lead_to_no_replica(
    redis: Redis, nodes: tuple[Node, Node], lease: _core.Lease
) -> None:
    one, other = nodes
    first = (await redis.node()).lineage
    redis.move_to(other.address)
    assert (await redis.node()).lineage != first
    redis.move_to(one.address)
    assert (await redis.node()).lineage == first
    one.client.replicaof(*other.address)
    wait_until("the replica follows", lambda: one.is_replica_of(other))
    # Its functions refuse, and no new connection is taken up.
    with pytest.raises(NotPrimaryError):
        await redis.node()
    await redis.forget_connections()
    lease.grant(first, lease.now_ms())
    with pytest.raises(NotPrimaryError):
        async with redis.guard():
            await redis.client.get("anything")
