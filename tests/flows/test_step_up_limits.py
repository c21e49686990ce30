"""Who may not step up, or not yet: what is over stays over, and guessing gets slower and slower."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from argus.base.clock import now
from argus.policies.model import Scope
from argus.server.api import Api, failure_of
from argus.sessions.model import EndReason
from argus.threats.guessing.model import CLOSING_FAILURES
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import client_service_pb2 as clients
from argus.v1 import key_service_pb2 as keys
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.features import origin
from tests.support.people import (
    PASSWORD,
    WRONG_PASSWORD,
    Person,
    new_person,
    reason_of,
    refresh,
    start_step_up,
    step_up,
    submit,
    terminate,
)
from tests.support.theft import cause_of, contest, events_of, state_of

if TYPE_CHECKING:
    from tests.support.stack import Stack

FREE = 10
FREE_OF_AN_ADDRESS = 30


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def test_guesses_at_a_step_up_get_slower_and_slower_whoever_begins_it_anew(
    stack: Stack, api: Api, person: Person
) -> None:
    """By session: a thief with its token gains nothing by beginning again, or by signing in as well."""
    theft = await contest(stack, person)
    login_token = await start_step_up(api, theft.old)
    reasons = [await reason_of(submit(api, login_token, WRONG_PASSWORD)) for _ in range(FREE)]
    assert reasons == ["FACTOR_REFUSED"] * FREE
    # Waits double; the later ones are long enough for a slow machine.
    for wait in (1, 2, 4, 8, 16, 32):
        await stack.advance(timedelta(seconds=wait))
        assert await reason_of(submit(api, login_token, WRONG_PASSWORD)) == "FACTOR_REFUSED"
    hashes = stack.argus.passwords.hashes_done
    throttled = [await failure_of(step_up(api, token)) for token in (theft.old, theft.newest)]
    assert [(one.code, one.reason) for one in throttled if one] == [("RESOURCE_EXHAUSTED", "GUESSING_THROTTLED")] * 2
    assert stack.argus.passwords.hashes_done == hashes
    await stack.advance(timedelta(seconds=64))
    assert (await step_up(api, theft.newest)).session.name == theft.session
    # The right one makes up for those before.
    assert await reason_of(step_up(api, theft.newest, WRONG_PASSWORD)) == "FACTOR_REFUSED"
    assert (await step_up(api, theft.newest)).session.name == theft.session


async def test_who_guesses_with_a_stolen_token_keeps_the_owner_out_of_no_sign_in(
    stack: Stack, api: Api, person: Person
) -> None:
    """Neither on the device that is known, nor on a new one, nor with another session's step-up."""
    device_token = (await person.sign_in()).device_token
    other = await person.sign_in()
    theft = await contest(stack, person)
    guesses = [await reason_of(step_up(api, theft.old, WRONG_PASSWORD)) for _ in range(FREE + 2)]
    assert guesses[-1] == "GUESSING_THROTTLED"
    assert (await person.sign_in(device_token=device_token)).session.name
    assert (await person.sign_in()).session.name
    assert (await step_up(api, other.tokens.refresh_token)).session.name == other.session.name


async def test_who_guesses_at_the_sign_in_keeps_the_owner_out_of_no_step_up(
    stack: Stack, api: Api, person: Person
) -> None:
    """Not even where the password was closed to unknown devices: the session is known."""
    theft = await contest(stack, person)
    for _ in range(FREE + 1):
        await person.try_password()
    assert await reason_of(person.sign_in()) == "GUESSING_THROTTLED"
    await stack.argus.passwords.close_to_unknown_devices(api.tenant_id, person.user_id, origin(api.tenant_id))
    assert (await step_up(api, theft.newest)).session.name == theft.session


async def test_at_a_hundred_failures_the_session_is_closed_to_the_password(
    stack: Stack, api: Api, person: Person
) -> None:
    """As for a known device; the owner signs in anew."""
    done, made = (await person.sign_in()).tokens, 0
    while made < CLOSING_FAILURES:
        failure = await failure_of(step_up(api, done.refresh_token, WRONG_PASSWORD))
        assert failure is not None
        if failure.reason == "GUESSING_THROTTLED":
            assert failure.retry_after is not None
            await stack.advance(failure.retry_after)
            done = (await refresh(api, done.refresh_token)).tokens  # or it would be idle by then
        else:
            made += 1
    await stack.advance(timedelta(minutes=16))
    assert await reason_of(step_up(api, done.refresh_token)) == "FACTOR_REFUSED"
    assert (await person.sign_in()).session.name


