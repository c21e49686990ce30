"""What watchers of revocations are told: every kind of end, once, and nothing that is not so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from argus.base.clock import now
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.revocations import feed
from argus.server.api import failure_of
from argus.server.private_stack import stack_over
from argus.v1 import client_service_pb2 as clients
from argus.v1 import key_service_pb2 as keys
from argus.v1 import revocation_service_pb2 as pb
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import user_service_pb2 as users
from tests.support.people import Person, new_client, new_person, terminate
from tests.support.watchers import Watcher, add

if TYPE_CHECKING:
    from argus.server.api import Api
    from argus.storage.embedded import StoreUrls
    from tests.support.stack import Stack

LIMIT = 3
ACCESS = timedelta(minutes=5)


@pytest.fixture
async def api(stack: Stack) -> Api:
    """A tenant with a small limit of sessions."""
    made = await stack.new_tenant()
    origin = Origin(tenant_id=made.tenant_id, actor="system:test", request_id=new_id())
    scope = Scope(kind="tenant", id=made.tenant_id)
    await stack.argus.policies.set_document(made.tenant_id, scope, {"session_limit": LIMIT}, origin=origin)
    await stack.argus.snapshot.refresh()
    return made


@pytest.fixture
async def watcher(api: Api) -> AsyncIterator[Watcher]:
    """A service that watches the tenant."""
    made = Watcher(api)
    made.connect()
    await made.caught_up()
    yield made
    await made.disconnect()


async def begin(person: Person, api: Api | None = None) -> sessions.CreateSessionResponse:
    """A session of somebody, of the client of `api`."""
    return await (api or person.api).sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name))


def sid(begun: sessions.CreateSessionResponse) -> str:
    """Id of a session."""
    return str(begun.session.name.rpartition("/")[2])


async def read(call: Any) -> pb.WatchRevocationsResponse:
    """The next message."""
    message = await call.read()
    assert isinstance(message, pb.WatchRevocationsResponse)
    return message


async def everything(api: Api, *, page_size: int = 0) -> dict[tuple[str, str], pb.Revocation]:
    """All pages of the list."""
    found: dict[tuple[str, str], pb.Revocation] = {}
    token, pages = "", 0
    while True:
        request = pb.SnapshotRevocationsRequest(parent=api.parent, page_size=page_size, page_token=token)
        page = await api.revocations.SnapshotRevocations(request)
        assert len(page.revocations) <= (page_size or 1000)
        for one in page.revocations:
            add(found, one)
        token, pages = page.next_page_token, pages + 1
        if not token:
            return found


async def test_one_session(api: Api, watcher: Watcher) -> None:
    """With the tokens' `sid`, its end and its reason; needed until the last token has expired."""
    person = await new_person(api)
    ended, kept = await begin(person), await begin(person)
    answer = await terminate(api, ended.session.name)
    entry = await watcher.has("session", sid(ended))
    assert entry.time == answer.session.end_time
    assert entry.reason == answer.session.end_reason
    life = entry.expire_time.ToDatetime() - entry.time.ToDatetime()
    assert ACCESS + timedelta(seconds=5) <= life <= ACCESS + timedelta(minutes=1)
    await watcher.caught_up()
    assert ("session", sid(kept)) not in watcher.entries


async def test_those_of_a_user(api: Api, watcher: Watcher) -> None:
    """Each by its id, and the user for what is being issued meanwhile; with one kept, only the others."""
    person, other = await new_person(api), await new_person(api)
    begun, kept, foreign = [await begin(person) for _ in range(2)], await begin(person), await begin(other)
    one = sessions.TerminateSessionsRequest(parent=person.name, keep_session=kept.session.name)
    await api.sessions.TerminateSessions(one)
    for ended in begun:
        await watcher.has("session", sid(ended))
    await watcher.caught_up()
    assert ("session", sid(kept)) not in watcher.entries
    assert ("user", person.user_id) not in watcher.entries
    await api.sessions.TerminateSessions(sessions.TerminateSessionsRequest(parent=person.name))
    await watcher.has("session", sid(kept))
    entry = await watcher.has("user", person.user_id)
    assert entry.time.ToDatetime().microsecond == 0
    assert ("session", sid(foreign)) not in watcher.entries


