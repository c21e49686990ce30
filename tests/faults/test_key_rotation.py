"""Keys that are rotated or pulled between a refresh and its retry, with two servers over the same stores."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from argus.server.api import failure_of
from argus.v1 import key_service_pb2 as keys
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from tests.support.breakable import POSTGRESQL, Breakable, breakable_servers
from tests.support.people import Person, new_person, reason_of, refresh, verify
from tests.support.processes import frozen_postgresql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from argus.server.api import Api

ACCESS, REFRESH, REFRESH_ID = keys.KEY_USE_ACCESS, keys.KEY_USE_REFRESH, keys.KEY_USE_REFRESH_ID
KEY_SET_AGE = timedelta(minutes=10)
PROMISED_SECONDS = 1.0
PATIENCE_SECONDS = 5.0


@pytest.fixture(scope="module")
async def breakable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Breakable]:
    async with breakable_servers(tmp_path_factory.mktemp("keys")) as made:
        yield made


@pytest.fixture
async def apis(breakable: Breakable) -> AsyncIterator[tuple[Api, Api]]:
    """One client of a tenant of its own, through either server."""
    async with breakable.new_tenant() as both:
        yield both


@pytest.fixture
async def person(apis: tuple[Api, Api]) -> Person:
    return await new_person(apis[0])


def part(token: str, number: int) -> dict[str, Any]:
    """Header (0) or claims (1) of a token."""
    text = token.split(".")[number]
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return said


def under_another_kid(token: str) -> str:
    """The token with the name of a key that there is not."""
    header = json.dumps(part(token, 0) | {"kid": "A" * 43}).encode()
    return base64.urlsafe_b64encode(header).rstrip(b"=").decode() + "." + token.partition(".")[2]


async def decided(api: Api, token: str) -> str:
    """What a token is refused with once its server has seen PostgreSQL again."""
    async with asyncio.timeout(30):
        while (reason := await reason_of(verify(api, token))) == "UNAVAILABLE":
            pass
    return reason


async def begin(person: Person) -> types.TokenSet:
    """Tokens of a new session."""
    return (await person.api.sessions.CreateSession(sessions.CreateSessionRequest(parent=person.name))).tokens


async def forge(breakable: Breakable, token: str, **changes: Any) -> str:
    """The token with other claims, by somebody who has the signing key."""
    tenant_id, kid = part(token, 1)["iss"].rpartition("/")[2], part(token, 0)["kid"]
    known = await breakable.first.server.argus.signing_keys.usable(tenant_id)
    key = load_der_private_key(next(one.private_key for one in known if one.key.kid == kid), None)
    assert isinstance(key, Ed25519PrivateKey)
    payload = base64.urlsafe_b64encode(json.dumps(part(token, 1) | changes).encode()).rstrip(b"=")
    signed = token.partition(".")[0].encode() + b"." + payload
    return (signed + b"." + base64.urlsafe_b64encode(key.sign(signed)).rstrip(b"=")).decode()


async def rotate(breakable: Breakable, api: Api, use: keys.KeyUse.ValueType) -> str:
    """A new key that signs at once, in both servers; its id."""
    made = (await api.keys.RotateKey(keys.RotateKeyRequest(parent=api.parent, use=use, immediate=True))).key
    await follow(breakable)
    return str(made.name.rpartition("/")[2])


async def revoke(breakable: Breakable, api: Api, kid: str) -> None:
    """Pulls a key, and waits for both servers."""
    await api.keys.RevokeKey(keys.RevokeKeyRequest(name=f"{api.parent}/keys/{kid}", comment="stolen"))
    await follow(breakable)


async def follow(breakable: Breakable) -> None:
    """Lets both servers look, as they do within a second."""
    for server in breakable.servers:
        await server.server.argus.snapshot.refresh()


@pytest.mark.parametrize("use", [REFRESH, ACCESS, REFRESH_ID], ids=["refresh", "access", "refresh id"])
async def test_a_retry_after_a_rotation_of_keys_gets_the_same_successor(
    breakable: Breakable, apis: tuple[Api, Api], person: Person, use: keys.KeyUse.ValueType
) -> None:
    """The answer is lost, a key is rotated, the retry goes to another server: the same `jti`."""
    one, other = apis
    first = await begin(person)
    lost = (await refresh(one, first.refresh_token, attempt_id="try")).tokens
    kid = await rotate(breakable, one, use)
    retried = (await refresh(other, first.refresh_token, attempt_id="try")).tokens
    before, after = part(lost.refresh_token, 1), part(retried.refresh_token, 1)
    assert (after["jti"], after["gen"], after["fam"], after["jk"]) == (before["jti"], 2, 1, before["jk"])
    assert before == after
    assert (part(retried.refresh_token, 0)["kid"] == kid) == (use == REFRESH)
    assert (part(retried.access_token, 0)["kid"] == kid) == (use == ACCESS)
    for api in apis:
        for token in (first, lost, retried):
            assert (await verify(api, token.access_token)).sub == person.user_id
    # Whichever of the two answers arrived: it goes on, and stays in the family's line.
    await breakable.advance(timedelta(seconds=41))
    following = [part((await refresh(api, lost.refresh_token)).tokens.refresh_token, 1) for api in apis]
    assert [one["gen"] for one in following] == [3, 3]
    assert following[0]["jti"] == following[1]["jti"] != after["jti"]
    assert part((await refresh(one, retried.refresh_token)).tokens.refresh_token, 1)["jti"] == following[0]["jti"]


async def test_a_retry_after_a_key_became_active_by_its_time_gets_the_same_successor(
    breakable: Breakable, apis: tuple[Api, Api], person: Person
) -> None:
    """Pending at the answer, active at the retry."""
    one, other = apis
    made = await one.keys.RotateKey(keys.RotateKeyRequest(parent=one.parent, use=REFRESH))
    assert made.key.state == keys.KEY_STATE_PENDING
    kid = made.key.name.rpartition("/")[2]
    await breakable.advance(KEY_SET_AGE - timedelta(seconds=10))
    first = await begin(person)
    lost = (await refresh(one, first.refresh_token)).tokens.refresh_token
    assert part(lost, 0)["kid"] != kid
    await breakable.advance(timedelta(seconds=20))
    await breakable.first.server.argus.signing_keys.advance_due()
    await follow(breakable)
    retried = (await refresh(other, first.refresh_token)).tokens.refresh_token
    assert part(retried, 0)["kid"] == kid
    assert part(retried, 1) == part(lost, 1)


async def test_a_pulled_refresh_key_between_an_answer_and_its_retry_steps_up(
    breakable: Breakable, apis: tuple[Api, Api], person: Person
) -> None:
    """Whoever holds a token under it proves themselves anew: no token of it yields one, by any server, ever again."""
    one, other = apis
    first = await begin(person)
    lost = (await refresh(one, first.refresh_token)).tokens
    kid = part(first.refresh_token, 0)["kid"]
    forged = await forge(breakable, lost.refresh_token, gen=7)
    await revoke(breakable, one, kid)
    for api in (one, other):
        for token in (first.refresh_token, lost.refresh_token):
            failure = await failure_of(refresh(api, token))
            assert failure is not None
            assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "STEP_UP_REQUIRED")
            read = await api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=token))
            assert not read.active
        assert (await verify(api, lost.access_token)).sub == person.user_id
    await breakable.flush()
    assert await reason_of(refresh(other, lost.refresh_token)) == "STEP_UP_REQUIRED"
    # Who has the key, and not that of the ids, gets no step-up.
    for api in (one, other):
        assert await reason_of(refresh(api, forged)) == "TOKEN_INVALID"
    anew = await begin(person)
    assert part(anew.refresh_token, 0)["kid"] != kid
    assert (await refresh(other, anew.refresh_token)).tokens.refresh_token


async def test_old_families_keep_their_key_of_ids_and_new_ones_take_the_new_one(
    breakable: Breakable, apis: tuple[Api, Api], person: Person
) -> None:
    """Also after Redis has lost them and PostgreSQL has said which it was."""
    one, other = apis
    old = await begin(person)
    current = (await refresh(one, old.refresh_token)).tokens.refresh_token
    kid = await rotate(breakable, one, REFRESH_ID)
    new = await begin(person)
    assert part(new.refresh_token, 1)["jk"] == int(kid) != part(old.refresh_token, 1)["jk"]
    for server in breakable.servers:
        await server.server.argus.effects.flush()
    await breakable.flush()
    again = (await refresh(other, old.refresh_token)).tokens.refresh_token
    assert part(again, 1) == part(current, 1)
    following = (await refresh(other, new.refresh_token)).tokens.refresh_token
    assert part(following, 1)["jk"] == int(kid)
    await breakable.flush()
    await breakable.advance(timedelta(seconds=41))
    for api, token in ((one, current), (other, following)):
        said = part((await refresh(api, token)).tokens.refresh_token, 1)
        assert (said["gen"], said["jk"]) == (3, part(token, 1)["jk"])


async def test_a_pulled_key_of_ids_refuses_every_family_of_it(
    breakable: Breakable, apis: tuple[Api, Api], person: Person
) -> None:
    """If it is exposed, an id proves nothing: not even a step-up follows from it."""
    one, other = apis
    old = await begin(person)
    lost = (await refresh(one, old.refresh_token)).tokens
    await rotate(breakable, one, REFRESH_ID)
    new = await begin(person)
    await revoke(breakable, one, str(part(old.refresh_token, 1)["jk"]))
    for api in (one, other):
        for token in (old.refresh_token, lost.refresh_token):
            assert await reason_of(refresh(api, token)) == "TOKEN_INVALID"
            read = await api.tokens.IntrospectToken(tokens.IntrospectTokenRequest(token=token))
            assert not read.active
        assert (await verify(api, lost.access_token)).sub == person.user_id
        assert (await refresh(api, new.refresh_token)).tokens.refresh_token
    await breakable.flush()
    assert await reason_of(refresh(other, lost.refresh_token)) == "TOKEN_INVALID"


async def test_a_pulled_access_key_is_out_of_every_server_within_a_second(
    breakable: Breakable, apis: tuple[Api, Api], person: Person
) -> None:
    """Nobody is told to look: PostgreSQL announces it. The callers' own tokens were under it, too."""
    one, other = apis
    done = await begin(person)
    for api in apis:
        await verify(api, done.access_token)
    kid = part(done.access_token, 0)["kid"]
    await one.keys.RevokeKey(keys.RevokeKeyRequest(name=f"{one.parent}/keys/{kid}", comment="stolen"))
    # The call itself makes the next key, for which a busy machine may take as long.
    begun = time.monotonic()

    async def refused_after(api: Api) -> float:
        async with asyncio.timeout(30):
            while await reason_of(verify(api, done.access_token)) not in {"TOKEN_INVALID", "CALLER_TOKEN_INVALID"}:
                pass
        return time.monotonic() - begun

    assert max(await asyncio.gather(*map(refused_after, apis))) < PROMISED_SECONDS
    one._renew_at = other._renew_at = None
    for api in apis:
        assert await reason_of(verify(api, done.access_token)) == "TOKEN_INVALID"
        renewed = (await refresh(api, done.refresh_token)).tokens.access_token
        assert part(renewed, 0)["kid"] != kid
        assert (await verify(other, renewed)).sub == person.user_id


