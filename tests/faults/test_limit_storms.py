"""Many sign-ins of one user at once, over three processes, under a limit of five: never more than five live.

Both witnesses say so at every instant: the rows of PostgreSQL, and the tokens that verify. And those that had to make
room are those that the strategy names.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from argus.policies.model import Scope
from argus.server.private_stack import PrivateStack, stack_over
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores
from argus.v1 import session_service_pb2 as sessions
from tests.support.features import origin
from tests.support.limit_storm import Lived, Made, Storm, most_at_once, rows_of
from tests.support.own_stores import until
from tests.support.people import new_person

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.people import Person

LIMIT: Final = 5
SERVERS: Final = 3
SIGN_INS: Final = int(os.environ.get("ARGUS_LIMIT_SIGN_INS", "50"))
CREATIONS: Final = int(os.environ.get("ARGUS_LIMIT_CREATIONS", "500"))
# All twenty storms take six minutes: `make limits`.
IS_WHOLE: Final = bool(os.environ.get("ARGUS_LIMITS"))
ALWAYS: Final = ("deny", "end_oldest")
STRATEGIES: Final = ("deny", "end_oldest", "end_least_recent", "end_lowest_trust", "ask_user")


@dataclass(frozen=True, kw_only=True)
class Field:
    """Three servers, each a process of its own, and one in this process that makes tenants."""

    stores: EmbeddedStores
    early: PrivateStack
    addresses: Sequence[str]

    @asynccontextmanager
    async def tenant(self, on_limit: str) -> AsyncIterator[tuple[Person, Sequence[Api]]]:
        """A user under the limit, and its tenant at each server, which knows of it."""
        async with self.early.fresh_tenant() as api:
            policies = self.early.server.argus.policies
            document = {"session_limit": LIMIT, "on_limit": on_limit}
            scope = Scope(kind="tenant", id=api.tenant_id)
            await policies.set_document(api.tenant_id, scope, document, origin=origin(api.tenant_id))
            person = await new_person(api)
            there = [api.at(address, clock=self.early.clock) for address in self.addresses]
            count = sessions.CountSessionsRequest(parent=person.name)
            for one in there:

                async def knows(server: Api = one) -> bool:
                    return int((await server.sessions.CountSessions(count)).limit) == LIMIT

                await until(knows)
            yield person, there
            for one in there:
                await one.close()

    async def lose_redis(self, storm: Storm, count: int) -> None:
        """In the middle of it: first all data, then the server, which comes back with another lineage and nothing."""
        for share, loss in ((0.2, self._flush), (0.5, self._restart)):
            goal = max(2, round(count * share))
            async with asyncio.timeout(60):
                while len(storm.made) + len(storm.refused) < goal:  # noqa: ASYNC110 - nobody says how far it is
                    await asyncio.sleep(0.005)
            await loss()

    async def _flush(self) -> None:
        await self.early.server.argus.redis.client.flushall()

    async def _restart(self) -> None:
        self.stores.valkey.kill()
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        self.stores.launch_valkey()
        self.stores.wait()


@pytest.fixture(scope="module")
async def field(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Field]:
    folder: Path = tmp_path_factory.mktemp("limits")
    with EmbeddedStores(folder / "stores") as stores:
        async with stack_over(stores.urls, caller_quota=1_000_000, tenant_quota=1_000_000) as early:
            quotas = {"caller_quota": 1_000_000, "tenant_quota": 1_000_000}
            servers = [Served(early.settings, folder / str(number), **quotas) for number in range(SERVERS)]
            with ExitStack() as running:
                for server in servers:
                    running.enter_context(server.running())
                yield Field(stores=stores, early=early, addresses=[one.grpc_address for one in servers])
                assert all(server.is_running for server in servers)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("loses_redis", [False, True], ids=["", "redis lost"])
@pytest.mark.parametrize("by_password", [True, False], ids=["sign-ins", "creations"])
@pytest.mark.parametrize("on_limit", STRATEGIES)
async def test_never_more_than_five_live(field: Field, on_limit: str, by_password: bool, loses_redis: bool) -> None:
    if not IS_WHOLE and (loses_redis or on_limit not in ALWAYS):
        pytest.skip("this storm is run by `make limits`")
    count = SIGN_INS if by_password else CREATIONS
    async with field.tenant(on_limit) as (person, servers):
        storm = Storm(person, servers)
        async with storm.watched():
            losing = asyncio.create_task(field.lose_redis(storm, count)) if loses_redis else None
            await storm.rage(count, by_password=by_password)
            if losing is not None:
                await losing
        await storm.look()
        rows = await rows_of(field.early.server.argus.db, person)

    assert most_at_once([(one.create_time, one.end_time) for one in rows], is_closed=False) <= LIMIT
    spans = [(min(one.seen), max(one.seen)) for one in storm.made if one.seen]
    assert most_at_once(spans, is_closed=True) <= LIMIT
    assert len([one for one in rows if one.end_time is None]) == LIMIT
    if on_limit == "deny":
        assert len(rows) == LIMIT
        assert {(one.reason, one.metadata.get("onLimit")) for one in storm.refused} == {
            ("SESSION_LIMIT_REACHED", "deny")
        }
        return
    assert not storm.refused
    assert len(storm.made) > count // 2
    check_victims(rows, storm.made, on_limit)


def check_victims(rows: Sequence[Lived], made: Sequence[Made], on_limit: str) -> None:
    """Each session that had to make room was the first in the order of the strategy, but for sign-ins in flight.

    A session is in flight until its tokens come.
    """
    answered = {one.session_id: one.answered for one in made}
    chosen = {one.session_id: one.chosen for one in made}
    for victim in rows:
        if victim.end_time is None:
            continue
        assert victim.new_session, "nothing but the limit ends any"
        if on_limit == "ask_user":
            assert victim.new_session not in chosen or victim.session_id in chosen[victim.new_session]
            continue
        for other in rows:
            is_there = other.create_time < victim.end_time and (
                other.end_time is None or other.end_time > victim.end_time
            )
            if is_there and rank(other, on_limit) < rank(victim, on_limit):
                assert answered.get(other.session_id, victim.end_time) >= victim.end_time, "another one was first"


def rank(session: Lived, on_limit: str) -> tuple[int, datetime]:
    """The order of a strategy where none was used or rated: trust fades from the second of the proof on."""
    proved = int(session.auth_time.timestamp()) if on_limit == "end_lowest_trust" else 0
    return proved, session.create_time
