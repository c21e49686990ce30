"""Whose tokens do for a user's own acts, and what is not one's own: it is not found, whoever's it is."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from argus.server.api import Api
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import device_service_pb2 as devices
from argus.v1 import token_service_pb2 as tokens
from argus.v1 import types_pb2 as types
from argus.v1 import user_service_pb2 as users
from tests.support.dpop import DpopClient
from tests.support.oneself import Acting
from tests.support.people import PASSWORD, Person, new_client, new_person, verify
from tests.support.wire import ALL_RPCS, Rpc

if TYPE_CHECKING:
    from tests.support.stack import Stack

OWN: Final = [rpc for rpc in ALL_RPCS if rpc.path.startswith("/argus.v1.SelfService/")]


@pytest.fixture(scope="module")
async def api(stack: Stack) -> Api:
    return await stack.new_tenant()


@pytest.fixture(scope="module")
async def elsewhere(stack: Stack, api: Api) -> AsyncIterator[Api]:
    """Another service of the tenant: no token of the first one's users is for it."""
    other = await new_client(api, stack.private, resource="https://elsewhere.example.com")
    yield other
    await other.close()


@pytest.fixture
async def person(api: Api) -> Person:
    return await new_person(api)


async def acting(person: Person, **how: Any) -> Acting:
    """A new session of a person."""
    return Acting(person.api, await person.sign_in(**how))


def _id(name: str) -> str:
    return name.rpartition("/")[2]


def naming(session: str, device_id: str, credential: str) -> list[tuple[str, dict[str, Any], str]]:
    """A call of each RPC that names something, and what is said where it is not the user's."""
    described = types.Session(name=session, device=types.Device(category="theirs"))
    of_user = session.partition("/sessions/")[0]
    renamed = devices.KnownDevice(name=f"{of_user}/devices/{device_id}", device=types.Device(category="theirs"))
    return [
        (
            "UpdateOwnSession",
            {"session": described, "update_mask": {"paths": ["device.category"]}},
            "SESSION_NOT_FOUND",
        ),
        ("TerminateOwnSession", {"name": session}, "SESSION_NOT_FOUND"),
        ("ListOwnSessionEvents", {"parent": session}, "SESSION_NOT_FOUND"),
        ("ForgetOwnDevice", {"device_id": device_id}, "DEVICE_NOT_FOUND"),
        ("TrustOwnDevice", {"device_id": device_id}, "DEVICE_NOT_FOUND"),
        ("ListOwnDeviceEvents", {"device_id": device_id}, "DEVICE_NOT_FOUND"),
        (
            "UpdateOwnDevice",
            {"device": renamed, "update_mask": {"paths": ["device.category"]}},
            "DEVICE_NOT_FOUND",
        ),
        ("UpdateOwnCredential", {"name": credential, "display_name": "theirs"}, "CREDENTIAL_NOT_FOUND"),
        ("DeleteOwnCredential", {"name": credential}, "CREDENTIAL_NOT_FOUND"),
    ]


async def test_whatever_is_not_ones_own_is_not_found(stack: Stack, api: Api, person: Person) -> None:
    """Another user's and another tenant's, and what there never was: one answer, and nothing happens to it."""
    own = await acting(person)
    theirs = await acting(await new_person(api))
    abroad = await acting(await new_person(await stack.new_tenant()))
    nowhere = f"{person.name}/sessions/{secrets.token_urlsafe(18)}"
    mine, theirs_name = person.name, theirs.session.partition("/sessions/")[0]
    named = [(one.session, one.device_id, await one.credential()) for one in (theirs, abroad)]
    named.append((nowhere, secrets.token_urlsafe(16), f"{mine}/credentials/{secrets.token_urlsafe(16)}"))
    # The id of somebody else's under the user's own name, and the reverse.
    for to, one in ((mine, theirs), (theirs_name, own)):
        credential = f"{to}/credentials/{_id(await one.credential())}"
        named.append((f"{to}/sessions/{_id(one.session)}", theirs.device_id, credential))
    for session, device_id, credential in named:
        for rpc, fields, reason in naming(session, device_id, credential):
            failure = await own.refused(rpc, **fields)
            assert (failure.code, failure.reason) == ("NOT_FOUND", reason), (rpc, session)
            # Nothing but the id that was sent.
            assert set(failure.metadata.values()) <= {_id(session), device_id, _id(credential)}
    for one in (own, theirs, abroad):
        assert (await one.do("GetSelf")).session.device.category == ""
        assert [device.device.name for device in (await one.do("ListOwnDevices")).devices] == [one.device_id]


