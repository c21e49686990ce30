"""A late page of a user's sessions costs what the first one does: by what PostgreSQL reads for it, not by a clock."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, LiteralString

import pytest

from argus.sessions.service import Sessions
from argus.sessions.store import SessionStore
from argus.storage.postgres import Database, Parameters, Row
from tests.support.crowd import copy_session
from tests.support.people import Person, new_person
from tests.support.stack import Stack

MANY: Final = 2000
SIZE: Final = 50


class Explained:
    """A database that says how many sessions, and blocks of other tables, each read took to find what it gives."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.read: list[int] = []
        self.blocks_elsewhere: list[int] = []
        self.plans: list[list[str]] = []

    async def fetch_page(self, sql: LiteralString, params: Parameters = ()) -> list[Row]:
        """All rows of a page, after it was explained."""
        (explained,) = await self._db.fetch_page("EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT JSON) " + sql, params)
        nodes = list(_nodes(explained["QUERY PLAN"][0]["Plan"]))
        scans = [node for node in nodes if node["Node Type"].endswith("Scan")]
        self.read.append(sum(_read(node) for node in scans if node.get("Relation Name") == "sessions"))
        self.blocks_elsewhere.append(sum(_blocks(node) for node in scans if node.get("Relation Name") != "sessions"))
        self.plans.append([f"{node['Node Type']} {node.get('Relation Name', '')}" for node in nodes])
        return await self._db.fetch_page(sql, params)


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _read(node: dict[str, Any]) -> int:
    thrown_away = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return int((node["Actual Rows"] + sum(node.get(name, 0) for name in thrown_away)) * node["Actual Loops"])


def _blocks(node: dict[str, Any]) -> int:
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])


@pytest.fixture(scope="module")
async def crowd(stack: Stack) -> Person:
    """Somebody with very many sessions, in a table where nearly all others are over."""
    api = await stack.new_tenant()
    person, *others = [await new_person(api) for _ in range(3)]
    for one in (person, *others):
        await one.sign_in()
        await copy_session(stack.argus, one, MANY)
    async with stack.argus.db.transaction() as tx:
        for one in others:
            await tx.execute(
                """UPDATE sessions SET state = 'ended', end_time = create_time, end_reason = 'LOGOUT',
                       idle_deadline = create_time, absolute_deadline = create_time
                    WHERE tenant_id = %s AND user_id = %s""",
                (api.tenant_id, one.user_id),
            )
        # As autovacuum does it in time.
        await tx.execute("ANALYZE sessions, clients, tenants")
    return person


@pytest.mark.parametrize("with_ended", [True, False])
async def test_every_page_is_read_like_the_first(stack: Stack, crowd: Person, with_ended: bool) -> None:
    """As many rows as it shows, and one to know whether there are more; all sessions, each once, the newest first."""
    explained = Explained(stack.argus.db)
    store = SessionStore(explained)  # type: ignore[arg-type]  # all that a page asks of it
    lives = stack.argus.policies.longest_lives
    sessions = Sessions(stack.argus.db, store, lives, now=stack.argus.sessions._now)
    seen: list[str] = []
    token, pages = "", 0
    while token or not pages:
        page = await sessions.page(
            crowd.api.tenant_id, crowd.user_id, size=SIZE, page_token=token, with_ended=with_ended
        )
        seen += _ids(page.sessions)
        token, pages = page.next_page_token, pages + 1
    assert pages >= MANY // SIZE
    assert len(seen) == len(set(seen)) == MANY + 1
    assert max(explained.read) <= SIZE + 1, (explained.read, explained.plans)
    # What sessions are held to, client, tenant and policy: of each a row, by an index of two levels.
    assert max(explained.blocks_elsewhere) <= 3 * 3 * (SIZE + 1), (explained.blocks_elsewhere, explained.plans)
    assert not [plan for plan in explained.plans if any("Sort" in node for node in plan)]


def _ids(sessions: Sequence[Any]) -> list[str]:
    return [one.session_id for one in sessions]
