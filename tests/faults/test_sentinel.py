"""Redis under Sentinel: real failovers while a server serves, and nothing accepted from a node that was replaced."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from argus._core import Lease
from argus.base.origin import Origin
from argus.base.settings import PolicySettings
from argus.flows.termination import TerminationState
from argus.server.api import Api, Failure, failure_of
from argus.server.served import Served
from argus.storage.embedded import EmbeddedStores, StoreUrls
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.support.features import own_database
from tests.support.people import Person, new_person, refresh, terminate, verify
from tests.support.processes import kill_postgresql
from tests.support.sentinel import PATIENCE_SECONDS, SentinelBed, wait_until
from tests.support.servers import KINDS, server_program

if TYPE_CHECKING:
    from argus.server.private_stack import PrivateStack

RECOVERED_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.02  # what a client waits before it tries again


@dataclass(slots=True)
class Place:
    """A bed, a server over it, and a user."""

    bed: SentinelBed
    private: PrivateStack
    api: Api
    person: Person

    async def new_tokens(self) -> types.TokenSet:
        """Tokens of a new session, without the work of a password."""
        request = sessions.CreateSessionRequest(parent=self.person.name)
        return (await self.api.sessions.CreateSession(request)).tokens


@dataclass(slots=True)
class Crowd:
    """Sessions that are refreshed without a break; a client keeps the newest token that it was given."""

    api: Api
    tokens: list[types.TokenSet]
    outcomes: Counter[str] = field(default_factory=Counter)
    is_over: bool = False

    async def refresh_all(self) -> None:
        """Refreshes one session after the other, until it is over; a client that is told to come back does."""
        position = 0
        while not self.is_over:
            place = position % len(self.tokens)
            failure = await self.try_one(place)
            if failure is None:
                position += 1
            else:
                await asyncio.sleep(PAUSE_SECONDS)

    async def try_one(self, place: int) -> Failure | None:
        """Refreshes one session."""
        try:
            answer = await refresh(self.api, self.tokens[place].refresh_token)
        except Exception as error:  # noqa: BLE001  # taken apart below
            failure = await failure_of(_raise(error))
            assert failure is not None
            self.outcomes[failure.reason] += 1
            return failure
        self.tokens[place] = answer.tokens
        self.outcomes["OK"] += 1
        return None


async def _raise(error: Exception) -> None:
    raise error


@pytest.fixture(params=KINDS)
async def place(request: pytest.FixtureRequest, tmp_path: Path, stores: StoreUrls) -> AsyncIterator[Place]:
    """Of either kind."""
    async with own_database(stores.database) as url, _place(tmp_path, request.param, url) as made:
        yield made


@pytest.fixture
async def valkey_place(tmp_path: Path, stores: StoreUrls) -> AsyncIterator[Place]:
    """Where the kind does not matter."""
    async with own_database(stores.database) as url, _place(tmp_path, "valkey", url) as made:
        yield made


@asynccontextmanager
async def _place(
    folder: Path, kind: str, database: str, *, down_after_ms: int = 0, options: Sequence[str] = ()
) -> AsyncIterator[Place]:
    from argus.server.private_stack import stack_over

    with SentinelBed(folder / "bed", server_program(kind), down_after_ms=down_after_ms, options=options) as bed:
        urls = StoreUrls(redis=bed.url, database=database)
        timeout, policy = timedelta(milliseconds=500), PolicySettings(session_limit=10_000)
        async with (
            stack_over(urls, redis_timeout=timeout, policy=policy) as private,
            private.fresh_tenant() as api,
        ):
            yield Place(bed, private, api, await new_person(api))


async def _until_ok(api: Api, access_token: str) -> float:
    """Waits until a token is verified; only UNAVAILABLE may come before. Returns how long it took."""
    begun = time.monotonic()
    while (failure := await failure_of(verify(api, access_token, passive=True))) is not None:
        assert failure.reason == "UNAVAILABLE"
        assert failure.retry_after
        assert time.monotonic() - begun < PATIENCE_SECONDS
        await asyncio.sleep(PAUSE_SECONDS)
    return time.monotonic() - begun


async def _time_of(what: str, condition: Callable[[], bool]) -> float:
    """When something has come about."""
    await asyncio.to_thread(wait_until, what, condition)
    return time.monotonic()


async def _ready(url: str) -> tuple[int, dict[str, str]]:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/readyz")
        return answer.status_code, answer.json()["faults"]


@pytest.mark.parametrize("how", ["killed", "handed over"])
async def test_a_failover_is_over_within_ten_seconds(place: Place, how: str) -> None:
    """Refreshes meanwhile are answered, or told to come back; afterwards every session goes on with its own token."""
    change = place.bed.fail_over if how == "killed" else place.bed.hand_over
    await _over_within_ten_seconds(place, lambda: asyncio.to_thread(change))


async def test_a_restart_of_the_primary_is_over_within_ten_seconds(tmp_path: Path, stores: StoreUrls) -> None:
    """So quick that the sentinels don't take it for down. Its data is gone; PostgreSQL has it."""
    async with own_database(stores.database) as url, _place(tmp_path, "valkey", url, down_after_ms=30_000) as place:

        async def restart() -> None:
            # From the main thread, with which it ends.
            primary = place.bed.primary()
            primary.kill()
            primary.launch()

        await _over_within_ten_seconds(place, restart)