async def test_a_pulled_key_is_out_even_while_redis_is_lost(
    breakable: Breakable, apis: tuple[Api, Api], person: Person
) -> None:
    """What is known of keys does not come from Redis: no rebuild brings one back."""
    one, other = apis
    done = await begin(person)
    await revoke(breakable, one, part(done.refresh_token, 0)["kid"])
    for loss in (breakable.flush, lambda: asyncio.to_thread(breakable.restart)):
        await loss()
        for api in (one, other):
            assert await reason_of(refresh(api, done.refresh_token)) == "STEP_UP_REQUIRED"


async def test_without_postgresql_a_name_that_nobody_knows_is_no_refusal(
    breakable: Breakable, apis: tuple[Api, Api], person: Person
) -> None:
    """The key may be new. What is signed with a known one goes on, and is refused as ever where it is not good."""
    api, _ = apis
    done = await begin(person)
    unknown = under_another_kid(done.access_token)
    assert await reason_of(verify(api, unknown)) == "TOKEN_INVALID"
    async with breakable.without(POSTGRESQL):
        assert await reason_of(verify(api, unknown)) == "UNAVAILABLE"
        assert (await verify(api, done.access_token)).sub == person.user_id
        assert await reason_of(verify(api, done.access_token[:-8] + "AAAAAAAA")) == "TOKEN_INVALID"
    await breakable.carried_out()
    assert await decided(api, unknown) == "TOKEN_INVALID"