def test_every_rpc_that_names_something_is_tried_with_what_is_somebody_elses() -> None:
    """A new one can't be left out of the test above."""
    names = {"session", "name", "parent", "device", "device_id", "credential", "credential_id"}
    found = {rpc.name for rpc in OWN if names & set(rpc.method.input_type.fields_by_name)}
    assert found == {rpc for rpc, _, _ in naming("", "", "")}


@pytest.mark.parametrize("rpc", OWN, ids=lambda rpc: rpc.name)
async def test_only_the_token_of_a_user_at_this_service_will_do(
    rpc: Rpc, stack: Stack, api: Api, elsewhere: Api, person: Person
) -> None:
    """Refresh tokens, client tokens, tokens of other tenants and those for another service: TOKEN_INVALID."""
    own = await acting(person)
    abroad = await acting(await new_person(await stack.new_tenant()))
    request = valid(rpc, own)
    for token in (
        own.refresh_token,
        await api.token(),
        await client_token_for_the_service(api),
        abroad.access_token,
        "nonsense",
        f"{own.access_token[:-4]}AAAA",
    ):
        failure = await own.refused(rpc.name, **(request | {"access_token": token}))
        assert (failure.code, failure.reason, failure.metadata) == ("UNAUTHENTICATED", "TOKEN_INVALID", {}), token
    failure = await own.refused(rpc.name, by=elsewhere, **request)
    assert (failure.code, failure.reason, failure.metadata) == ("UNAUTHENTICATED", "TOKEN_INVALID", {})


async def client_token_for_the_service(api: Api) -> str:
    """A service's own token that is for the very resource of users' tokens."""
    request = tokens.IssueClientTokenRequest(
        parent=api.parent,
        client_id=api.client_id,
        client_secret=api._secret,
        resource="https://documents.example.com",
    )
    issued = (await api.tokens.IssueClientToken(request)).tokens.access_token
    assert (await verify(api, issued)).session == ""  # it is good, and nobody's
    return str(issued)


def valid(rpc: Rpc, own: Acting) -> dict[str, Any]:
    """Fields of a request that is good as far as it can be told without its token."""
    credential = f"{own.session.partition('/sessions/')[0]}/credentials/{'x' * 22}"
    fields = {name: fields for name, fields, _ in naming(own.session, own.device_id, credential)}
    fields["ConfirmOwnTotpEnrolment"] = {"enrolment_id": "x" * 22, "code": "123456"}
    fields["ConfirmOwnPasskeyEnrolment"] = {"enrolment_id": "x" * 22, "response_json": "{}"}
    fields["UpdateSelf"] = {"user": users.User(locale="de"), "update_mask": {"paths": ["locale"]}}
    return fields.get(rpc.name, {})


async def test_a_bound_token_needs_its_proof(stack: Stack, person: Person) -> None:
    """Without one, or with one that was used, it is refused; a repeat by `request_id` may show the same one."""
    key = DpopClient()

    def proof(access_token: str = "") -> types.Proof:
        return key.proof(now=stack.private.clock.now_ms() // 1000, access_token=access_token)

    request = authentication.SubmitFactorRequest(
        parent=person.api.parent, login_token=await person.start(), password=PASSWORD, proof=proof()
    )
    own = Acting(person.api, await person.api.authentication.SubmitFactor(request))
    assert (await own.refused("GetSelf")).reason == "TOKEN_PROOF_REQUIRED"
    once = proof(own.access_token)
    await own.do("GetSelf", proof=once)
    assert (await own.refused("GetSelf", proof=once)).reason == "TOKEN_PROOF_REQUIRED"
    again: dict[str, Any] = {"proof": proof(own.access_token), "request_id": "bound"}
    await own.do("TerminateOwnSessions", **again)
    await own.do("TerminateOwnSessions", **again)
    assert (await own.refused("TerminateOwnSession", name=own.session, **again)).reason == "TOKEN_PROOF_REQUIRED"
