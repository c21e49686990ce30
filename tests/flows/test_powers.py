"""What clients can give, to other clients and to their users."""

from argus.server.api import Api
from argus.v1 import authentication_service_pb2 as authentication
from argus.v1 import client_service_pb2 as clients
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import types_pb2 as types
from tests.support.people import new_person, reason_of, verify
from tests.support.stack import Stack

STRONGEST = "urn:argus:acr:3"


def _update(api: Api, level: str) -> clients.UpdateClientRequest:
    client = clients.Client(name=f"{api.parent}/clients/{api.client_id}", max_asserted_acr=level)
    request = clients.UpdateClientRequest(client=client)
    request.update_mask.paths.append("max_asserted_acr")
    return request


async def test_nobody_raises_the_level_that_it_may_vouch_for(stack: Stack) -> None:
    """Neither one's own, nor by way of another client."""
    async with stack.private.fresh_tenant() as strong:
        await strong.clients.UpdateClient(_update(strong, "urn:argus:acr:1"))
        assert await reason_of(strong.clients.UpdateClient(_update(strong, STRONGEST))) == "ASSERTED_ACR_TOO_HIGH"
        client = clients.Client(resource="https://a.example.com", max_asserted_acr=STRONGEST)
        create = clients.CreateClientRequest(parent=strong.parent, client_id="puppet", client=client)
        assert await reason_of(strong.clients.CreateClient(create)) == "ASSERTED_ACR_TOO_HIGH"
        person = await new_person(strong)
        session = sessions.CreateSessionRequest(parent=person.name, acr=STRONGEST)
        assert await reason_of(strong.sessions.CreateSession(session)) == "ASSERTED_ACR_TOO_HIGH"


async def test_users_hold_no_power_over_argus(stack: Stack) -> None:
    """Whatever their client may do: by default they get the application's scopes, and no others if asked for."""
    api = await stack.new_tenant()
    person = await new_person(api)
    done = await person.sign_in()
    verified = await verify(api, done.tokens.access_token)
    assert sorted(verified.scopes) == ["documents.read", "documents.write"]
    start = authentication.StartLoginRequest(parent=api.parent, identifier=person.identifier, scope="users.write")
    assert await reason_of(api.authentication.StartLogin(start)) == "FIELD_INVALID"
    session = sessions.CreateSessionRequest(parent=person.name, scope="users.write")
    assert await reason_of(api.sessions.CreateSession(session)) == "FIELD_INVALID"


async def test_an_address_that_is_none_is_refused_by_name(stack: Stack) -> None:
    """A typing error would switch the budget of addresses off; a zone is no part of an address that is kept."""
    api = await stack.new_tenant()
    for address in ("999.1.1.1", "192.0.2.1/24", "fe80::1%eth0", "localhost"):
        context = types.ClientContext(ip_address=address)
        start = authentication.StartLoginRequest(parent=api.parent, identifier="a@example.com", client_context=context)
        assert await reason_of(api.authentication.StartLogin(start)) == "FIELD_INVALID"
