"""Users with more sessions than anybody signs in for, and limits that were lowered."""

import time

from argus.sessions.rebuild_store import LARGEST_INDEX
from argus.v1 import session_service_pb2 as sessions
from argus.v1 import tenant_service_pb2 as tenants
from tests.support.crowd import copy_session
from tests.support.own_stores import until
from tests.support.people import Person, new_person, verify
from tests.support.stack import Stack

MANY = LARGEST_INDEX + 500
LONGEST_CALL_US = 500_000


async def test_the_index_of_a_user_is_rebuilt_up_to_what_a_policy_may_allow(stack: Stack) -> None:
    """Neither PostgreSQL nor Redis is held up by it; and the user signs in, though the limit was passed by far."""
    argus, person = stack.argus, await new_person(await stack.new_tenant())
    done = await person.sign_in()
    await copy_session(argus, person, MANY)
    redis, tenant_id = argus.redis.client, person.api.tenant_id
    await redis.delete(argus.keyspace.user_key(tenant_id, person.user_id))
    await redis.config_resetstat()
    await argus.rebuild.user(tenant_id, person.user_id)
    index = argus.keyspace.index_key(tenant_id, person.user_id)
    assert await redis.hlen(index) == LARGEST_INDEX
    statistics = (await redis.info("commandstats"))["cmdstat_fcall"]
    assert statistics["usec"] < LONGEST_CALL_US
    begun = time.monotonic()
    again = await person.sign_in()
    assert time.monotonic() - begun < 20
    assert (await verify(person.api, again.tokens.access_token)).session == again.session.name
    # The oldest were ended, a thousand at a time.
    left = await redis.hlen(index)
    assert left <= LARGEST_INDEX + 1 - 1000
    assert done.session.name


async def test_who_was_at_the_limit_signs_in_after_a_wide_end(stack: Stack) -> None:
    """Sessions that are over by a `not_before` take no place, with a policy that turns away who has too many."""
    api = await stack.new_tenant()
    person = await new_person(api)
    for _ in range(10):
        await person.sign_in()
    await api.tenants.TerminateTenantSessions(tenants.TerminateTenantSessionsRequest(name=api.parent))
    argus = stack.argus
    index = argus.keyspace.index_key(api.tenant_id, person.user_id)
    deliveries = await argus.db.fetch_all(
        "UPDATE outbox SET attempt_time = create_time WHERE tenant_id = %s RETURNING outbox_id", (api.tenant_id,)
    )
    assert deliveries
    await argus.outbox.run_due()  # or the server's own worker has been faster

    async def is_empty() -> bool:
        return not await argus.redis.client.hlen(index)

    await until(is_empty)
    await argus.snapshot.refresh()
    api._renew_at = None
    assert await Person(api=api, name=person.name, identifier=person.identifier).count() == 0
    read = await api.sessions.ListSessions(sessions.ListSessionsRequest(parent=person.name, show_ended=True))
    assert len(read.sessions) == 10
