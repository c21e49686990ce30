import asyncio
from datetime import timedelta
from typing import Any

import pytest

from argus.base.errors import InvalidFieldError
from argus.base.policy import Policy
from argus.policies.model import Scope
from argus.policies.service import Policies
from tests.support.features import Features, origin


async def test_the_effective_policy_follows_the_scopes(features: Features) -> None:
    """User over group over client over tenant over the default, field by field."""
    tenant = await features.new_tenant()
    documents = {
        Scope(kind="tenant", id=tenant): {"idle_seconds": 3600, "absolute_seconds": 7200, "session_limit": 5},
        Scope(kind="client", id="app"): {"idle_seconds": 1800, "session_limit": 4},
        Scope(kind="group", id="staff"): {"idle_seconds": 1200},
        Scope(kind="user", id="alice"): {"idle_seconds": 600},
    }
    for scope, document in documents.items():
        await features.policies.set_document(tenant, scope, document, origin=origin(tenant))
    effective = features.policies.effective
    seen = [
        (await effective(tenant, "app", "alice", ["staff"])).policy,
        (await effective(tenant, "app", "bob", ["staff"])).policy,
        (await effective(tenant, "app", "bob")).policy,
        (await effective(tenant, "other")).policy,
    ]
    assert [one.idle for one in seen] == [timedelta(minutes=minutes) for minutes in (10, 20, 30, 60)]
    assert [one.session_limit for one in seen] == [4, 4, 4, 5]
    assert {one.absolute for one in seen} == {timedelta(hours=2)}
    other = await features.new_tenant()
    assert (await effective(other, "app", "alice", ["staff"])).policy == Policy()


async def test_the_same_policy_has_the_same_number_for_ever(features: Features) -> None:
    """A number's meaning never changes, and racing processes give one number."""
    tenant = await features.new_tenant()
    processes = [Policies(features.db, features.now) for _ in range(6)]
    first = await asyncio.gather(*(one.effective(tenant, "app") for one in processes))
    assert {one.revision for one in first} == {1}
    scope = Scope(kind="client", id="app")
    await features.policies.set_document(tenant, scope, {"idle_seconds": 600}, origin=origin(tenant))
    second = await asyncio.gather(*(one.effective(tenant, "app") for one in processes))
    assert {one.revision for one in second} == {2}
    assert (await processes[0].effective(tenant, "other")).revision == 1
    await features.policies.set_document(tenant, scope, {}, origin=origin(tenant))
    assert (await processes[1].effective(tenant, "app")).revision == 1
    fresh = Policies(features.db, features.now)
    assert (await fresh.by_revision(tenant, 1)) == Policy()
    assert (await fresh.by_revision(tenant, 2)).idle == timedelta(minutes=10)
    with pytest.raises(LookupError):
        await fresh.by_revision(tenant, 3)
    assert {one.revision: one.policy.idle for one in await fresh.revisions(tenant)} == {
        1: timedelta(hours=8),
        2: timedelta(minutes=10),
    }


async def test_all_clients_of_a_tenant_at_once(features: Features) -> None:
    """What the engine is told is what each would be told alone."""
    tenant = await features.new_tenant()
    await features.policies.set_document(
        tenant, Scope(kind="client", id="b"), {"idle_seconds": 600}, origin=origin(tenant)
    )
    found = await features.policies.for_clients(tenant, ["a", "b"])
    alone = {name: await features.policies.effective(tenant, name) for name in ("a", "b")}
    assert {name: (one.revision, one.policy) for name, one in found.items()} == {
        name: (one.revision, one.policy) for name, one in alone.items()
    }


async def test_a_number_keeps_what_narrower_scopes_gave(features: Features) -> None:
    """The same values by the client alone have another number; what all sessions of it have is nobody's own."""
    tenant = await features.new_tenant()
    documents: dict[Scope, dict[str, Any]] = {
        Scope(kind="tenant", id=tenant): {"idle_seconds": 900, "presets": ["gdpr"]},
        Scope(kind="client", id="plain"): {"idle_seconds": 3600},
        Scope(kind="user", id="kiosk"): {"idle_seconds": 7200, "session_limit": 5},
    }
    for scope, document in documents.items():
        await features.policies.set_document(tenant, scope, document, origin=origin(tenant))
    kiosk = await features.policies.effective(tenant, "app", "kiosk")
    client = await features.policies.effective(tenant, "plain")
    assert kiosk.policy.idle == client.policy.idle == timedelta(hours=1)
    assert [kiosk.narrower, client.narrower] == [frozenset({"idle_seconds"}), frozenset()]
    fresh = Policies(features.db, features.now)
    assert await fresh.numbered(tenant, kiosk.revision) == kiosk
    assert await fresh.held(tenant, kiosk.revision, "app") == kiosk.policy
    assert (await fresh.held(tenant, client.revision, "app")).idle == timedelta(minutes=15)


async def test_a_bad_document_changes_nothing(features: Features) -> None:
    """What was set before stays in force."""
    tenant = await features.new_tenant()
    scope = Scope(kind="tenant", id=tenant)
    await features.policies.set_document(tenant, scope, {"idle_seconds": 600}, origin=origin(tenant))
    with pytest.raises(InvalidFieldError):
        await features.policies.set_document(tenant, scope, {"idle_seconds": 1}, origin=origin(tenant))
    with pytest.raises(InvalidFieldError):
        await features.policies.set_document(tenant, Scope(kind="tenant", id="other"), {}, origin=origin(tenant))
    assert await features.policies.document(tenant, scope) == {"idle_seconds": 600}
