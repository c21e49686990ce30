"""Three servers over one pair of stores: what is overdue is ended in time, and by one of them each."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from argus.base.clock import Clock
from argus.base.settings import Settings
from argus.server.private_stack import stack_over
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores
from argus.storage.postgres import Database
from tests.support.crowd import copy_session
from tests.support.people import new_person

SESSIONS = 10_000
SERVERS = 3
IDLE = timedelta(hours=8)
LATE_SECONDS = 60.0


async def test_three_servers_end_ten_thousand_overdue_sessions_once_each(tmp_path: Path) -> None:
    """Real processes by the real clock; the sessions were begun by one whose clock was eight hours behind."""
    with EmbeddedStores(tmp_path / "stores") as stores:
        behind = Clock(offset_ms=-round((IDLE + timedelta(seconds=1)).total_seconds() * 1000))
        async with stack_over(stores.urls, clock=behind) as early, early.fresh_tenant() as api:
            person = await new_person(api)
            await person.sign_in()
            await copy_session(early.server.argus, person, SESSIONS - 1)
        async with _servers(early.settings, tmp_path), Database.open(stores.urls.database) as db:
            begun = time.monotonic()
            while await _count(
                db, "SELECT count(*) AS n FROM sessions WHERE tenant_id = %s AND state <> 'ended'", api.tenant_id
            ):
                assert time.monotonic() - begun < LATE_SECONDS
                await asyncio.sleep(0.2)  # another process's work is awaited
            ends = "FROM audit_events WHERE tenant_id = %s AND type = 'session.ended' AND reason = 'IDLE_TIMEOUT'"
            assert await _count(db, f"SELECT count(*) AS n {ends}", api.tenant_id) == SESSIONS
            assert await _count(db, f"SELECT count(DISTINCT session_id) AS n {ends}", api.tenant_id) == SESSIONS


@asynccontextmanager
async def _servers(settings: Settings, folder: Path) -> AsyncIterator[None]:
    """Some `argus serve` over the same stores, each a process of its own."""
    servers = [Served(settings, folder / str(number)) for number in range(SERVERS)]
    with ExitStack() as running:
        for server in servers:
            running.enter_context(server.running())
        yield
        assert all(server.is_running for server in servers)


async def _count(db: Database, sql: str, *params: str) -> int:
    row = await db.fetch_one(sql, params)
    assert row is not None
    return int(row["n"])
