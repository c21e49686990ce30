"""A change made in one process is in every other's engine within a second."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable

import pytest

from argus.clients.model import ClientFields
from argus.policies.model import Scope
from argus.server.api import Api
from argus.server.app import Argus, open_argus
from tests.support.features import origin
from tests.support.stack import Stack

BOUND_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
CROWD = 500


@pytest.fixture(scope="module")
async def other(stack: Stack) -> AsyncIterator[Argus]:
    """Another process of the installation, as far as stores and engine are concerned."""
    async with open_argus(stack.private.settings, clock=stack.private.clock) as argus:
        following = asyncio.create_task(argus.snapshot.run())
        yield argus
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    """A tenant of this file's own."""
    return await stack.new_tenant()


async def becomes(is_so: Callable[[], bool]) -> None:
    """Waits until it is so, for the bound at most; looks every time that the loop has nothing better to do."""
    async with asyncio.timeout(BOUND_SECONDS):
        while not is_so():  # noqa: ASYNC110 - the engine has no event to wait for
            await asyncio.sleep(0)


def published(argus: Argus, tenant_id: str) -> set[str]:
    """Ids of the keys that a process publishes."""
    return {key["kid"] for key in json.loads(argus.engine.jwks(tenant_id) or b'{"keys":[]}')["keys"]}


async def test_a_new_tenant_is_known_everywhere(stack: Stack, other: Argus) -> None:
    """With its keys."""
    api = await stack.new_tenant()
    await becomes(lambda: other.engine.jwks(api.tenant_id) is not None)
    assert published(other, api.tenant_id) == published(stack.argus, api.tenant_id)


async def test_a_revoked_key_is_out_everywhere_and_its_successor_in(stack: Stack, api: Api, other: Argus) -> None:
    """And a pending one is published before it signs."""
    await becomes(lambda: len(published(other, api.tenant_id)) == 1)
    (old,) = published(other, api.tenant_id)
    await stack.argus.signing_keys.revoke(api.tenant_id, old, origin(api.tenant_id))
    await becomes(lambda: old not in published(other, api.tenant_id) and len(published(other, api.tenant_id)) == 1)
    pending = await stack.argus.signing_keys.rotate(
        api.tenant_id, "access", immediate=False, origin=origin(api.tenant_id)
    )
    assert pending.state == "pending"
    await becomes(lambda: pending.kid in published(other, api.tenant_id))


async def test_a_revoked_key_does_not_wait_for_other_tenants(stack: Stack, other: Argus) -> None:
    """With hundreds of them, while one of them changes all the time: what did not change is not read again."""
    api = await stack.new_tenant()
    signing_keys, tenants = stack.argus.signing_keys, stack.argus.tenants
    material = await signing_keys.generate_ring()
    crowd = [f"{api.tenant_id[:8]}-{number}" for number in range(CROWD)]
    async with stack.argus.db.transaction(origin(crowd[0]), now=stack.argus.tenants._now()) as tx:
        for tenant_id in crowd:
            await tenants.create(tx, tenant_id)
            # Nobody signs with them; to make so many would take minutes.
            await signing_keys.create_ring(tx, tenant_id, material)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while other.engine.jwks(crowd[-1]) is None:  # noqa: ASYNC110 - the engine has no event to wait for
            await asyncio.sleep(0.01)

    async def change() -> None:
        for idle in itertools.count(600):
            await stack.argus.policies.set_document(
                crowd[0], Scope(kind="tenant", id=crowd[0]), {"idle_seconds": idle}, origin=origin(crowd[0])
            )

    changing = asyncio.create_task(change())
    try:
        (old,) = published(other, api.tenant_id)
        await stack.argus.signing_keys.revoke(api.tenant_id, old, origin(api.tenant_id))
        await becomes(lambda: old not in published(other, api.tenant_id))
        assert not changing.done()
    finally:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        # Other tests share the stores.
        async with stack.argus.db.transaction() as tx:
            await tx.execute("UPDATE tenants SET disabled = true WHERE tenant_id = ANY(%s)", (crowd,))


async def test_a_disabled_client_is_refused_everywhere(stack: Stack, other: Argus) -> None:
    """Its client token stops."""
    api = await stack.new_tenant()
    token = f"Bearer {await api.token()}"

    def is_refused() -> bool:
        return other.engine.authenticate(token, scope="users.read", system_tenant_only=False)[0] != 0

    await becomes(lambda: not is_refused())
    await stack.argus.clients.update(
        api.tenant_id, "backend", ClientFields(disabled=True), paths={"disabled"}, origin=origin(api.tenant_id)
    )
    await becomes(is_refused)


async def test_a_policy_change_is_known_everywhere(stack: Stack, api: Api, other: Argus) -> None:
    """The snapshot's version rises in both engines."""
    before = other.engine.snapshot_version()
    await stack.argus.policies.set_document(
        api.tenant_id, Scope(kind="client", id="backend"), {"idle_seconds": 1234}, origin=origin(api.tenant_id)
    )
    await becomes(lambda: other.engine.snapshot_version() > before)
    await becomes(lambda: stack.argus.engine.snapshot_version() > before)


async def test_a_tenant_whose_keys_are_damaged_keeps_no_other_from_its_changes(stack: Stack, other: Argus) -> None:
    """The process is not ready meanwhile, and goes on with what it has read last."""
    damaged, api = await stack.new_tenant(), await stack.new_tenant()
    await becomes(lambda: bool(published(other, damaged.tenant_id) and published(other, api.tenant_id)))
    kept, (old,) = published(other, damaged.tenant_id), published(other, api.tenant_id)
    where = "WHERE tenant_id = %s AND use = 'access'"
    row = await stack.argus.db.fetch_one(f"SELECT private_ciphertext FROM signing_keys {where}", (damaged.tenant_id,))
    assert row is not None
    for ciphertext, fault in ((b"damaged", "can't decrypt keys"), (bytes(row["private_ciphertext"]), "")):
        async with stack.argus.db.transaction() as tx:
            await tx.execute(
                f"UPDATE signing_keys SET private_ciphertext = %s, state = state {where}",
                (ciphertext, damaged.tenant_id),
            )
        await _eventually(lambda expected=fault: other.snapshot.fault == expected)  # type: ignore[misc]
        assert published(other, damaged.tenant_id) == kept
        await stack.argus.signing_keys.revoke(api.tenant_id, old, origin(api.tenant_id))
        await _eventually(lambda: old not in published(other, api.tenant_id))


async def _eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - the engine has no event to wait for
            await asyncio.sleep(0.01)