async def test_users_that_are_disabled_or_deleted(api: Api, watcher: Watcher) -> None:
    disabled, deleted = await new_person(api), await new_person(api)
    one, other = await begin(disabled), await begin(deleted)
    await api.users.DisableUser(users.DisableUserRequest(name=disabled.name))
    await api.users.DeleteUser(users.DeleteUserRequest(name=deleted.name))
    await watcher.has("session", sid(one))
    await watcher.has("session", sid(other))


async def test_one_that_makes_room(api: Api, watcher: Watcher) -> None:
    """The oldest, when one more begins than the limit allows."""
    person = await new_person(api)
    begun = [await begin(person) for _ in range(LIMIT + 1)]
    await watcher.caught_up()
    over = {one for one in map(sid, begun) if ("session", one) in watcher.entries}
    assert len(over) == 1
    assert sid(begun[-1]) not in over


async def test_by_a_token_that_was_revoked(api: Api, watcher: Watcher) -> None:
    person = await new_person(api)
    begun = await begin(person)
    await api.tokens.RevokeToken(tokens.RevokeTokenRequest(token=begun.tokens.refresh_token))
    await watcher.has("session", sid(begun))


async def test_those_of_a_client(api: Api, watcher: Watcher, stack: Stack) -> None:
    """One entry at once, for whatever was issued up to then; the sessions follow one by one."""
    other = await new_client(api, stack.private)
    person = await new_person(api)
    begun, kept = await begin(person, other), await begin(person)
    name = f"{api.parent}/clients/{other.client_id}"
    done = await api.clients.TerminateClientSessions(clients.TerminateClientSessionsRequest(name=name))
    assert (await watcher.has("client", other.client_id)).time == done.not_before_time
    await watcher.has("session", sid(begun))
    assert ("session", sid(kept)) not in watcher.entries
    await other.close()


async def test_those_of_the_tenant(api: Api, watcher: Watcher) -> None:
    """The watcher's own token among them: it is told why, and comes again with a new one."""
    begun = await begin(await new_person(api))
    request = tenants.TerminateTenantSessionsRequest(name=api.parent)
    done = await api.tenants.TerminateTenantSessions(request)
    assert (await watcher.has("tenant", "")).time == done.not_before_time
    assert (await watcher.failed()).reason == "CALLER_TOKEN_INVALID"
    again = api.at(api.address)
    watcher.connect(again)
    await watcher.has("session", sid(begun))
    await again.close()


async def test_a_pulled_key(api: Api, watcher: Watcher) -> None:
    """Of those that sign access tokens; the others are nothing to a verifier."""
    found = (await api.keys.ListKeys(keys.ListKeysRequest(parent=api.parent))).keys
    other = next(key for key in found if key.use == keys.KEY_USE_REFRESH)
    await api.keys.RevokeKey(keys.RevokeKeyRequest(name=other.name))
    access = next(key for key in found if key.use == keys.KEY_USE_ACCESS)
    await api.keys.RevokeKey(keys.RevokeKeyRequest(name=access.name))
    await watcher.has("key", access.name.rpartition("/")[2])
    assert ("key", other.name.rpartition("/")[2]) not in watcher.entries


async def test_pages_and_the_stream_that_goes_on_from_them(api: Api) -> None:
    """The pages and what their token leads to are everything."""
    person = await new_person(api)
    for _ in range(5):
        await terminate(api, (await begin(person)).session.name)
    found = await everything(api, page_size=2)
    assert len(found) == 5
    assert found == await everything(api)
    last = await api.revocations.SnapshotRevocations(pb.SnapshotRevocationsRequest(parent=api.parent))
    ended = await begin(person)
    await terminate(api, ended.session.name)
    watcher = Watcher(api)
    watcher.connect(resume_token=last.resume_token)
    await watcher.caught_up()
    assert set(watcher.entries) == {("session", sid(ended))}
    assert not watcher.snapshots
    await watcher.disconnect()


