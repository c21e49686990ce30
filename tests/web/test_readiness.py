"""Readiness asks each connection that serving needs, and names the part that fails."""

from dataclasses import replace

from argus import _core
from argus.server.readiness import ReadinessCheck
from tests.support.stack import Stack


def check(stack: Stack, *, engine: _core.Engine | None = None, lease: _core.Lease | None = None) -> ReadinessCheck:
    """A check of the stack, but for what is given."""
    argus = replace(stack.argus, engine=engine or stack.argus.engine, lease=lease)
    return ReadinessCheck(
        db=argus.db,
        redis=argus.redis,
        engine=argus.engine,
        primary=argus.primary,
        lease=argus.lease,
        snapshot=argus.snapshot,
        clock=argus.clock,
    )


async def test_the_engine_has_a_connection_of_its_own(stack: Stack) -> None:
    """That Python reaches Redis does not mean that hot calls do."""
    assert await check(stack)() == {}
    lost = _core.Engine(redis_url="redis://127.0.0.1:1", clock=_core.Clock(), redis_timeout_ms=200)
    faults = await check(stack, engine=lost)()
    assert set(faults) == {"engine"}
    assert faults["engine"] in ("can't use redis (connection)", "can't use redis (timeout)")
    lost.close()


async def test_without_a_lease_no_process_is_ready(stack: Stack) -> None:
    lease = _core.Lease()
    assert set(await check(stack, lease=lease)()) == {"lease"}
    lease.grant(bytes(8), lease.now_ms())
    assert await check(stack, lease=lease)() == {}
    lease.grant(bytes(8), lease.now_ms() - lease.LIFE_MS)
    assert set(await check(stack, lease=lease)()) == {"lease"}
