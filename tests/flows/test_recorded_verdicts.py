"""What Redis decides about a refresh token reaches PostgreSQL, whatever becomes of the call."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest

from argus.v1 import token_service_pb2 as tokens
from tests.support.people import new_person, reason_of, refresh

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack

LATER = timedelta(seconds=41)
PATIENCE_SECONDS = 20


async def _state(stack: Stack, session: str) -> str:
    sql = "SELECT state FROM sessions WHERE session_id = %s"
    (row,) = await stack.argus.db.fetch_all(sql, (session.rpartition("/")[2],))
    return str(row["state"])


async def _replaced_twice(stack: Stack, api: Api) -> tuple[str, str]:
    """A session, and its first refresh token, two generations behind."""
    done = await (await new_person(api)).sign_in()
    second = await refresh(api, done.tokens.refresh_token)
    await stack.advance(LATER)
    await refresh(api, second.tokens.refresh_token)
    await stack.argus.effects.flush()
    return done.session.name, done.tokens.refresh_token


async def test_a_contest_whose_caller_has_gone_reaches_postgresql(stack: Stack) -> None:
    """The row is locked, the call runs out of time while its verdict waits; then the row is free."""
    api = await stack.new_tenant()
    session, first = await _replaced_twice(stack, api)
    async with stack.argus.db.transaction() as tx:
        await tx.execute("SELECT 1 FROM sessions WHERE session_id = %s FOR UPDATE", (session.rpartition("/")[2],))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await api.tokens.RefreshToken(tokens.RefreshTokenRequest(refresh_token=first), timeout=1)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await reason_of(refresh(api, first)) == "STEP_UP_REQUIRED"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await _state(stack, session) != "contested":  # noqa: ASYNC110 - another process is awaited
            await asyncio.sleep(0.05)
