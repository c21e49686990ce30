"""Many sign-ins of one user at once, over three processes, under a limit of five: never more than five live.

Both witnesses say so at every instant: the rows of PostgreSQL, and the tokens that verify. And those that had to make
room are those that the strategy names.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import pytest

from argus.policies.model import Scope
from argus.server.private_stack import PrivateStack, stack_over
from argus.server.served import Served
from argus.sessions.live_store import HOLD
from argus.storage.embedded import EmbeddedStores
from argus.v1 import device_service_pb2 as devices
from argus.v1 import session_service_pb2 as sessions
from tests.support.features import origin
from tests.support.limit_storm import Lived, Storm, most_at_once, removed, rows_of
from tests.support.own_stores import until
from tests.support.people import new_person

if TYPE_CHECKING:
    from argus.base.clock import Clock
    from argus.server.api import Api
    from tests.support.people import Person

Span: TypeAlias = tuple[datetime, datetime]

LIMIT: Final = 5
# As docs/guides/limits.md has them.
TRUST_OF_UNKNOWN: Final = 30
TRUST_HALVES: Final = 8 * 3600
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

    async def lose_redis(self, storm: Storm, count: int) -> list[Span]:
        """In the middle of it: first all data, then the server, which comes back with another lineage and nothing.

        Answers from when to when each loss took.
        """
        losses = []
        for share, loss in ((0.2, self._flush), (0.5, self._restart)):
            goal = max(2, round(count * share))
            async with asyncio.timeout(60):
                while len(storm.made) + len(storm.refused) < goal:  # noqa: ASYNC110 - nobody says how far it is
                    await asyncio.sleep(0.005)
            begun = datetime.now(UTC)
            await loss()
            losses.append((begun, datetime.now(UTC)))
        return losses

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
async def test_never_more_than_five_live(
    field: Field, on_limit: str, by_password: bool, loses_redis: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not IS_WHOLE and (loses_redis or on_limit not in ALWAYS):
        pytest.skip("this storm is run by `make limits`")
    count = SIGN_INS if by_password else CREATIONS
    begun = time.monotonic()
    async with field.tenant(on_limit) as (person, servers):
        storm = Storm(person, servers)
        if on_limit == "end_lowest_trust":
            storm.device_tokens = await known_devices(person, field.early.clock)
        async with storm.watched():
            losing = asyncio.create_task(field.lose_redis(storm, count)) if loses_redis else None
            await storm.rage(count, by_password=by_password)
            losses = await losing if losing is not None else []
        await storm.look()
        rows = await rows_of(field.early.server.argus.db, person)
        gone = await removed(field.early.server.argus.db, person)

    if IS_WHOLE:
        with capsys.disabled():
            what = f"{on_limit}, {count} at once{', redis lost' if loses_redis else ''}"
            sys.stdout.write(f"\n  {what}: {figures(storm, rows, gone)}; {time.monotonic() - begun:.0f} s\n")
    assert most_rows(rows) <= LIMIT
    assert most_tokens(storm) <= LIMIT
    assert len([one for one in rows if one.end_time is None]) == LIMIT
    if on_limit == "deny":
        assert len(rows) == LIMIT
        assert {(one.reason, one.metadata.get("onLimit")) for one in storm.refused} == {
            ("SESSION_LIMIT_REACHED", "deny")
        }
        return
    assert not storm.refused
    assert len(storm.made) > count // 2
    if on_limit == "ask_user":
        check_chosen(rows, storm)
    else:
        check_order(rows, storm, on_limit, gone=gone, losses=losses)


def most_rows(rows: Sequence[Lived]) -> int:
    """How many lived at an instant, as PostgreSQL says."""
    return most_at_once([(one.create_time, one.end_time) for one in rows], is_closed=False)


def most_tokens(storm: Storm) -> int:
    """How many tokens were good at an instant, as Redis said."""
    return most_at_once([(min(one.seen), max(one.seen)) for one in storm.made if one.seen], is_closed=True)


def figures(storm: Storm, rows: Sequence[Lived], gone: Sequence[datetime]) -> str:
    """What became of a storm, in a line."""
    ended = sum(one.end_time is not None for one in rows)
    return (
        f"at most {most_rows(rows)} rows and {most_tokens(storm)} tokens live at an instant; {ended} ended,"
        f" {len(storm.refused)} refused, {len(gone)} lost their places, {len(storm.given_up)} calls given up"
    )


def check_chosen(rows: Sequence[Lived], storm: Storm) -> None:
    """Each session that had to make room was chosen by the user of the one that has its place."""
    chosen = {one.session_id: one.chosen for one in storm.made}
    for victim in rows:
        if victim.end_time is not None:
            assert victim.new_session, "nothing but the limit ends any"
            assert victim.new_session not in chosen or victim.session_id in chosen[victim.new_session]


def check_order(
    rows: Sequence[Lived], storm: Storm, on_limit: str, *, gone: Sequence[datetime], losses: Sequence[Span]
) -> None:
    """Each session that had to make room was the first in the order of the strategy, but for sign-ins in flight.

    A session is in flight until its tokens come. One that another sign-in had claimed was out of the order as well: it
    shows as ended then, unless Redis has lost that claim, and somebody else has ended it afterwards. There can be no
    more of those than there were sign-ins in flight that came to nothing.
    """
    answered = {one.session_id: one.answered for one in storm.made}
    claims = [*storm.given_up, *(_held(one, losses) for one in gone)]
    for victim in rows:
        at = victim.end_time
        if at is None:
            continue
        assert victim.new_session, "nothing but the limit ends any"
        skipped = [
            other
            for other in rows
            if other.create_time < at
            and (other.end_time is None or other.end_time > at)
            and answered.get(other.session_id, at) < at
            and rank(other, on_limit, at) < rank(victim, on_limit, at)
        ]
        unlost = [one for one in skipped if not any(_between(at, one.end_time, loss) for loss in losses)]
        assert not unlost, f"{unlost} should have ended before {victim}"
        assert len(skipped) <= sum(first <= at <= last for first, last in claims), f"{skipped} before {victim}"


def _held(reserved: datetime, losses: Sequence[Span]) -> Span:
    """How long a sign-in has kept its victim from others: until Redis forgot it, or for half a minute."""
    return reserved, min([reserved + HOLD, *(end for _, end in losses if end >= reserved)])


def _between(first: datetime, last: datetime | None, loss: Span) -> bool:
    """Whether a loss may have come between two instants; None: there was no other."""
    return loss[1] >= first and (last is None or loss[0] <= last)


def rank(session: Lived, on_limit: str, at: datetime) -> tuple[float, datetime, str]:
    """The order of a strategy at an instant, where nothing was used: trust as it has faded, then as they began.

    All that Redis counts in are whole seconds, and whole points of trust.
    """
    trusted = 0.0
    if on_limit == "end_lowest_trust":
        rated = TRUST_OF_UNKNOWN if session.trust is None else int(session.trust + 0.5)
        trusted = rated * 0.5 ** ((int(at.timestamp()) - int(session.auth_time.timestamp())) / TRUST_HALVES)
    return trusted, session.create_time, session.session_id


async def known_devices(person: Person, clock: Clock) -> list[str]:
    """Tokens of one device that was tampered with and of one that is well known, and none: a new one."""
    bad = await person.sign_in()
    posture = devices.Posture(source=devices.POSTURE_SOURCE_MDM, integrity=devices.INTEGRITY_VERDICT_FAILED)
    posture.measured_time.FromMilliseconds(clock.now_ms())
    name = f"{person.name}/devices/{bad.session.device.name}"
    await person.api.devices.ReportPosture(devices.ReportPostureRequest(name=name, posture=posture))
    good = await person.sign_in()
    for _ in range(2):
        await person.sign_in(device_token=good.device_token)
    return [bad.device_token, good.device_token, ""]