async def test_an_address_that_sprays_is_slowed_at_step_ups_too(api: Api, person: Person) -> None:
    ip = "198.51.100.99"
    # A few more than are free: the first pause is a second, which a slow machine spends between two tries.
    for n in range(FREE_OF_AN_ADDRESS + 3):
        await Person(api=api, name="", identifier=f"spray{n}@example.com").try_password(ip=ip)
    done = await person.sign_in()
    assert await reason_of(step_up(api, done.tokens.refresh_token, ip=ip)) == "GUESSING_THROTTLED"
    assert (await step_up(api, done.tokens.refresh_token, ip="198.51.100.98")).session.name == done.session.name


@pytest.mark.parametrize("how", ["ended", "idle", "disabled", "deleted", "all ended"])
async def test_what_is_over_is_not_taken_back(stack: Stack, api: Api, person: Person, how: str) -> None:
    """Not before the password is asked for, and not after: whoever began a step-up in time included."""
    theft = await contest(stack, person)
    login_token = await start_step_up(api, theft.newest)
    match how:
        case "ended":
            await terminate(api, theft.session)
        case "idle":
            await stack.advance(timedelta(hours=8, minutes=1))
        case "disabled":
            await api.users.DisableUser(users.DisableUserRequest(name=person.name))
        case "deleted":
            await api.users.DeleteUser(users.DeleteUserRequest(name=person.name))
        case _:
            await api.sessions.TerminateSessions(sessions.TerminateSessionsRequest(parent=person.name))
    hashes = stack.argus.passwords.hashes_done
    expected = {"LOGIN_NOT_FOUND"} if how == "idle" else {"SESSION_ENDED"}
    assert await reason_of(submit(api, login_token, PASSWORD)) in expected
    assert await reason_of(start_step_up(api, theft.newest)) == "SESSION_ENDED"
    assert stack.argus.passwords.hashes_done == hashes, "the password of what is over is nobody's to try"
    assert await reason_of(refresh(api, theft.newest)) == "SESSION_ENDED"


async def test_what_redis_alone_knows_to_be_over_is_over(stack: Stack, api: Api, person: Person) -> None:
    """An end that was made while PostgreSQL was away, and is on its way there."""
    theft = await contest(stack, person)
    login_token = await start_step_up(api, theft.newest)
    redis, keyspace = stack.argus.redis, stack.argus.keyspace
    session_id = theft.session.rpartition("/")[2]
    names = [keyspace.session_key(session_id), keyspace.index_key(api.tenant_id, person.user_id)]
    at = int(now(stack.private.clock).timestamp())
    await redis.call("end", names, [session_id, int(EndReason.ENDED_BY_ADMIN), at, 3600])
    hashes = stack.argus.passwords.hashes_done
    for call in (submit(api, login_token, PASSWORD), start_step_up(api, theft.newest)):
        failure = await failure_of(call)
        assert failure is not None
        assert (failure.reason, failure.metadata) == ("SESSION_ENDED", {"endReason": "ENDED_BY_ADMIN"})
    assert stack.argus.passwords.hashes_done == hashes
    assert (await state_of(api, theft.session)).state == types.SESSION_STATE_CONTESTED


async def test_past_the_absolute_end_the_token_has_expired_too(stack: Stack, api: Api, person: Person) -> None:
    done = await person.sign_in()
    await stack.advance(timedelta(hours=24, seconds=1))
    assert await reason_of(start_step_up(api, done.tokens.refresh_token)) == "TOKEN_INVALID"


async def test_a_shortened_policy_bites_at_a_step_up(stack: Stack) -> None:
    """Its absolute length counts from the session's creation."""
    api = await stack.new_tenant()
    person = await new_person(api)
    done = await person.sign_in()
    await stack.advance(timedelta(hours=2))
    await _set_policy(stack, api, {"idle_seconds": 3600, "absolute_seconds": 3600})
    failure = await failure_of(step_up(api, done.tokens.refresh_token))
    assert failure is not None
    assert (failure.reason, failure.metadata["endReason"]) == ("SESSION_ENDED", "ABSOLUTE_TIMEOUT")


async def test_another_clients_token_is_presented_only_by_those_who_may_refresh_it(stack: Stack, api: Api) -> None:
    """The rule of RefreshToken; a disabled client's is nobody's."""
    person = await new_person(api)
    done = await person.sign_in()
    for client_id, scopes in (
        ("modest", ["login.run", "documents.read"]),
        ("gateway", ["login.run", "tokens.refresh_for_clients"]),
    ):
        made = await api.clients.CreateClient(
            clients.CreateClientRequest(
                parent=api.parent, client_id=client_id, client=clients.Client(scopes=scopes, resource="https://x.test")
            )
        )
        other = Api(
            stack.server.grpc_address,
            tenant_id=api.tenant_id,
            client_id=client_id,
            client_secret=made.client_secret,
            clock=stack.private.clock,
        )
        reason = await reason_of(start_step_up(other, done.tokens.refresh_token))
        assert reason == ("TOKEN_INVALID" if client_id == "modest" else "")
        await other.close()


