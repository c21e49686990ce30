"""Whatever ends, however, and however often watchers hang up: their lists say of every token what Argus says of it.

The machine works on two real servers over real stores. The model is what stands in PostgreSQL about sessions, users,
clients, tenants and keys, and the tokens that were handed out.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from argus.base.clock import now
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.base.settings import PolicySettings
from argus.server.api import failure_of
from argus.sessions.model import EndReason
from argus.v1 import revocation_service_pb2 as pb
from argus.v1 import session_service_pb2 as sessions
from tests.support.breakable import REDIS, Breakable, breakable_servers
from tests.support.people import new_client, new_person, refresh, terminate, verify
from tests.support.watchers import Entry, Watcher

if TYPE_CHECKING:
    from argus.server.api import Api

T = TypeVar("T")

ACCESS = timedelta(minutes=5)
# Shorter than an access token's life: an idle end comes before the last token has expired.
IDLE = timedelta(minutes=2)
LIMIT = 3
WATCHERS = 3


@dataclass(slots=True, kw_only=True)
class Held:
    """A session, as its holder knows it."""

    name: str
    refresh_token: str
    access_tokens: list[str]


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unchecked; with the `kid` of its header."""
    header, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return {**body, "kid": header["kid"]}


def is_over(entries: dict[Entry, pb.Revocation], claims: dict[str, Any]) -> bool:
    """What the comments of the proto tell a verifier to do."""
    if ("session", claims["sid"]) in entries or ("key", claims["kid"]) in entries:
        return True
    wide = (("user", claims["sub"]), ("client", claims["client_id"]), ("tenant", ""))
    return any(claims["iat"] <= entries[one].time.seconds for one in wide if one in entries)


