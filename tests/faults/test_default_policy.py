"""Settings say what is in force where tenants set nothing: sessions that live follow another one from its start on."""

from __future__ import annotations

import tempfile
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from argus.base.clock import Clock
from argus.base.settings import PolicySettings
from argus.policies import changes_store
from argus.server.private_stack import stack_over
from argus.storage.embedded import EmbeddedStores
from tests.support.deadlines import new_session
from tests.support.own_stores import until
from tests.support.people import new_person

if TYPE_CHECKING:
    from argus.server.private_stack import PrivateStack

SHORTER, LONGER = timedelta(hours=1), timedelta(hours=48)


@pytest.mark.timeout(300)
async def test_sessions_follow_a_changed_default_and_the_sweeper_ends_them() -> None:
    """Nobody changes a policy of theirs; a longer default gives them nothing, and the same one changes nothing."""
    with tempfile.TemporaryDirectory(prefix="argus-") as folder, EmbeddedStores(Path(folder)) as stores:
        clock = Clock()
        async with stack_over(stores.urls, clock=clock) as stack:
            settings = {"key_encryption_key": stack.settings.key_encryption_key}
            api = await stack.new_tenant()
            made = await new_session(api, await new_person(api))
            assert await _followed(stack) == 0
        created = made.session.create_time.ToDatetime(tzinfo=UTC).replace(microsecond=0)
        for default in (SHORTER, SHORTER, LONGER, SHORTER):
            policy = PolicySettings(absolute=default)
            async with stack_over(stores.urls, clock=clock, policy=policy, **settings) as stack:
                assert await _followed(stack) == 1
                row = await stack.server.argus.db.fetch_one("SELECT absolute_deadline AS end FROM sessions")
                assert row == {"end": created + SHORTER}
        async with stack_over(stores.urls, clock=clock, policy=PolicySettings(absolute=LONGER), **settings) as stack:
            await stack.advance(SHORTER)
            await stack.server.argus.sweeper.sweep()
            row = await stack.server.argus.db.fetch_one("SELECT end_reason, end_time FROM sessions")
            assert row == {"end_reason": "ABSOLUTE_TIMEOUT", "end_time": created + SHORTER}


async def _followed(stack: PrivateStack) -> int:
    """How often sessions went over to another policy, once all that is due has been carried out."""
    argus = stack.server.argus

    async def is_done() -> bool:
        await argus.policy_following.run_due()
        return not await changes_store.count_open(argus.db, now=argus.policies._now())

    await until(is_done)
    row = await argus.db.fetch_one("SELECT count(*) AS n FROM audit_events WHERE type = 'session.policy_changed'")
    return 0 if row is None else row["n"]
