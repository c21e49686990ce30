"""What a group or a user is given beyond its client counts in sessions that live, up to what presets demand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.deadlines import DOORS, Crowd
from tests.support.following import follow
from tests.support.moments import SECOND, in_time, move_to
from tests.support.policies import set_document

if TYPE_CHECKING:
    from argus.policies.model import ScopeKind
    from tests.support.stack import Stack

IDLE: Final = timedelta(minutes=20)
ABSOLUTE: Final = timedelta(minutes=40)
TENANT: Final[dict[str, Any]] = {
    "idle_seconds": 600,
    "absolute_seconds": 1200,
    "access_seconds": 3600,
    "session_limit": 100,
    "refresh_is_activity": False,
}
LONGER: Final[dict[str, Any]] = {"idle_seconds": 1200, "absolute_seconds": 2400}
SHORTER: Final[dict[str, Any]] = {**TENANT, "idle_seconds": 120, "absolute_seconds": 240}
# The preset demands 60 minutes without a use, 24 hours, and no more than ten sessions.
PRESET: Final = ["gdpr"]
PRESET_IDLE: Final = timedelta(minutes=60)
PRESET_ABSOLUTE: Final = timedelta(hours=24)
FEW_DOORS: Final = tuple(door for door in DOORS if door != "verify as a user")

both_scopes = pytest.mark.parametrize("kind", ["group", "user"])
around = pytest.mark.parametrize("after", [-1, 0, 1])


@around
@both_scopes
@pytest.mark.parametrize(("deadline", "reason"), [(IDLE, "IDLE_TIMEOUT"), (ABSOLUTE, "ABSOLUTE_TIMEOUT")])
async def test_a_longer_value_counts_to_its_second(
    stack: Stack, deadline: timedelta, reason: str, kind: ScopeKind, after: int
) -> None:
    """However short the client's is, and however often the session is used."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, TENANT, narrower={kind: LONGER})
        end = crowd.begun + deadline
        if deadline == ABSOLUTE:
            await crowd.keep(end - SECOND, timedelta(minutes=15))
        await crowd.hold_to_end(end, after, reason)

    await in_time(attempt)


@around
@both_scopes
async def test_a_preset_is_the_ceiling_of_a_longer_value(stack: Stack, kind: ScopeKind, after: int) -> None:
    """The tenant's own value is shorter than the preset's, and does not count."""

    async def attempt() -> None:
        tenant = {**TENANT, "absolute_seconds": 86400, "presets": PRESET}
        crowd = await Crowd.begin(stack, tenant, narrower={kind: {"idle_seconds": 86400}}, doors=FEW_DOORS)
        end = crowd.begun + PRESET_IDLE
        await crowd.renew(end - 5 * SECOND)
        await crowd.hold_to_end(end, after, "IDLE_TIMEOUT")

    await in_time(attempt)


@around
@both_scopes
@pytest.mark.parametrize("is_followed", [True, False])
async def test_a_shortened_client_leaves_what_narrower_scopes_gave(
    stack: Stack, kind: ScopeKind, after: int, is_followed: bool
) -> None:
    """At once and once sessions have followed it: they end when their group or user says."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, TENANT, narrower={kind: LONGER})
        await move_to(stack, crowd.begun + timedelta(seconds=400))
        await set_document(stack, crowd.api.tenant_id, SHORTER)
        if is_followed:
            await follow(stack)
        used = await crowd.use()
        await crowd.hold_to_end(used + IDLE, after, "IDLE_TIMEOUT")

    await in_time(attempt)


@around
@both_scopes
@pytest.mark.parametrize("is_followed", [True, False])
async def test_a_preset_that_is_set_later_bites(stack: Stack, kind: ScopeKind, after: int, is_followed: bool) -> None:
    """Within the bound, whoever gave a longer value: the ceiling is the client's."""

    async def attempt() -> None:
        longer = {"idle_seconds": 86400, "absolute_seconds": 864000}
        crowd = await Crowd.begin(stack, TENANT, narrower={kind: longer}, doors=FEW_DOORS)
        await set_document(stack, crowd.api.tenant_id, {**TENANT, "presets": PRESET})
        if is_followed:
            await follow(stack)
        used = await crowd.use()
        await crowd.renew(used + PRESET_IDLE - 5 * SECOND)
        await crowd.hold_to_end(used + PRESET_IDLE, after, "IDLE_TIMEOUT")

    await in_time(attempt)


@around
@both_scopes
async def test_a_life_beyond_a_preset_ends_without_any_use(stack: Stack, kind: ScopeKind, after: int) -> None:
    """Nobody shows a token meanwhile."""

    async def attempt() -> None:
        longer = {"idle_seconds": 864000, "absolute_seconds": 864000}
        crowd = await Crowd.begin(stack, TENANT, narrower={kind: longer}, doors=FEW_DOORS)
        # Only the longest life is looked at: what was told of the idle time stays.
        await set_document(stack, crowd.api.tenant_id, {**TENANT, "presets": PRESET})
        await follow(stack)
        await crowd.renew(crowd.begun + PRESET_ABSOLUTE - 5 * SECOND)
        await crowd.hold_to_end(crowd.begun + PRESET_ABSOLUTE, after, "ABSOLUTE_TIMEOUT")

    await in_time(attempt)


@around
@both_scopes
async def test_what_a_narrower_scope_takes_back_is_gone(stack: Stack, kind: ScopeKind, after: int) -> None:
    """The client's counts from the next use on, and a longer one that is given again revives nothing."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, TENANT, narrower={kind: LONGER})
        for document in ({}, LONGER):
            await set_document(stack, crowd.api.tenant_id, document, scope=crowd.scope(kind))
            await follow(stack)
        used = await crowd.use()
        await crowd.hold_to_end(used + timedelta(minutes=10), after, "IDLE_TIMEOUT")

    await in_time(attempt)