async def _over_within_ten_seconds(place: Place, change: Callable[[], Awaitable[object]]) -> None:
    crowd = Crowd(place.api, [await place.new_tokens() for _ in range(40)])
    refreshing = asyncio.create_task(crowd.refresh_all())
    await asyncio.to_thread(wait_until, "refreshes are under way", lambda: crowd.outcomes["OK"] >= 10)
    watch = place.private.server.argus.primary
    # Before the change: the server goes by most sentinels, and may be seconds ahead of the last of them.
    noticing = asyncio.create_task(_time_of("it is noticed", lambda: watch.changes == 1))
    await change()
    changed, noticed = time.monotonic(), await noticing
    await _until_ok(place.api, crowd.tokens[0].access_token)
    over = time.monotonic()
    # Somebody might be using the old one for as long as a lease is good.
    assert over - noticed > Lease.LIFE_MS / 1000
    took = over - min(changed, noticed)
    crowd.is_over = True
    await refreshing
    assert took < RECOVERED_SECONDS, took
    for number in range(len(crowd.tokens)):
        assert await crowd.try_one(number) is None
    assert set(crowd.outcomes) == {"OK", "UNAVAILABLE"}, crowd.outcomes
    assert watch.changes == 1
    print(f"over after {took:.1f} s, {dict(crowd.outcomes)}")  # noqa: T201


async def test_failover_with_a_process_still_on_the_old_primary(place: Place, tmp_path: Path) -> None:
    """Both stand still while the others fail over and end a session; then both go on as if nothing had been.

    What that primary knows to be active must not be accepted.
    """
    done = await place.person.sign_in()
    token = done.tokens.access_token
    old = place.bed.primary()
    with Served(place.private.settings, tmp_path / "late").running() as late:
        late_api = place.api.at(late.grpc_address)
        await _until_ok(late_api, token)
        late.pause()
        old.pause()
        await asyncio.to_thread(place.bed.wait_for_another, old)
        await _until_ok(place.api, token)
        ended = await terminate(place.api, done.session.name)
        assert ended.state == types.TERMINATION_STATE_ENDED
        old.resume()
        late.resume()
        reasons: Counter[str] = Counter()
        assert old.info()["role"] == "master"  # it does not know yet
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not reasons["SESSION_ENDED"]:
                for call in (verify(late_api, token), refresh(late_api, done.tokens.refresh_token)):
                    failure = await failure_of(call)
                    reasons[failure.reason if failure else "OK"] += 1
        await late_api.close()
    assert set(reasons) <= {"UNAVAILABLE", "SESSION_ENDED"}, reasons


async def test_without_postgresql_the_lease_runs_out(tmp_path: Path) -> None:
    """Who can't ask whether its primary still counts does not go on for more than five seconds."""
    with EmbeddedStores(tmp_path / "stores") as own:
        async with _place(tmp_path, "valkey", own.urls.database) as place:
            tokens = await place.new_tokens()
            await verify(place.api, tokens.access_token)
            kill_postgresql(own)
            begun = time.monotonic()
            while (failure := await failure_of(verify(place.api, tokens.access_token, passive=True))) is None:
                assert time.monotonic() - begun < PATIENCE_SECONDS
                await asyncio.sleep(PAUSE_SECONDS)
            assert (failure.reason, failure.metadata) == ("UNAVAILABLE", {"component": "redis", "cause": "NO_LEASE"})
            status, faults = await _ready(place.private.server.admin_url)
            assert (status, faults["lease"]) == (503, "postgresql is away")
            own.launch_postgresql()
            own.wait()
            assert await _until_ok(place.api, tokens.access_token) < RECOVERED_SECONDS
        own.delete()


async def test_a_few_sentinels_bring_no_primary_back(valkey_place: Place) -> None:
    """One of three goes on naming a node that the other two may have replaced: only most of them are believed."""
    place = valkey_place
    tokens = await place.new_tokens()
    primary = place.bed.primary()
    for sentinel in place.bed.sentinels[1:]:
        sentinel.pause()
    primary.kill()
    primary.launch()
    watch = place.private.server.argus.primary
    too_few = "the node is not registered, and too few sentinels name it"
    await asyncio.to_thread(wait_until, too_few, lambda: watch.fault == too_few)
    failure = await failure_of(verify(place.api, tokens.access_token))
    assert failure is not None
    assert failure.reason == "UNAVAILABLE"
    for sentinel in place.bed.sentinels[1:]:
        sentinel.resume()
    await _until_ok(place.api, tokens.access_token)