async def test_page_tokens_of_others_are_refused(api: Api, stack: Stack) -> None:
    person = await new_person(api)
    for _ in range(2):
        await terminate(api, (await begin(person)).session.name)
    request = pb.SnapshotRevocationsRequest(parent=api.parent, page_size=1)
    page = await api.revocations.SnapshotRevocations(request)
    other = await stack.new_tenant()
    for one, token in ((other, page.next_page_token), (api, page.resume_token), (api, "x")):
        refused = pb.SnapshotRevocationsRequest(parent=one.parent, page_token=token)
        failure = await failure_of(one.revocations.SnapshotRevocations(refused))
        assert failure is not None
        assert failure.reason == "PAGE_TOKEN_INVALID"


async def test_a_resume_token_leads_to_what_came_since(api: Api, watcher: Watcher) -> None:
    """Nothing twice, nothing missing."""
    person = await new_person(api)
    before, after = await begin(person), await begin(person)
    await terminate(api, before.session.name)
    await watcher.caught_up()
    await watcher.disconnect()
    await terminate(api, after.session.name)
    watcher.entries.clear()
    watcher.snapshots = 0
    watcher.connect()
    await watcher.has("session", sid(after))
    assert ("session", sid(before)) not in watcher.entries
    assert not watcher.snapshots


async def test_a_resume_token_that_is_not_known_leads_to_everything(api: Api, watcher: Watcher, stack: Stack) -> None:
    """Another tenant's, a forged one, a page's: the whole list, never a part of it."""
    person = await new_person(api)
    ended = await begin(person)
    await terminate(api, ended.session.name)
    await watcher.caught_up()
    other = Watcher(await stack.new_tenant())
    other.connect()
    await other.caught_up()
    await other.disconnect()
    for token in (other.resume_token, watcher.resume_token[:-2], "x" * 4096, "é"):
        late = Watcher(api)
        late.connect(resume_token=token)
        await late.caught_up()
        assert ("session", sid(ended)) in late.entries
        assert late.snapshots == 1
        await late.disconnect()
    late = Watcher(api)
    late.connect(resume_token="x" * 4097)
    assert (await late.failed()).reason == "FIELD_INVALID"


async def test_tenants_see_nothing_of_each_other(api: Api, watcher: Watcher, stack: Stack) -> None:
    other = await stack.new_tenant()
    person = await new_person(other)
    await terminate(other, (await begin(person)).session.name)
    await watcher.caught_up()
    assert not watcher.entries
    foreign = other.revocations.WatchRevocations(pb.WatchRevocationsRequest(parent=api.parent))
    failure = await failure_of(foreign.read())
    assert failure is not None
    assert failure.reason == "CALLER_TENANT_MISMATCH"


