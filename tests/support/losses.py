"""Stores that lose what they were told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.stack import Stack


async def forget_rotations(stack: Stack, session: str) -> None:
    """Has Redis lose a session's record, and PostgreSQL never have heard of its rotations."""
    await stack.argus.effects.flush()
    session_id = session.rpartition("/")[2]
    changed = await stack.argus.db.fetch_one(
        "UPDATE sessions SET generation_bound = 1 WHERE session_id = %s RETURNING session_id", (session_id,)
    )
    assert changed is not None
    redis = stack.argus.redis.client
    lost = [name async for name in redis.scan_iter(match=f"a1:s:*:{session_id}")]
    assert len(lost) == 1
    await redis.delete(*lost)