async def test_a_token_of_another_tenant_is_no_token_here(stack: Stack, person: Person) -> None:
    done = await person.sign_in()
    other = await stack.new_tenant()
    assert await reason_of(start_step_up(other, done.tokens.refresh_token)) == "TOKEN_INVALID"


async def test_a_level_that_no_factor_reaches_is_not_begun(api: Api, person: Person) -> None:
    done = await person.sign_in()
    request = authentication.StartStepUpRequest(
        parent=api.parent, refresh_token=done.tokens.refresh_token, acr_values=["urn:argus:acr:3"]
    )
    failure = await failure_of(api.authentication.StartStepUp(request))
    assert failure is not None
    assert (failure.reason, failure.field) == ("FIELD_INVALID", "acr_values")
    request.acr_values[:] = ["urn:argus:acr:1"]
    request.max_age.FromTimedelta(timedelta(minutes=1))
    assert (await api.authentication.StartStepUp(request)).login_token


async def test_a_pulled_signing_key_leads_to_a_step_up_and_that_to_good_tokens(stack: Stack) -> None:
    """Emergency revocation: no token under the key is changed for tokens, its holder is not logged out either."""
    api = await stack.new_tenant()
    person = await new_person(api)
    done = await person.sign_in()
    await _pull(stack, api, keys.KEY_USE_REFRESH)
    assert await cause_of(refresh(api, done.tokens.refresh_token)) == ""
    renewed = await step_up(api, done.tokens.refresh_token)
    assert (await refresh(api, renewed.tokens.refresh_token)).session == done.session.name
    assert await cause_of(refresh(api, done.tokens.refresh_token)) == ""
    (stepped,) = [one for one in await events_of(api, done.session.name) if one.type == "session.stepped_up"]
    assert stepped.reason == "KEY_REVOKED"
    # Where the key of ids may be exposed too, nothing tells a token from a forged one: the user signs in anew.
    await _pull(stack, api, keys.KEY_USE_REFRESH_ID)
    assert await reason_of(start_step_up(api, renewed.tokens.refresh_token)) == "TOKEN_INVALID"


async def test_a_new_family_takes_the_new_key_of_ids(stack: Stack) -> None:
    """The one of an older family is kept for that family."""
    api = await stack.new_tenant()
    person = await new_person(api)
    done = await person.sign_in()
    await api.keys.RotateKey(keys.RotateKeyRequest(parent=api.parent, use=keys.KEY_USE_REFRESH_ID, immediate=True))
    await stack.argus.snapshot.refresh()
    stepped = await step_up(api, done.tokens.refresh_token)
    row = await stack.argus.db.fetch_one(
        "SELECT refresh_id_key, family, generation_bound, generation_bound_rotated FROM sessions WHERE session_id = %s",
        (done.session.name.rpartition("/")[2],),
    )
    assert row == {"refresh_id_key": 1, "family": 2, "generation_bound": 1, "generation_bound_rotated": False}
    await refresh(api, stepped.tokens.refresh_token)


async def test_under_strict_rotation_a_replay_ends_and_a_step_up_begins_clean(stack: Stack) -> None:
    """What a replay has ended is over; what lives is stepped up as under the resilient rules."""
    api = await stack.new_tenant()
    await _set_policy(stack, api, {"rotation": "strict"})
    person = await new_person(api)
    done = await person.sign_in()
    await refresh(api, done.tokens.refresh_token)
    assert await reason_of(refresh(api, done.tokens.refresh_token)) == "SESSION_ENDED"
    assert await reason_of(start_step_up(api, done.tokens.refresh_token)) == "SESSION_ENDED"
    other = await person.sign_in()
    second = (await refresh(api, other.tokens.refresh_token)).tokens
    stepped = await step_up(api, second.refresh_token)
    assert await cause_of(refresh(api, second.refresh_token)) == "FAMILY_OLDER"
    assert (await refresh(api, stepped.tokens.refresh_token)).session == other.session.name


async def _set_policy(stack: Stack, api: Api, document: dict[str, str | int | bool]) -> None:
    scope = Scope(kind="tenant", id=api.tenant_id)
    await stack.argus.policies.set_document(api.tenant_id, scope, document, origin=origin(api.tenant_id))
    await stack.argus.snapshot.refresh()


async def _pull(stack: Stack, api: Api, use: keys.KeyUse.ValueType) -> None:
    listed = await api.keys.ListKeys(keys.ListKeysRequest(parent=api.parent))
    (name,) = [one.name for one in listed.keys if one.use == use and one.state == keys.KEY_STATE_ACTIVE]
    await api.keys.RevokeKey(keys.RevokeKeyRequest(name=name))
    await stack.argus.snapshot.refresh()
