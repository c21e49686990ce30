"""Beginning a session: limits hold under a race, a repeat is the same session, nobody vouches for more than allowed."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from argus.base.clock import now
from argus.base.ids import new_id
from argus.base.origin import Origin
from argus.policies.model import Scope
from argus.server.api import failure_of
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.people import Person, new_person, reason_of, refresh, verify

if TYPE_CHECKING:
    from argus.server.api import Api
    from tests.support.stack import Stack


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


async def _create(person: Person, **fields: Any) -> sessions.CreateSessionResponse:
    request = sessions.CreateSessionRequest(parent=person.name, **fields)
    return await person.api.sessions.CreateSession(request)


async def _limit(stack: Stack, api: Api, limit: int, on_limit: str) -> None:
    origin = Origin(tenant_id=api.tenant_id, actor="system:test", request_id=new_id())
    document = {"session_limit": limit, "on_limit": on_limit}
    scope = Scope(kind="tenant", id=api.tenant_id)
    await stack.argus.policies.set_document(api.tenant_id, scope, document, origin=origin)
    await stack.argus.snapshot.refresh()


async def test_a_backend_begins_a_session_on_its_word(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    proved = Timestamp()
    proved.FromDatetime(now(stack.private.clock) - timedelta(minutes=3))
    made = await _create(
        person, scope="documents.read", acr="urn:argus:acr:2", amr=["pwd", "otp", "pwd"], auth_time=proved
    )
    verified = await verify(api, made.tokens.access_token)
    assert verified.session == made.session.name
    assert (verified.acr, list(verified.amr)) == ("urn:argus:acr:2", ["pwd", "otp"])
    assert verified.auth_time.seconds == proved.seconds
    assert made.device_token


async def test_nobody_vouches_for_more_than_its_client_may(stack: Stack) -> None:
    private = stack.private
    modest = await private.new_tenant(max_asserted_acr=1)
    person = await new_person(modest)
    failure = await failure_of(_create(person, acr="urn:argus:acr:2"))
    assert failure is not None
    assert (failure.code, failure.reason) == ("PERMISSION_DENIED", "ASSERTED_ACR_TOO_HIGH")
    assert failure.metadata["maxAssertedAcr"] == "urn:argus:acr:1"
    await modest.close()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"acr": "urn:argus:acr:4"}, "acr"),
        ({"amr": ["magic"]}, "amr[0]"),
        ({"auth_time": Timestamp(seconds=4_000_000_000)}, "auth_time"),
        ({"scope": "not.held"}, "scope"),
        ({"resource": "no uri"}, "resource"),
    ],
)
async def test_what_can_not_be_is_refused_by_field(api: Api, fields: dict[str, Any], field: str) -> None:
    person = await new_person(api)
    failure = await failure_of(_create(person, **fields))
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", field)
    assert await person.count() == 0


async def test_argus_itself_is_no_resource_of_a_users_tokens(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    failure = await failure_of(_create(person, resource=stack.argus.tenants.issuer(api.tenant_id)))
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "resource")


async def test_unknown_and_disabled_users_get_none(api: Api) -> None:
    person = await new_person(api)
    ghost = Person(api=api, name=f"{api.parent}/users/{new_id()}", identifier="")
    assert await reason_of(_create(ghost)) == "USER_NOT_FOUND"
    await api.users.DisableUser(users.DisableUserRequest(name=person.name))
    assert await reason_of(_create(person)) == "USER_DISABLED"
    await api.users.EnableUser(users.EnableUserRequest(name=person.name))
    made = await _create(person)
    assert (await verify(api, made.tokens.access_token)).session == made.session.name


async def test_a_repeated_request_is_the_same_session_until_its_first_refresh(api: Api) -> None:
    person = await new_person(api)
    first = await _create(person, request_id="once")
    again = await _create(person, request_id="once")
    assert again.session.name == first.session.name
    assert await person.count() == 1
    # The same refresh generation: either token has the same successor.
    one = await refresh(api, first.tokens.refresh_token, attempt_id="a")
    two = await refresh(api, again.tokens.refresh_token, attempt_id="a")
    assert one.session == two.session
    done = await failure_of(_create(person, request_id="once"))
    assert done is not None
    assert (done.code, done.reason, done.metadata["name"]) == (
        "ALREADY_EXISTS",
        "REQUEST_ALREADY_DONE",
        first.session.name,
    )
    assert await reason_of(_create(person, request_id="once", acr="urn:argus:acr:2")) == "REQUEST_ID_REUSED"


async def test_a_request_repeated_at_once_is_one_session(api: Api) -> None:
    person = await new_person(api)
    made = await asyncio.gather(*(_create(person, request_id="at-once") for _ in range(6)))
    assert len({one.session.name for one in made}) == 1
    assert await person.count() == 1


async def test_validate_only_makes_nothing(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    async with stack.nothing_written(api.parent):
        checked = await _create(person, validate_only=True)
    assert checked.session.name
    assert not checked.HasField("tokens")
    assert await person.count() == 0
    assert await reason_of(_create(person, validate_only=True, acr="urn:argus:acr:9")) == "FIELD_INVALID"


@pytest.mark.parametrize("on_limit", ["deny", "end_oldest", "end_least_recent"])
async def test_a_limit_holds_however_many_sign_in_at_once(stack: Stack, on_limit: str) -> None:
    api = await stack.new_tenant()
    await _limit(stack, api, 3, on_limit)
    person = await new_person(api)
    outcomes = await asyncio.gather(*(failure_of(_create(person)) for _ in range(12)))
    reasons = [failure.reason if failure else "" for failure in outcomes]
    assert set(reasons) <= {"", "SESSION_LIMIT_REACHED"}
    living = await person.list()
    assert len(living) <= 3
    if on_limit == "deny":
        assert reasons.count("") == 3
        assert outcomes[reasons.index("SESSION_LIMIT_REACHED")].metadata["limit"] == "3"  # type: ignore[union-attr]
    ended = [one for one in await person.list(with_ended=True) if one.HasField("end_time")]
    assert len(ended) == reasons.count("") - len(living)
    assert all(one.end_reason == types.END_REASON_LIMIT for one in ended)


async def test_the_oldest_or_the_least_recently_used_one_makes_room(stack: Stack) -> None:
    for on_limit, survivor in (("end_oldest", "second"), ("end_least_recent", "first")):
        api = await stack.new_tenant()
        await _limit(stack, api, 2, on_limit)
        person = await new_person(api)
        made = {"first": await _create(person)}
        await stack.advance(timedelta(minutes=1))
        made["second"] = await _create(person)
        await stack.advance(timedelta(hours=1))
        await verify(api, (await refresh(api, made["first"].tokens.refresh_token)).tokens.access_token)
        made["third"] = await _create(person)
        living = {one.name for one in await person.list()}
        assert living == {made[survivor].session.name, made["third"].session.name}
        displaced = made["first" if survivor == "second" else "second"]
        assert await reason_of(refresh(api, displaced.tokens.refresh_token)) == "SESSION_ENDED"


async def test_a_creation_cut_short_leaves_nothing(stack: Stack, api: Api) -> None:
    """The row is there and Redis never learned of it, as after a crash: the worker of the outbox removes it."""
    person = await new_person(api)
    made = await _create(person)
    session_id = made.session.name.rpartition("/")[2]
    argus = stack.argus
    await argus.redis.client.delete(argus.keyspace.session_key(session_id))
    await argus.redis.client.hdel(argus.keyspace.index_key(api.tenant_id, person.user_id), session_id)
    lineage = (await argus.create_session._live.session(session_id)).lineage.hex()
    async with argus.db.transaction() as tx:
        await argus.outbox._store.post(
            tx,
            api.tenant_id,
            "session.begun",
            session_id,
            {"user_id": person.user_id, "sessions": [], "lineage": lineage},
            now=now(argus.clock),
            wait=timedelta(0),
        )
    await argus.outbox.run_due()
    assert await person.count() == 0
    assert await reason_of(person.api.sessions.GetSession(sessions.GetSessionRequest(name=made.session.name))) == (
        "SESSION_NOT_FOUND"
    )


async def test_a_request_whose_session_was_removed_may_be_made_again(stack: Stack, api: Api) -> None:
    """Its creation was cut short and nobody has its tokens; the caller, who was told nothing, asks once more."""
    person = await new_person(api)
    made = await _create(person, request_id="cut-short")
    async with stack.argus.db.transaction() as tx:
        await tx.execute(
            "DELETE FROM sessions WHERE tenant_id = %s AND session_id = %s",
            (api.tenant_id, made.session.name.rpartition("/")[2]),
        )
    again = await _create(person, request_id="cut-short")
    assert again.session.name != made.session.name
    assert (await _create(person, request_id="cut-short")).session.name == again.session.name
    assert await person.count() == 1


async def test_a_session_that_redis_lost_is_not_taken_for_one_cut_short(stack: Stack, api: Api) -> None:
    person = await new_person(api)
    made = await _create(person)
    session_id = made.session.name.rpartition("/")[2]
    argus = stack.argus
    await argus.redis.client.delete(argus.keyspace.session_key(session_id))
    async with argus.db.transaction() as tx:
        payload = {"user_id": person.user_id, "sessions": [], "lineage": "00" * 8}
        await argus.outbox._store.post(
            tx, api.tenant_id, "session.begun", session_id, payload, now=now(argus.clock), wait=timedelta(0)
        )
    await argus.outbox.run_due()
    assert (await verify(api, made.tokens.access_token)).session == made.session.name
