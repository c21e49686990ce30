"""At the second before a deadline a session lives for everybody, at the deadline and after it for nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.policies.resolve import SCOPE_KINDS
from argus.v1 import user_service_pb2 as users
from tests.support.deadlines import DOORS, GROUP, Crowd, lives, new_session
from tests.support.following import follow
from tests.support.moments import SECOND, begin_second, in_time, move_to, now
from tests.support.policies import set_document

if TYPE_CHECKING:
    from argus.policies.model import ScopeKind
    from tests.support.stack import Stack

# Access tokens outlive the idle time: what ends is the session.
IDLE: Final = timedelta(minutes=20)
ABSOLUTE: Final = timedelta(minutes=40)
DOCUMENT: Final[dict[str, Any]] = {
    "idle_seconds": 1200,
    "absolute_seconds": 2400,
    "access_seconds": 3600,
    "session_limit": 100,
    "refresh_is_activity": False,
}


@pytest.mark.parametrize("after", [-1, 0, 1])
@pytest.mark.parametrize(("deadline", "reason"), [(IDLE, "IDLE_TIMEOUT"), (ABSOLUTE, "ABSOLUTE_TIMEOUT")])
async def test_a_deadline_is_one_second_for_everybody(
    stack: Stack, deadline: timedelta, reason: str, after: int
) -> None:
    """Calls, lists and the sweeper say the same: the second before it lives, at the second and after it is over."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        end = crowd.begun + deadline
        if deadline == ABSOLUTE:
            await crowd.keep(end - SECOND, timedelta(minutes=15))
        await crowd.hold_to_end(end, after, reason)

    await in_time(attempt)


@pytest.mark.parametrize("after", [-1, 0, 1])
@pytest.mark.parametrize("field", ["idle_seconds", "absolute_seconds"])
@pytest.mark.parametrize("kind", SCOPE_KINDS)
async def test_a_shortened_policy_bites_at_the_next_use(stack: Stack, kind: ScopeKind, field: str, after: int) -> None:
    """Whatever the scope: the idle time counts anew from that use; the longest life is what it is for new sessions."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        await crowd.join()
        await move_to(stack, crowd.begun + timedelta(seconds=400))
        await set_document(stack, crowd.api.tenant_id, {**DOCUMENT, field: 600}, scope=crowd.scope(kind))
        await follow(stack)
        used = await crowd.use()
        end = (used if field == "idle_seconds" else crowd.begun) + timedelta(seconds=600)
        await crowd.hold_to_end(end, after, "IDLE_TIMEOUT" if field == "idle_seconds" else "ABSOLUTE_TIMEOUT")

    await in_time(attempt)


@pytest.mark.parametrize("after", [-1, 0, 1])
@pytest.mark.parametrize("kind", SCOPE_KINDS)
async def test_a_shortened_life_bites_without_any_use(stack: Stack, kind: ScopeKind, after: int) -> None:
    """Nobody shows a token: lists and the sweeper say what calls with one would be told."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        await crowd.join()
        await set_document(stack, crowd.api.tenant_id, {**DOCUMENT, "absolute_seconds": 600}, scope=crowd.scope(kind))
        await follow(stack)
        await crowd.hold_to_end(crowd.begun + timedelta(seconds=600), after, "ABSOLUTE_TIMEOUT")

    await in_time(attempt)


@pytest.mark.parametrize("after", [-1, 0, 1])
async def test_who_joins_a_group_is_held_to_its_policy(stack: Stack, after: int) -> None:
    """From then on, in the sessions that live: and leaving it gives nothing back."""

    async def attempt() -> None:
        crowd = await Crowd.begin(stack, DOCUMENT)
        await set_document(stack, crowd.api.tenant_id, {"absolute_seconds": 600}, scope=crowd.scope("group"))
        await follow(stack)
        await move_to(stack, crowd.begun + timedelta(seconds=300))
        assert await lives(crowd.api, crowd.person, crowd.asked[0], "verify")
        await crowd.join()
        await follow(stack)
        group = f"{crowd.api.parent}/groups/{GROUP}"
        leaving = users.RemoveGroupMemberRequest(group=group, user=crowd.person.name)
        await crowd.api.users.RemoveGroupMember(leaving)
        await follow(stack)
        await crowd.hold_to_end(crowd.begun + timedelta(seconds=600), after, "ABSOLUTE_TIMEOUT")

    await in_time(attempt)


async def test_a_large_tenant_follows_batch_by_batch(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever carries on goes on where the one before came to; what was stepped up or begun meanwhile follows, too."""
    monkeypatch.setattr("argus.flows.policy_following._BATCH", 3)
    crowd = await Crowd.begin(stack, DOCUMENT)
    await set_document(stack, crowd.api.tenant_id, {**DOCUMENT, "absolute_seconds": 600})
    for _ in range(2):
        await asyncio.gather(*(stack.argus.policy_following.run_due() for _ in range(3)))
        await follow(stack)
        rows = await stack.argus.db.fetch_all(
            "SELECT absolute_deadline - create_time AS life FROM sessions WHERE tenant_id = %s", (crowd.api.tenant_id,)
        )
        assert len(rows) == len(DOORS) + 1
        assert all(row["life"] <= timedelta(seconds=600) for row in rows)
        # The second round changes nothing.
        await move_to(stack, now(stack) + timedelta(seconds=61))


@pytest.mark.parametrize("longer", [{"idle_seconds": 86400, "absolute_seconds": 86400}, {}])
async def test_a_lengthened_policy_revives_nothing(stack: Stack, longer: dict[str, Any]) -> None:
    """What is over stays over, and a session that lives keeps the end that it began with; the next one lives longer."""

    async def attempt() -> None:
        over, living = await Crowd.begin(stack, DOCUMENT), None
        await move_to(stack, over.begun + IDLE - 5 * SECOND)
        person = over.person
        await begin_second(stack)
        living = await new_session(over.api, person)
        await move_to(stack, over.begun + IDLE)
        await set_document(stack, over.api.tenant_id, {**longer, "session_limit": 100, "access_seconds": 3600})
        assert await over.said() == dict.fromkeys(DOORS, False)
        end = living.session.create_time.ToDatetime(tzinfo=UTC) + IDLE
        await move_to(stack, end)
        assert not await lives(over.api, person, living, "verify")
        later = await new_session(over.api, person)
        await move_to(stack, later.session.create_time.ToDatetime(tzinfo=UTC) + IDLE + SECOND)
        assert await lives(over.api, person, later, "verify")

    await in_time(attempt)
