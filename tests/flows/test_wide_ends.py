"""The end of clients, and of all sessions of a client or tenant: one `not_before` each."""

import secrets

from google.protobuf.timestamp_pb2 import Timestamp

from argus.server.api import Api
from argus.v1 import client_service_pb2 as clients
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from argus.v1 import user_service_pb2 as users
from tests.support.people import Person, new_client, new_person, reason_of, refresh, verify
from tests.support.stack import Stack


async def begin(api: Api, user: str) -> sessions.CreateSessionResponse:
    """A session of the client of `api`."""
    return await api.sessions.CreateSession(sessions.CreateSessionRequest(parent=user))


async def test_a_deleted_client_takes_its_sessions_and_tokens_along(stack: Stack) -> None:
    """Those of other clients go on."""
    api = await stack.new_tenant()
    person, other = await new_person(api), await new_client(api, stack.private)
    theirs, ours = await begin(other, person.name), await begin(api, person.name)
    delete = clients.DeleteClientRequest(
        name=f"{api.parent}/clients/{other.client_id}", request_id=secrets.token_hex(8)
    )
    await api.clients.DeleteClient(delete)
    await stack.argus.snapshot.refresh()
    assert await reason_of(verify(api, theirs.tokens.access_token)) != ""
    assert await reason_of(other.users.ListUsers(_list(api))) in {"CALLER_TOKEN_INVALID", "CALLER_DISABLED"}
    assert await reason_of(other.issue()) == "CALLER_CREDENTIALS_INVALID"
    assert (await verify(api, ours.tokens.access_token)).sub == person.user_id
    await api.clients.DeleteClient(delete)
    again = clients.DeleteClientRequest(name=delete.name)
    assert await reason_of(api.clients.DeleteClient(again)) == "CLIENT_NOT_FOUND"
    await other.close()


async def test_a_client_wide_end_is_for_what_began_before(stack: Stack) -> None:
    """Sessions and client tokens up to the instant that is answered; what begins later is good."""
    api = await stack.new_tenant()
    person, other = await new_person(api), await new_client(api, stack.private)
    theirs, ours = await begin(other, person.name), await begin(api, person.name)
    request = clients.TerminateClientSessionsRequest(
        name=f"{api.parent}/clients/{other.client_id}", comment="leak", request_id=secrets.token_hex(8)
    )
    dry = clients.TerminateClientSessionsRequest(name=request.name, validate_only=True)
    await api.clients.TerminateClientSessions(dry)
    assert (await verify(other, theirs.tokens.access_token)).sub == person.user_id
    ended = await api.clients.TerminateClientSessions(request)
    created = theirs.session.create_time.ToDatetime()
    assert ended.not_before_time.ToDatetime() >= created.replace(microsecond=0)
    await stack.argus.snapshot.refresh()
    assert await reason_of(verify(api, theirs.tokens.access_token)) == "SESSION_ENDED"
    assert await reason_of(other.users.ListUsers(_list(api))) == "CALLER_TOKEN_INVALID"
    assert (await verify(api, ours.tokens.access_token)).sub == person.user_id
    repeat = await api.clients.TerminateClientSessions(request)
    assert repeat.not_before_time == ended.not_before_time
    await other.close()


async def test_a_tenant_wide_end_is_for_all(stack: Stack) -> None:
    """Every session of the tenant and none of another's."""
    api, elsewhere = await stack.new_tenant(), await stack.new_tenant()
    person, neighbour = await new_person(api), await new_person(elsewhere)
    done, theirs = await person.sign_in(), await neighbour.sign_in()
    ended = await api.tenants.TerminateTenantSessions(
        tenants.TerminateTenantSessionsRequest(name=api.parent, comment="restored from a backup")
    )
    assert ended.not_before_time != Timestamp()
    await stack.argus.snapshot.refresh()
    assert await reason_of(api.users.ListUsers(_list(api))) == "CALLER_TOKEN_INVALID"
    assert (await verify(elsewhere, theirs.tokens.access_token)).sub == neighbour.user_id
    row = await stack.argus.db.fetch_one(
        "SELECT data FROM audit_events WHERE tenant_id = %s AND type = 'tenant.sessions_ended'", (api.tenant_id,)
    )
    assert row is not None
    assert row["data"]["comment"] == "restored from a backup"
    # Within the very second of the end: what is issued now is good for its whole life.
    anew = api.at(stack.server.grpc_address)
    assert await reason_of(verify(anew, done.tokens.access_token)) == "SESSION_ENDED"
    assert await reason_of(refresh(anew, done.tokens.refresh_token)) == "SESSION_ENDED"
    again = await Person(api=anew, name=person.name, identifier=person.identifier).sign_in()
    assert (await verify(anew, again.tokens.access_token)).sub == person.user_id
    await anew.close()


def _list(api: Api) -> users.ListUsersRequest:
    return users.ListUsersRequest(parent=api.parent)