class Revocations(RuleBasedStateMachine):
    """Any order of sign-ins, ends of every kind, and watchers that come and go."""

    breakable: Breakable
    loop: asyncio.AbstractEventLoop

    @initialize()
    def begin(self) -> None:
        self.held: list[Held] = []
        self._do(self._begin())

    async def _begin(self) -> None:
        self.api = await self.breakable.first.new_tenant()
        self.twin = self.breakable.through_second(self.api)
        self.other = await new_client(self.api, self.breakable.first)
        for server in self.breakable.servers:
            await server.server.argus.snapshot.refresh()
        self.people = [await new_person(self.api) for _ in range(2)]
        self.watchers = [Watcher(self.api) for _ in range(WATCHERS)]

    def teardown(self) -> None:
        if hasattr(self, "watchers"):
            self.compare()
            self._do(self._end())

    async def _end(self) -> None:
        for one in self.watchers:
            await one.disconnect()
        for api in (self.api, self.twin, self.other):
            await api.close()

    # ---- sessions

    @rule(who=st.integers(0, 1), is_other=st.booleans())
    def sign_in(self, who: int, is_other: bool) -> None:
        """One more than the limit ends another."""
        api = self.other if is_other else self.api
        request = sessions.CreateSessionRequest(parent=self.people[who].name)
        begun = self._do(api.sessions.CreateSession(request))
        held = Held(
            name=begun.session.name,
            refresh_token=begun.tokens.refresh_token,
            access_tokens=[begun.tokens.access_token],
        )
        self.held.append(held)

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99), is_first=st.booleans())
    def refresh(self, which: int, is_first: bool) -> None:
        held = self.held[which % len(self.held)]

        async def use() -> None:
            answer = await refresh(self.api if is_first else self.twin, held.refresh_token)
            held.refresh_token = answer.tokens.refresh_token or held.refresh_token
            held.access_tokens.append(answer.tokens.access_token)

        self._do(failure_of(use()))

    # ---- ends

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99), is_first=st.booleans())
    def end_one(self, which: int, is_first: bool) -> None:
        self._do(terminate(self.api if is_first else self.twin, self.held[which % len(self.held)].name))

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99))
    def end_one_without_redis(self, which: int) -> None:
        self._do(self._end_without_redis(self.held[which % len(self.held)].name))

    async def _end_without_redis(self, name: str) -> None:
        await self.api.token()
        await self.breakable.first.server.argus.effects.flush()
        async with self.breakable.without(REDIS):
            await terminate(self.api, name)
        await self.breakable.first.server.argus.redis.load_functions()
        await self.breakable.carried_out()

    @rule(who=st.integers(0, 1))
    def end_a_users(self, who: int) -> None:
        request = sessions.TerminateSessionsRequest(parent=self.people[who].name)
        self._do(self.twin.sessions.TerminateSessions(request))

    @precondition(lambda self: self.held)
    @rule(which=st.integers(0, 99))
    def end_the_others(self, which: int) -> None:
        name = self.held[which % len(self.held)].name
        parent = name.partition("/sessions/")[0]
        request = sessions.TerminateSessionsRequest(parent=parent, keep_session=name)
        self._do(failure_of(self.api.sessions.TerminateSessions(request)))

    @rule()
    def end_a_clients(self) -> None:
        """The client's own token is over with it."""
        argus, tenant = self.breakable.first.server.argus, self.api.tenant_id
        self._do(argus.terminate.client(tenant, self.other.client_id, origin=self._origin()))
        self.other._renew_at = None
        self._pass(timedelta(seconds=1))

    @rule()
    def end_the_tenants(self) -> None:
        """The watchers' own tokens are over with it."""
        argus = self.breakable.first.server.argus
        self._do(argus.terminate.tenant(self.api.tenant_id, reason=EndReason.TENANT_WIDE, origin=self._origin()))
        self._pass(timedelta(seconds=1))
        for api in (self.api, self.twin, self.other):
            api._renew_at = None

    @rule()
    def pull_the_key(self) -> None:
        """All tokens are over; sessions are not."""
        self._do(self._pull())

    async def _pull(self) -> None:
        argus = self.breakable.first.server.argus
        keys = (await argus.signing_keys.list(self.api.tenant_id, page_size=100, page_token=""))[0]
        active = next(one for one in keys if one.use == "access" and one.state == "active")
        await argus.signing_keys.revoke(self.api.tenant_id, active.kid, self._origin())
        for server in self.breakable.servers:
            await server.server.argus.snapshot.refresh()
        for api in (self.api, self.twin, self.other):
            api._renew_at = None

    @rule(seconds=st.sampled_from([1, 50, 110, 130, 290]))
    def time_passes(self, seconds: int) -> None:
        self._pass(timedelta(seconds=seconds))

    # ---- watchers

    @rule(which=st.integers(0, WATCHERS - 1))
    def hang_up(self, which: int) -> None:
        self._do(self.watchers[which].disconnect())

    @rule(which=st.integers(0, WATCHERS - 1), is_first=st.booleans(), forgets=st.booleans())
    def come_back(self, which: int, is_first: bool, forgets: bool) -> None:
        """At any server; one that was started anew has nothing."""
        watcher = self.watchers[which]
        self._do(watcher.disconnect())
        watcher.failure = None
        if forgets:
            watcher.forget()
        self._do(self._connect(watcher, self.api if is_first else self.twin))

    @rule()
    def compare(self) -> None:
        """Every list says of every token what Argus says; every entry is so."""
        self._do(self._compare())

    async def _compare(self) -> None:
        await self.breakable.carried_out()
        for server in self.breakable.servers:
            await server.server.argus.sweeper.sweep()
            await server.server.argus.revocations.tidy()
        ended = await self._ended()
        for one in self.watchers:
            await one.disconnect()
            one.failure = None
            await self._connect(one, one.api)
            await one.caught_up()
            await self._is_sound(one.entries, ended)
        time = now(self.api.clock)
        for one in self.watchers:
            one.trim(time)
        for held in self.held:
            for token in held.access_tokens:
                claims = claims_of(token)
                if claims["exp"] <= time.timestamp() + 1:
                    continue
                refused = await failure_of(verify(self.api, token, passive=True))
                if refused and refused.metadata.get("endReason") == "IDLE_TIMEOUT" and claims["sid"] not in ended:
                    continue  # Redis forgot it: the sweeper waits for activity that may be on its way
                assert refused is None or refused.reason in {"SESSION_ENDED", "TOKEN_INVALID"}, refused
                for one in self.watchers:
                    assert is_over(one.entries, claims) == (refused is not None), refused

    async def _ended(self) -> set[str]:
        """Sessions that are over, as PostgreSQL knows."""
        rows = await self.breakable.first.server.argus.db.fetch_all(
            "SELECT session_id FROM sessions WHERE tenant_id = %s AND state = 'ended'", (self.api.tenant_id,)
        )
        return {row["session_id"] for row in rows}

    async def _is_sound(self, entries: dict[Entry, pb.Revocation], ended: set[str]) -> None:
        """Nothing is on the list that PostgreSQL does not say."""
        db = self.breakable.first.server.argus.db
        assert {subject for kind, subject in entries if kind == "session"} <= ended
        wide = await db.fetch_all(
            """SELECT 'user' AS kind, user_id AS subject, not_before FROM users WHERE tenant_id = %(tenant)s
                UNION ALL SELECT 'client', client_id, not_before FROM clients WHERE tenant_id = %(tenant)s
                UNION ALL SELECT 'tenant', '', not_before FROM tenants WHERE tenant_id = %(tenant)s""",
            {"tenant": self.api.tenant_id},
        )
        long_ago = now(self.api.clock) - timedelta(hours=1)
        true = {(one["kind"], one["subject"]): one["not_before"] for one in wide if one["not_before"]}
        told = {key: one.time.ToDatetime(UTC) for key, one in entries.items() if key[0] in {"user", "client", "tenant"}}
        assert told == {key: time for key, time in true.items() if key in told or time > long_ago}

    # ---- how

    async def _connect(self, watcher: Watcher, api: Api) -> None:
        await api.token()
        watcher.connect(api)

    def _pass(self, time: timedelta) -> None:
        self._do(self.breakable.advance(time))

    def _origin(self) -> Origin:
        return Origin(tenant_id=self.api.tenant_id, actor="system:test", request_id=new_id())

    def _do(self, call: Awaitable[T]) -> T:
        async def run() -> T:
            return await call

        return self.loop.run_until_complete(run())


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    policy = PolicySettings(access=ACCESS, idle=IDLE, session_limit=LIMIT)
    async with breakable_servers(tmp_path_factory.mktemp("revocations"), policy=policy) as made:
        yield made


@pytest.fixture(scope="module")
async def loop(breakable: Breakable) -> asyncio.AbstractEventLoop:
    """The loop that the servers run in; it stands still between the machine's steps."""
    return asyncio.get_running_loop()


@pytest.mark.timeout(600)
def test_lists_say_what_argus_says(breakable: Breakable, loop: asyncio.AbstractEventLoop) -> None:
    machine = type("RevocationsHere", (Revocations,), {"breakable": breakable, "loop": loop})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            # To shrink takes hours here, and says little.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