async def test_one_tenant_leaves_places_to_the_others(api: Api, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams last, and a process holds so many of them: those of one tenant are bounded by themselves."""
    monkeypatch.setattr(stack.argus.revocations, "_most_of_tenant", 2)

    def watch(one: Api) -> Any:
        return one.revocations.WatchRevocations(pb.WatchRevocationsRequest(parent=one.parent))

    other = await stack.new_tenant()
    calls = [watch(other), watch(other)]
    for call in calls:
        await read(call)
    refused = await failure_of(watch(other).read())
    assert refused is not None
    assert refused.reason == "OVERLOADED"
    await read(watch(api))
    for call in calls:
        call.cancel()


async def test_heartbeats_say_when_the_next_one_comes(api: Api) -> None:
    """Every message says the interval; silence means nothing but a broken stream."""
    call = api.revocations.WatchRevocations(pb.WatchRevocationsRequest(parent=api.parent))
    first, second = await read(call), await read(call)
    for message in (first, second):
        assert message.heartbeat_interval.ToTimedelta() == feed.HEARTBEAT
        assert message.resume_token
    assert second.state_time.ToDatetime(UTC) > first.state_time.ToDatetime(UTC)
    assert not second.revocations
    call.cancel()


async def test_an_expired_entry_is_not_sent(api: Api, stack: Stack) -> None:
    person = await new_person(api)
    await terminate(api, (await begin(person)).session.name)
    assert await everything(api)
    await stack.advance(ACCESS + timedelta(minutes=1))
    assert not await everything(api)
    await stack.argus.revocations.tidy()
    left = await stack.argus.db.fetch_one(
        "SELECT count(*) AS n FROM revocations WHERE tenant_id = %s", (api.tenant_id,)
    )
    assert left == {"n": 0}


async def test_a_stream_ends_with_its_callers_token(api: Api, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon after, and not as an outage: the caller needs a new token."""
    monkeypatch.setattr("argus.rpc.handlers._TRUST", timedelta(0))
    watcher = Watcher(api)
    watcher.connect()
    await watcher.caught_up()
    await stack.advance(timedelta(hours=2))
    assert (await watcher.failed()).reason == "CALLER_TOKEN_INVALID"
    watcher.connect()
    await watcher.caught_up()
    await watcher.disconnect()


async def test_one_that_reads_too_slowly_is_told_to_come_again(
    api: Api, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has not read is not kept for it; with its token it goes on, and misses nothing."""
    monkeypatch.setattr(feed, "MOST_KEPT", 20)
    request = pb.WatchRevocationsRequest(parent=api.parent)
    call = api.revocations.WatchRevocations(request)
    first = await read(call)
    slow = Watcher(api)
    await add_rows(stack, api, 30_000)
    slow.resume_token = first.resume_token

    async def read_all() -> None:
        async for message in call:
            for one in message.revocations:
                add(slow.entries, one)
            slow.resume_token = message.resume_token or slow.resume_token

    failure = await failure_of(read_all())
    assert failure is not None
    assert (failure.reason, bool(failure.retry_after)) == ("OVERLOADED", True)
    assert len(slow.entries) < 30_000
    slow.connect()
    await slow.caught_up()
    assert len(slow.entries) == 30_000
    await slow.disconnect()


@pytest.mark.parametrize("front_door", ["on", "off"])
async def test_a_stream_outlives_the_longest_call_and_is_sent_away_at_the_stop(
    stores: StoreUrls, stack: Stack, front_door: str
) -> None:
    """A deadline of the server is for answers; a stop is told, with when to come again."""
    changes = {
        "key_encryption_key": stack.private.settings.key_encryption_key,
        "front_door": front_door,
        "request_deadline": timedelta(seconds=1),
    }
    async with stack_over(stores, clock=stack.private.clock, **changes) as other:
        api = await other.new_tenant()
        watcher = Watcher(api)
        watcher.connect()
        await watcher.caught_up()
        begun = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < begun + 2:
            await watcher.caught_up()
        ended = await begin(await new_person(api))
        await terminate(api, ended.session.name)
        await watcher.has("session", sid(ended))
    failure = await watcher.failed()
    assert failure.code == "UNAVAILABLE", failure
    assert failure.retry_after, failure
    await api.close()


async def add_rows(stack: Stack, api: Api, count: int) -> None:
    """Many entries at once."""
    async with stack.argus.db.transaction() as tx:
        await tx.execute(
            """SELECT note_revocation(%s, 'session', 's' || n, %s, 'LIMIT', %s) FROM generate_series(1, %s) n""",
            (api.tenant_id, *(now(stack.private.clock) + timedelta(hours=hours) for hours in (0, 1)), count),
        )