async def test_while_postgresql_hangs_names_that_nobody_knows_keep_no_other_call_out(
    breakable: Breakable, apis: tuple[Api, Api], person: Person
) -> None:
    """One call has waited in vain; those after it are told at once, so that they hold no place."""
    api, _ = apis
    done = await begin(person)
    unknown = under_another_kid(done.access_token)
    with frozen_postgresql(breakable.stores):
        assert await reason_of(verify(api, unknown)) == "UNAVAILABLE"
        begun = time.monotonic()
        for _ in range(20):
            assert await reason_of(verify(api, unknown)) == "UNAVAILABLE"
            assert (await verify(api, done.access_token)).sub == person.user_id
        assert time.monotonic() - begun < PATIENCE_SECONDS
    await breakable.carried_out()
    assert await decided(api, unknown) == "TOKEN_INVALID"


async def test_a_postgresql_that_came_back_is_read_whole(breakable: Breakable, apis: tuple[Api, Api]) -> None:
    """Restored from a backup it may hold other things under versions that were seen before."""
    one, other = apis
    for api in apis:
        await api.keys.ListKeys(keys.ListKeysRequest(parent=api.parent))
    for _ in range(2):  # a reading may number policies, which is a change
        await follow(breakable)
    async with breakable.first.server.argus.db.transaction() as tx:
        # As a restore does, it tells nobody.
        await tx.execute("SET LOCAL session_replication_role = replica")
        await tx.execute("UPDATE clients SET disabled = true WHERE tenant_id = %s", (one.tenant_id,))
    await follow(breakable)
    assert await reason_of(other.keys.ListKeys(keys.ListKeysRequest(parent=other.parent))) == ""
    async with breakable.without(POSTGRESQL):
        pass
    await breakable.carried_out()
    await follow(breakable)
    for api in apis:
        assert await reason_of(api.keys.ListKeys(keys.ListKeysRequest(parent=api.parent))) == "CALLER_DISABLED"
