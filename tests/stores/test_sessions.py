"""Rows of sessions while others change them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from argus.base.policy import Policy
from argus.policies import store as policies
from argus.policies.model import digest, to_document
from argus.sessions.store import SessionStore
from tests.support.moments import now
from tests.support.people import new_person
from tests.support.stack import Stack

PATIENCE = 10


async def test_who_waits_for_a_session_finds_it_with_a_number_that_was_not_there_before(stack: Stack) -> None:
    """A policy moves it on meanwhile: PostgreSQL looks at the row anew, and at what it was joined with no more."""
    api, db = await stack.new_tenant(), stack.argus.db
    person = await new_person(api)
    session_id = (await person.sign_in()).session.name.rpartition("/")[2]
    changed = replace(Policy(), idle=timedelta(minutes=7))

    async def wait() -> int:
        async with db.transaction() as tx:
            found = await SessionStore(db).lock(tx, api.tenant_id, person.user_id, session_id)
            assert found is not None
            return found.policy_revision

    async with db.transaction() as tx:
        number = await policies.insert_revision(
            tx,
            api.tenant_id,
            digest=digest(changed),
            document=to_document(changed),
            narrower=(),
            at=now(stack),
        )
        await tx.execute(
            "UPDATE sessions SET policy_revision = %s WHERE tenant_id = %s AND session_id = %s",
            (number, api.tenant_id, session_id),
        )
        waiting = asyncio.create_task(wait())
        async with asyncio.timeout(PATIENCE):
            while not await db.fetch_all("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"):
                assert not waiting.done()
    assert await waiting == number