async def test_who_starts_late_goes_by_what_is_registered(valkey_place: Place, tmp_path: Path) -> None:
    """It takes part at once, and tells how it fares."""
    place = valkey_place
    tokens = await place.new_tokens()
    with Served(place.private.settings, tmp_path / "another").running() as another:
        assert await _ready(another.admin_url) == (200, {})
        async with httpx.AsyncClient(base_url=another.admin_url) as client:
            metrics = (await client.get("/metrics")).text
        assert "argus_redis_lease_held 1.0" in metrics
        assert "argus_redis_primary_changes_total 0.0" in metrics
        age = next(line for line in metrics.splitlines() if line.startswith("argus_redis_lease_age_seconds "))
        assert 0 <= float(age.split()[1]) < 5
    await verify(place.api, tokens.access_token)


async def test_a_plain_address_of_a_replica_is_no_redis(valkey_place: Place) -> None:
    """A node that was demoted under a server that knows nothing of Sentinel: UNAVAILABLE, and a clear word."""
    from argus.server.private_stack import stack_over

    place = valkey_place
    database = place.private.settings.database_url.get_secret_value()
    urls = StoreUrls(redis=place.bed.direct_url(place.bed.primary()), database=database)
    key = place.private.settings.key_encryption_key
    tokens = await place.new_tokens()
    async with stack_over(urls, key_encryption_key=key) as plain:
        api = place.api.at(plain.server.grpc_address)
        await verify(api, tokens.access_token)
        assert await _ready(plain.server.admin_url) == (200, {})
        await asyncio.to_thread(place.bed.hand_over)
        watch = plain.server.argus.primary
        await asyncio.to_thread(wait_until, "it is noticed", lambda: bool(watch.fault))
        failure = await failure_of(verify(api, tokens.access_token))
        assert failure is not None
        assert failure.reason == "UNAVAILABLE"
        status, faults = await _ready(plain.server.admin_url)
        assert (status, faults["redis"]) == (503, "a replica: Argus needs the primary")
        await api.close()


async def test_the_first_replica_of_a_primary_keeps_nobody_waiting(valkey_place: Place) -> None:
    """The same process goes on under another lineage: every record is rebuilt, and no lease has to run out."""
    place = valkey_place
    tokens = await place.new_tokens()
    primary, (replica,) = place.bed.primary(), place.bed.replicas()
    watch = place.private.server.argus.primary
    replica.kill()
    # As after an hour without replicas.
    primary.client.config_set("repl-backlog-ttl", 1)
    wait_until("the history is forgotten", lambda: not primary.info()["repl_backlog_active"])
    before = primary.info()["master_replid"]
    replica.launch()
    wait_until("the replica follows", lambda: replica.is_replica_of(primary))
    assert primary.info()["master_replid"] != before
    assert await _until_ok(place.api, tokens.access_token) < Lease.LIFE_MS / 1000
    assert watch.changes == 0


async def test_a_primary_that_must_have_replicas_takes_no_writes_without(tmp_path: Path, stores: StoreUrls) -> None:
    """`min-replicas-to-write`: what the guide recommends. Reads go on; a refresh is told to come back."""
    options = ("min-replicas-to-write 1",)
    async with own_database(stores.database) as url, _place(tmp_path, "valkey", url, options=options) as place:
        tokens = await place.new_tokens()
        (replica,) = place.bed.replicas()
        replica.kill()
        access_token, refresh_token = tokens.access_token, tokens.refresh_token
        primary = place.bed.primary()
        await asyncio.to_thread(wait_until, "it is missed", lambda: primary.info()["min_slaves_good_slaves"] == 0)
        failure = await failure_of(refresh(place.api, refresh_token))
        assert failure is not None
        assert failure.reason == "UNAVAILABLE"
        await verify(place.api, access_token, passive=True)
        replica.launch()
        await asyncio.to_thread(place.bed.wait_for_replicas)
        while (failure := await failure_of(refresh(place.api, refresh_token))) is not None:
            assert failure.reason == "UNAVAILABLE"
            await asyncio.sleep(PAUSE_SECONDS)


async def test_recovery_finds_the_primary(valkey_place: Place) -> None:
    """It has no lease and needs none: what it writes only ends."""
    from argus.server.recovery import open_recovery

    held = await valkey_place.new_tokens()
    by = Origin(tenant_id=valkey_place.api.tenant_id, actor="cli:admin", request_id="r")
    async with open_recovery(valkey_place.private.settings, clock=valkey_place.private.clock) as opened:
        state = await opened.tenant(valkey_place.api.tenant_id, until=opened.moment(), origin=by)
    assert state is TerminationState.ENDED
    # The client's token ended, too.
    failure = await failure_of(verify(valkey_place.api.at(valkey_place.private.server.grpc_address), held.access_token))
    assert failure is not None
    assert failure.reason == "SESSION_ENDED"
